import { newCid } from "../../src/auth/otp/cid.ts";
import { liveCodesKey } from "../../src/auth/otp/live-codes.store.ts";
import { mintVerificationToken } from "../../src/auth/otp/verification-token.ts";
import { buildDeps } from "../../src/build-deps.ts";
import { type CallOptions, call, newIp, newPhone, type SignedIn, testEnv } from "../support/client.ts";
import { consume, requestAndKeep, type Sent } from "../support/queue.ts";

export const sql = async <Row = Record<string, unknown>>(statement: string, ...values: unknown[]): Promise<Row[]> => {
  const { results } = await testEnv.DB.prepare(statement)
    .bind(...values)
    .all<Row>();
  return results;
};

/** Makes a call that must succeed and returns its response. */
export async function must(method: string, path: string, options: CallOptions = {}) {
  const answer = await call(method, path, options);
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Requests a code and delivers its message directly, without waiting for a queue. */
export async function codeFor(identifier: string, env: Partial<Env> = {}): Promise<string> {
  const sent: Sent = await requestAndKeep(identifier, env);
  await consume([sent]);
  const [newest] = await sql<{ code: string }>(
    "select code from local_outbox where recipient = ? order by id desc limit 1",
    identifier,
  );
  return newest?.code ?? "";
}

/**
 * Inserts a verified code of the identifier and returns its verification token, because thousands of users sign in here
 * and their codes are not under test. The code is a day old, so that no limit counts it.
 */
export async function tokenFor(identifier: string): Promise<string> {
  const deps = await buildDeps(testEnv, { waitUntil: () => {} }, "");
  const [secretId, now] = [deps.keyring.currentSecretId, deps.now()];
  const cid = newCid({ ...deps, now: () => now - 86_401_000 });
  await sql(
    `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at,
      expires_at, attempts_familiar, attempts_other, consumed_by, consumed_at, consumed_network)
      values (?1, ?2, 'n', 1, 'other', '', ?3, ?4, ?4, 0, 0, ?1, ?5, 'n')`,
    cid,
    identifier,
    secretId,
    now - 86_401_000,
    now,
  );
  return (await mintVerificationToken(deps, cid, secretId)) ?? "";
}

/** Makes KV lose which codes of the identifier are live. */
export async function loseLiveCodes(identifier: string): Promise<void> {
  const deps = await buildDeps(testEnv, { waitUntil: () => {} }, "");
  await deps.kv.delete(await liveCodesKey(deps, identifier));
}

const signedInAs = (identifier: string, data: Record<string, string>): SignedIn => ({
  identifier,
  userId: data.user_id ?? "",
  access: data.access_token ?? "",
  refresh: data.refresh_token ?? "",
});

/** Registers a new user through the API. */
export async function newUser(env: Partial<Env> = {}, more: Record<string, string> = {}): Promise<SignedIn> {
  const identifier = newPhone();
  const json = { identifier, verification_token: await tokenFor(identifier), ...more };
  return signedInAs(identifier, (await must("POST", "/api/auth/register", { ip: newIp(), json, env })).data);
}

/** Signs the user in on another device. */
export async function signInAgain({ identifier }: SignedIn, env: Partial<Env> = {}): Promise<SignedIn> {
  const json = { identifier, verification_token: await tokenFor(identifier) };
  const headers = { "user-agent": crypto.randomUUID() };
  return signedInAs(identifier, (await must("POST", "/api/auth/login", { ip: newIp(), json, headers, env })).data);
}

let staff: { user: SignedIn; role: string; until: number }[] = [];

/** Returns a staff member whose access token is still valid. Each test file begins with empty tables, which ends them. */
export async function someStaff(role: "staff" | "admin" = "staff"): Promise<SignedIn> {
  const now = Date.now();
  staff = staff.filter(({ until }) => until > now);
  const known = staff.find((each) => each.role === role);
  const isThere = known && (await sql("select 1 from users where id = ?", known.user.userId)).length > 0;
  if (isThere) return known.user;
  staff = staff.filter((each) => each !== known);
  const user = await newUser();
  await sql("update users set role = ? where id = ?", role, user.userId);
  staff.push({ user, role, until: now + 8 * 60_000 });
  return user;
}

/** Checks that the users' sessions have ended. */
export async function expectEnded(...ended: SignedIn[]): Promise<void> {
  for (const { access, refresh } of ended) {
    const me = await call("GET", "/api/auth/me", { token: access });
    const again = await call("POST", "/api/auth/refresh", { json: { refresh_token: refresh } });
    if (me.status !== 401 || again.status !== 401)
      throw new Error(`an ended session lives: ${me.status} ${again.status}`);
  }
}

/** Checks that the users' sessions are open. */
export async function expectLive(...living: SignedIn[]): Promise<void> {
  for (const { access } of living) {
    const me = await call("GET", "/api/auth/me", { token: access });
    const isLive = me.status === 200 || (me.status === 401 && me.body.error.message === "The token has expired.");
    if (!isLive) throw new Error(`a session that nobody ended does not live: ${me.status}`);
  }
}
