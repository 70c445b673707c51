import type { Step, Traveller } from "./service.ts";

// The calls of a client of Better Auth with its emailOTP plugin. Its sign-in checks the code too, and creates the user
// if there is none, so that a sign-up is the same two calls.

const ORIGIN = { Origin: "http://localhost:8787" };

const keepCookie = (person: Traveller, _: unknown, { headers }: Response) => {
  person.cookie = headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
};

export const signIn: readonly Step[] = [
  {
    name: "send-verification-otp",
    path: "/api/auth/email-otp/send-verification-otp",
    body: ({ identifier }) => ({ email: identifier, type: "sign-in" }),
    headers: () => ORIGIN,
  },
  {
    name: "sign-in/email-otp",
    path: "/api/auth/sign-in/email-otp",
    body: ({ identifier, code }) => ({ email: identifier, otp: code }),
    headers: () => ORIGIN,
    needsCode: true,
    keep: keepCookie,
  },
];

export const session: readonly Step[] = [
  {
    name: "get-session",
    method: "GET",
    path: "/api/auth/get-session",
    body: () => ({}),
    headers: ({ cookie }) => ({ ...ORIGIN, Cookie: cookie ?? "" }),
  },
];

export const logout: readonly Step[] = [
  {
    name: "sign-out",
    path: "/api/auth/sign-out",
    body: () => ({}),
    headers: ({ cookie }) => ({ ...ORIGIN, Cookie: cookie ?? "" }),
  },
];
