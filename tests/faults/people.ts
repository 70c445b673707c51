import { liveCodesKey } from "../../src/auth/otp/live-codes.store.ts";
import { buildDeps } from "../../src/build-deps.ts";
import { call, type SignedIn, testEnv } from "../support/client.ts";
import { rows as sql } from "../support/database.ts";
import { newUser } from "../support/people.ts";
import { consume, requestAndKeep, type Sent } from "../support/queue.ts";

export { must, newUser, signInAgain, tokenFor } from "../support/people.ts";
export { sql };

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

/** Makes KV lose which codes of the identifier are live. */
export async function loseLiveCodes(identifier: string): Promise<void> {
  const deps = await buildDeps(testEnv, { waitUntil: () => {} }, "");
  await deps.kv.delete(await liveCodesKey(deps, identifier));
}

let staff: { user: SignedIn; role: string; until: number }[] = [];

/**
 * Returns a staff member whose access token is still valid. The one of an earlier test file no longer exists, because
 * each file begins with empty tables.
 */
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
    const isLive = me.status === 200 || (me.status === 401 && me.headers.get("www-authenticate")?.includes("expired"));
    if (!isLive) throw new Error(`a session that nobody ended does not live: ${me.status}`);
  }
}
