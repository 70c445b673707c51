import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive sessions: read, decide, write, with revocation only in KV. Correct only without concurrency and with
// fresh KV; the race tests must catch each of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

function claimsOf(token: string) {
  return decodeJwt(token) as { sid: string; sub: string; counter: number };
}

async function refreshTokenOf(request: Request): Promise<string> {
  return ((await request.clone().json()) as { refresh_token: string }).refresh_token;
}

interface Row {
  counter: number;
  rotated_by: string;
  revoked_at: number | null;
}

/**
 * Reads the session, decides, and writes the whole result back; stores the successor so that it can be returned again.
 */
export const naiveRotation: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/refresh")) return realHandler(request, env, context);
  const { sid, counter } = claimsOf(await refreshTokenOf(request));
  const read = env.DB.prepare("select counter, rotated_by, revoked_at from sessions where id = ?").bind(sid);
  let row: Row | null;
  try {
    row = await read.first<Row>();
  } catch {
    return json({ success: false }, 503);
  }
  if (!row || row.revoked_at !== null) return json({ success: false }, 401);
  if (row.counter === counter + 1) return json({ success: true, access: "a", refresh: row.rotated_by });
  const successor = crypto.randomUUID();
  const isStolen = row.counter > counter;
  const write = env.DB.prepare("update sessions set counter = ?, rotated_by = ?, revoked_at = ? where id = ?").bind(
    isStolen ? row.counter : counter + 1,
    successor,
    isStolen ? 1 : row.revoked_at,
    sid,
  );
  try {
    await write.run();
  } catch {
    return json({ success: false }, 503);
  }
  return isStolen ? json({ success: false }, 401) : json({ success: true, access: "a", refresh: successor });
};

/** Stores revocation by logout and by token reuse only in KV, as a denylist that refresh and me check. */
export const naiveDenylist: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  const accessToken = request.headers.get("authorization")?.slice("Bearer ".length);
  const token = pathname.endsWith("/me") ? (accessToken ?? "") : await refreshTokenOf(request);
  const { sid, counter } = claimsOf(token);
  if (pathname.endsWith("/logout")) {
    await env.KV.put(`naive-deny:${sid}`, "1");
    return json({ success: true });
  }
  if (await env.KV.get(`naive-deny:${sid}`)) return json({ success: false }, 401);
  const current = await env.DB.prepare("select counter from sessions where id = ?").bind(sid).first("counter");
  if (Number(current) > counter + 1) {
    await env.KV.put(`naive-deny:${sid}`, "1");
    return json({ success: false }, 401);
  }
  return realHandler(request, env, context);
};

/** Checks whether the token was used, creates user, session, bonus and audit row, then marks the token. */
export const naiveRegistration: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/register")) return realHandler(request, env, context);
  const { identifier } = (await request.json()) as { identifier: string };
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const used = await env.DB.prepare("select used_by, session_id from otp_challenges where identifier = ?")
    .bind(identifier)
    .first<{ used_by: string | null; session_id: string }>();
  if (used?.used_by)
    return json({ success: true, data: { user_id: used.used_by, refresh_token: used.session_id } }, 201);
  const user_id = crypto.randomUUID();
  const session_id = newId();
  await run(
    `insert or ignore into users (id, username, username_key, phone_number, email_verified, phone_verified, referral_code,
      status, role, social_provider, locale, date_joined, updated_at, version)
      values (?1, ?1, ?1, ?2, 0, 1, ?1, 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1)`,
    user_id,
    identifier,
  );
  const owner = "(select id from users where phone_number = ?2)";
  await run(
    `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays,
      idle_ttl_ms, idle_expires_at, absolute_expires_at, ip, method)
      values (?1, ${owner}, 0, 0, 0, '', 0, '', 0, 0, 0, 0, '', 'OTP_PHONE')`,
    session_id,
    identifier,
  );
  await run(
    `insert into point_transactions (id, user_id, delta, reason, reference, created_at) values (?1, ${owner}, 50, ?1, '', 0)`,
    session_id,
    identifier,
  );
  await run(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
      values (?1, ${owner}, 'CREATE', 'user', '', 0, 0)`,
    session_id,
    identifier,
  );
  await run(
    "update otp_challenges set used_by = ?1, session_id = ?3 where identifier = ?2",
    user_id,
    identifier,
    session_id,
  );
  return json({ success: true, data: { user_id, refresh_token: session_id } }, 201);
};

/** Checks whether the session is open, ends it, and always writes the audit row. */
export const naiveLogout: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/logout")) return realHandler(request, env, context);
  const { sid, sub } = claimsOf(await refreshTokenOf(request));
  const revokedAt = await env.DB.prepare("select revoked_at from sessions where id = ?").bind(sid).first("revoked_at");
  if (revokedAt !== null) return json({ success: false }, 401);
  await env.DB.prepare("update sessions set revoked_at = 1 where id = ?").bind(sid).run();
  const id = newId();
  await env.DB.prepare(
    "insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at) values (?, ?, 'LOGOUT', 'session', ?, 0, 0)",
  )
    .bind(id, sub, sid)
    .run();
  return json({ success: true });
};
