import { codeFor, must, newUser, signInAgain, sql, tokenFor } from "../../faults/people.ts";
import { newEmail, newIp, newPhone } from "../../support/client.ts";
import { sessionOf } from "../../support/kyc.ts";
import { type Case, given, PLAIN_HTTP, type Stage } from "../case.ts";
import { exhaustedRateLimiter } from "./common.ts";

const DAY_MS = 86_400_000;

const verified = async (identifier: string) => ({ identifier, verification_token: await tokenFor(identifier) });
const wrongCodeFor = (otp: string) => (otp === "111111" ? "222222" : "111111");

/** A user whose account staff have deactivated. */
export async function bannedUser({ env }: Stage) {
  const user = await newUser(env);
  await sql("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user.userId);
  return user;
}

/** A user whose sign-in is too old for operations that require a recent one. */
export async function staleUser({ env }: Stage) {
  const user = await newUser(env);
  await sql("update sessions set created_at = created_at - 3600000 where user_id = ?", user.userId);
  return user;
}

/** A second call from a network whose bucket of refused calls is full, as in a flood. */
export const floodOf = (operation: string, fields: object) =>
  given(operation, "beyond the limiter of refusals", async ({ env }) => {
    const RATE_LIMITER = { limit: async () => ({ success: false }) } as unknown as RateLimit;
    const ip = newIp();
    const [, path = ""] = operation.split(" ");
    const { call } = await import("../../support/client.ts");
    const options = { ip, env: { ...env, RATE_LIMITER }, json: fields };
    await call("POST", path, options);
    return options;
  });

const otp: Case[] = [
  given("POST /api/auth/otp/request", "again immediately", async ({ env }) => {
    const [identifier, ip] = [newPhone(), newIp()];
    await codeFor(identifier, env);
    return { ip, json: { identifier } };
  }),
  given("POST /api/auth/otp/verify", "with a wrong code", async ({ env }) => {
    const identifier = newPhone();
    return { ip: newIp(), json: { identifier, otp: wrongCodeFor(await codeFor(identifier, env)) } };
  }),
  given("POST /api/auth/otp/verify", "if no code was sent", async () => ({
    ip: newIp(),
    json: { identifier: newPhone(), otp: "123456" },
  })),
  given("POST /api/auth/otp/verify", "while locked", async ({ env }) => {
    const [identifier, ip] = [newPhone(), newIp()];
    const json = { identifier, otp: wrongCodeFor(await codeFor(identifier, env)) };
    const { call } = await import("../../support/client.ts");
    for (let i = 0; i < 5; i++) await call("POST", "/api/auth/otp/verify", { ip, json, env });
    return { ip, json };
  }),
];

const accounts: Case[] = [
  given("POST /api/auth/register", "if the account exists", async ({ env }) => {
    const { identifier } = await newUser(env);
    return { ip: newIp(), json: await verified(identifier) };
  }),
  given("POST /api/auth/register", "with a taken username", async () => ({
    ip: newIp(),
    json: { ...(await verified(newPhone())), username: "crowd-7" },
  })),
  given("POST /api/auth/register", "with a forged token", async () => ({
    ip: newIp(),
    json: { identifier: newPhone(), verification_token: "forged" },
  })),
  given("POST /api/auth/register", "with a used token", async ({ env }) => {
    const json = await verified(newPhone());
    await must("POST", "/api/auth/register", { ip: newIp(), json, env });
    await sql("update otp_challenges set used_at = used_at - 3600000 where identifier = ?", json.identifier);
    return { ip: newIp(), json };
  }),
  floodOf("POST /api/auth/register", { identifier: "+9779800000001", verification_token: "forged" }),
  given("POST /api/auth/login", "without an account", async () => ({ ip: newIp(), json: await verified(newEmail()) })),
  given("POST /api/auth/login", "to a deactivated account", async (stage) => ({
    ip: newIp(),
    json: await verified((await bannedUser(stage)).identifier),
  })),
  given("POST /api/auth/login", "with another user's token", async (stage) => {
    const { verification_token } = await verified(newPhone());
    return { ip: newIp(), json: { identifier: stage.user.identifier, verification_token } };
  }),
  given("POST /api/auth/login", "with a long history", async ({ user }) => ({
    ip: newIp(),
    json: await verified(user.identifier),
  })),
  floodOf("POST /api/auth/login", { identifier: "+9779800000001", verification_token: "forged" }),
];

const sessions: Case[] = [
  given("POST /api/auth/refresh", "with a forged token", async () => ({ json: { refresh_token: "forged" } })),
  given("POST /api/auth/refresh", "of a session that has ended", async ({ ended }) => ({
    json: { refresh_token: ended.refresh },
  })),
  given("POST /api/auth/refresh", "repeated too often", async ({ env }) => {
    const user = await newUser(env);
    await must("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh }, env });
    await sql("update sessions set replays = 1000 where user_id = ?", user.userId);
    return { json: { refresh_token: user.refresh } };
  }),
  given("POST /api/auth/logout", "with the refresh token of another session", async ({ env, user }) => ({
    token: (await newUser(env)).access,
    json: { refresh_token: user.refresh },
  })),
  given("POST /api/auth/logout", "beyond the limit of writes", async ({ env }) => {
    const { access, refresh } = await newUser(env);
    return { token: access, json: { refresh_token: refresh }, env: { USER_RATE_LIMITER: exhaustedRateLimiter } };
  }),
  given("DELETE /api/auth/sessions", "with a long history", async ({ env, user }) => ({
    token: (await signInAgain(user, env)).access,
  })),
  given("GET /api/auth/sessions", "with a long history", async ({ env, user }) => ({
    token: (await signInAgain(user, env)).access,
  })),
  given("DELETE /api/auth/sessions/{id}", "of another user", async ({ user, target }) => ({
    token: user.access,
    id: sessionOf(target),
  })),
  given("GET /api/auth/me", "with a long history", async ({ user }) => ({ token: user.access })),
];

const refusedDeletion = (what: string, prepare: (stage: Stage) => Promise<{ access: string }>) =>
  given("DELETE /api/auth/account", what, async (stage) => ({ token: (await prepare(stage)).access, json: {} }));

/** Cases in which another body is sent with a used key, and more than one field must change. */
const reusedKeys: Case[] = [
  given("POST /api/auth/otp/request", "under a used key with another purpose", async ({ env }) => {
    const [identifier, ip, headers] = [newPhone(), newIp(), { "Idempotency-Key": crypto.randomUUID() }];
    await must("POST", "/api/auth/otp/request", { ip, headers, json: { identifier, purpose: "LOGIN" }, env });
    return { ip, headers, json: { identifier, purpose: "REGISTER" } };
  }),
  given("POST /api/auth/refresh", "under a used key with the next token", async ({ env }) => {
    const user = await newUser(env);
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const { refresh } = await must("POST", "/api/auth/refresh", {
      headers,
      json: { refresh_token: user.refresh },
      env,
    });
    return { headers, json: { refresh_token: refresh } };
  }),
];

const deletions: Case[] = [
  ...["DELETE /api/auth/account", "DELETE /api/auth/sessions"].flatMap((operation) => [
    given(operation, "over plain http in production", async ({ env }) => ({
      token: (await newUser(env)).access,
      ...PLAIN_HTTP,
    })),
    given(operation, "beyond the limiter", async ({ env }) => ({
      token: (await newUser(env)).access,
      env: { RATE_LIMITER: exhaustedRateLimiter, USER_RATE_LIMITER: exhaustedRateLimiter },
    })),
  ]),
  refusedDeletion("after an old sign-in", staleUser),
  refusedDeletion("with a rental that is open", async ({ env }) => {
    const user = await newUser(env);
    await sql(
      "insert into rentals (user_id, rental_id, started_at) values (?, 'r', ?)",
      user.userId,
      Date.now() - DAY_MS,
    );
    return user;
  }),
  refusedDeletion("with a debt", async ({ env }) => {
    const user = await newUser(env);
    await sql("update wallets set balance_minor = -1 where user_id = ?", user.userId);
    return user;
  }),
  given("DELETE /api/auth/account", "with a forged token", async (stage) => ({
    token: (await staleUser(stage)).access,
    json: { verification_token: "forged" },
  })),
];

export const signInCases = [...otp, ...accounts, ...sessions, ...reusedKeys, ...deletions];
