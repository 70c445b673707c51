import { localOutbox } from "../../../src/db/platform-schema.ts";
import { databaseWith, reader } from "../load/databases.ts";
import type { Server } from "../server-process.ts";
import type { Service, Step, Traveller } from "./service.ts";

/** This service, whose databases lie in the folder `persist`. */
export function ourService(server: Server, persist: string): Service {
  return { server, codes: codeReader(persist) };
}

/** Returns a function that reads the newest codes of the outbox in a server's folder. */
export function codeReader(persist: string): Service["codes"] {
  const { recipient, code, createdAt } = localOutbox;
  const sql = `select ${recipient.name} as recipient, ${code.name} as code from local_outbox
    where ${code.name} is not null order by ${createdAt.name}`;
  return () => {
    const query = reader(databaseWith(persist, "d1", "local_outbox"));
    return new Map(query(sql).map((row) => [String(row.recipient), String(row.code)]));
  };
}

const request: Step = {
  name: "otp/request with delivery",
  path: "/api/auth/otp/request",
  body: ({ identifier }) => ({ identifier }),
};

const verify: Step = {
  name: "otp/verify",
  path: "/api/auth/otp/verify",
  body: ({ identifier, code }) => ({ identifier, otp: code }),
  needsCode: true,
  keep: (person, data) => {
    person.verificationToken = String(data.verification_token);
  },
};

const keepTokens = (person: Traveller, data: Record<string, unknown>) => {
  person.accessToken = String(data.access_token);
  person.refreshToken = String(data.refresh_token);
};

const withToken = ({ identifier, verificationToken }: Traveller) => ({
  identifier,
  verification_token: verificationToken,
});

export const signIn: readonly Step[] = [
  request,
  verify,
  { name: "login", path: "/api/auth/login", body: withToken, keep: keepTokens },
];

export const signUp: readonly Step[] = [
  request,
  verify,
  { name: "register with search", path: "/api/auth/register", body: withToken, keep: keepTokens },
];

export const logout: readonly Step[] = [
  {
    name: "logout",
    path: "/api/auth/logout",
    body: ({ refreshToken }) => ({ refresh_token: refreshToken }),
    headers: ({ accessToken }) => ({ Authorization: `Bearer ${accessToken}` }),
  },
];
