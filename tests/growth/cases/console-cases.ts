import { openConsoleOf } from "../../faults/flows/console.ts";
import { must, newUser, sql, tokenFor } from "../../faults/people.ts";
import { newEmail, newIp, newPhone, type SignedIn } from "../../support/client.ts";
import { addPasskey, signInOptions } from "../../support/passkeys.ts";
import { type Case, given, type Stage } from "../case.ts";
import { changedUser } from "./identity-cases.ts";
import { NO_PASSKEYS } from "./passkey-cases.ts";
import { bannedUser } from "./sign-in-cases.ts";

const PATHS = ["POST /console/session", "POST /console/session/refresh", "DELETE /console/session", "GET /console"];
const off = { CONSOLE: "off" } as unknown as Partial<Env>;
const access = { ACCESS_TEAM: "team", ACCESS_AUD: "a".repeat(64) } as unknown as Partial<Env>;

const verified = async (identifier: string) => ({ identifier, verification_token: await tokenFor(identifier) });
const withCookie = (cookie: string) => ({ ip: newIp(), headers: { Cookie: cookie } });

const opening = (what: string, prepare: (stage: Stage) => Promise<string>) =>
  given("POST /console/session", what, async (stage) => ({ ip: newIp(), json: await verified(await prepare(stage)) }));

const withPasskey = (what: string, change: (user: SignedIn) => Promise<unknown>, overrides = {}) =>
  given("POST /console/session", what, async ({ env }) => {
    const user = await newUser(env);
    const { authenticator } = await addPasskey(user, { options: { env, ip: newIp() } });
    await change(user);
    return { ip: newIp(), json: { credential: await authenticator.assert(await signInOptions({ env }), overrides) } };
  });
const promoted = ({ userId }: SignedIn) => sql("update users set role = 'staff' where id = ?", userId);

const passkeys: Case[] = [
  withPasskey("with the passkey of staff", promoted),
  withPasskey("with the passkey of a user", async () => {}),
  withPasskey("with a passkey that has been removed", async (user) => {
    await promoted(user);
    await sql("delete from passkeys where user_id = ?", user.userId);
  }),
  withPasskey("with a passkey for another origin", promoted, { origin: "https://a.example" }),
  given("POST /console/session", "with a passkey where none are offered", async ({ env }) => {
    const { authenticator } = await addPasskey(await newUser(env), { options: { env, ip: newIp() } });
    const json = { credential: await authenticator.assert(await signInOptions({ env })) };
    return { ip: newIp(), json, env: { ...env, ...NO_PASSKEYS } as Partial<Env> };
  }),
];

/** Outcomes of the staff console's page and of the session of its browser. */
export const consoleCases: Case[] = [
  ...PATHS.flatMap((operation) => [
    given(operation, "where the console is off", async () => ({ env: off, ip: newIp() })),
    given(operation, "without the assertion of Cloudflare Access", async () => ({ env: access, ip: newIp() })),
  ]),
  ...PATHS.slice(0, 3).map((operation) =>
    given(operation, "from another site", async () => ({ ip: newIp(), headers: { "Sec-Fetch-Site": "cross-site" } })),
  ),
  opening("by a user", async ({ user }) => user.identifier),
  opening("with a number that left another account", async (stage) => (await changedUser(stage)).identifier),
  opening("without an account", async () => newEmail()),
  opening("of a banned user", async (stage) => (await bannedUser(stage)).identifier),
  opening("by staff with a long history", async ({ staff }) => staff.identifier),
  given("POST /console/session", "with a forged token", async () => ({
    ip: newIp(),
    json: { identifier: newPhone(), verification_token: "forged" },
  })),
  ...passkeys,
  given("POST /console/session/refresh", "with a forged cookie", async () => withCookie("__Host-console=forged")),
  given("POST /console/session/refresh", "of a user who was staff", async ({ env }) => {
    const { userId, refresh } = await newUser(env);
    await sql("update users set role = 'user' where id = ?", userId);
    return withCookie(`__Host-console=${refresh}`);
  }),
  given("POST /console/session/refresh", "repeated too often", async ({ env }) => {
    const { cookie, userId } = await openConsoleOf(env);
    await must("POST", "/console/session/refresh", { ...withCookie(cookie), env });
    await sql("update sessions set replays = 1000 where user_id = ?", userId);
    return withCookie(cookie);
  }),
  given("DELETE /console/session", "with a forged cookie", async () => withCookie("__Host-console=forged")),
];
