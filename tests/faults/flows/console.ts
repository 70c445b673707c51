import { call, newIp } from "../../support/client.ts";
import { newStaff } from "../../support/kyc.ts";
import { addPasskey, signInOptions } from "../../support/passkeys.ts";
import { flow } from "../flow-table.ts";
import { tokenFor } from "../people.ts";

const SESSION = "/console/session";

/** A member of staff with the cookie of a console session. */
export async function openConsoleOf(env: Partial<Env> = {}) {
  const staff = await newStaff(env);
  const json = { identifier: staff.identifier, verification_token: await tokenFor(staff.identifier) };
  const answer = await call("POST", SESSION, { json, ip: newIp(), env });
  const [cookie = ""] = answer.headers.get("set-cookie")?.split(";") ?? [];
  return { ...staff, cookie, access: String(answer.body.data.access_token) };
}

const isSignedIn = async (token: string) => (await call("GET", "/api/auth/me", { token, ip: newIp() })).status === 200;

/** Signing in over the cookie of a session that still lives. */
const openFlow = flow("console sign-in over an older session", async () => {
  const staff = await openConsoleOf();
  const json = { identifier: staff.identifier, verification_token: await tokenFor(staff.identifier) };
  return {
    scope: { userIds: [staff.userId], identifiers: [staff.identifier] },
    request: { method: "POST", path: SESSION, options: { json, ip: newIp(), headers: { Cookie: staff.cookie } } },
    async onSuccess({ body }) {
      if (!(await isSignedIn(body.data.access_token))) throw new Error("the new session is not signed in");
    },
  };
});

const passkeyFlow = flow("console sign-in with a passkey", async () => {
  const staff = await newStaff();
  const { authenticator } = await addPasskey(staff);
  const json = { credential: await authenticator.assert(await signInOptions()) };
  return {
    scope: { userIds: [staff.userId], identifiers: [staff.identifier] },
    request: { method: "POST", path: SESSION, options: { json, ip: newIp() } },
    async onSuccess({ body }) {
      if (!(await isSignedIn(body.data.access_token))) throw new Error("the new session is not signed in");
    },
  };
});

const refreshFlow = flow("console refresh", async () => {
  const { userId, cookie } = await openConsoleOf();
  const options = { ip: newIp(), headers: { Cookie: cookie } };
  return {
    scope: { userIds: [userId] },
    request: { method: "POST", path: `${SESSION}/refresh`, options },
    async onSuccess({ body }) {
      if (!(await isSignedIn(body.data.access_token))) throw new Error("the fresh access token was refused");
    },
  };
});

const closeFlow = flow("console sign-out", async () => {
  const { userId, cookie, access } = await openConsoleOf();
  const expectEnded = async () => {
    if (await isSignedIn(access)) throw new Error("the session still lives");
  };
  return {
    scope: { userIds: [userId] },
    request: { method: "DELETE", path: SESSION, options: { ip: newIp(), headers: { Cookie: cookie } } },
    onSuccess: expectEnded,
    afterwards: expectEnded,
  };
});

export const consoleFlows = [openFlow, passkeyFlow, refreshFlow, closeFlow];
