import { decodeJwt } from "jose";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Sessions as they are often written: read, decide, write; revocation by KV alone. The races must catch every one of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

function claimsOf(token: string) {
  return decodeJwt(token) as { sid: string; sub: string; counter: number };
}

async function refreshTokenOf(request: Request): Promise<string> {
  return ((await request.clone().json()) as { refresh_token: string }).refresh_token;
}

/** Reads the counter, compares, writes the next one: two at once both win. */
export const naiveRotation: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/refresh")) return realHandler(request, env, context);
  const { sid, counter } = claimsOf(await refreshTokenOf(request));
  const current = await env.DB.prepare("select counter from sessions where id = ?").bind(sid).first("counter");
  if (current !== counter) return json({ success: false }, 401);
  await env.DB.prepare("update sessions set counter = ? where id = ?")
    .bind(counter + 1, sid)
    .run();
  return json({ success: true, access: "a", refresh: crypto.randomUUID() });
};

/** Refuses an old token, and leaves it at that. */
export const naiveReuse: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/refresh")) return realHandler(request, env, context);
  const { sid, counter } = claimsOf(await refreshTokenOf(request));
  const current = Number(await env.DB.prepare("select counter from sessions where id = ?").bind(sid).first("counter"));
  if (counter < current - 1) return json({ success: false }, 401);
  return realHandler(request, env, context);
};

/** Keeps revocation in KV alone, as a denylist that refresh and me ask. */
export const naiveDenylist: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  if (pathname.endsWith("/logout")) {
    const { sid } = claimsOf(await refreshTokenOf(request));
    await env.KV.put(`naive-deny:${sid}`, "1");
    return json({ success: true });
  }
  if (pathname.endsWith("/refresh")) {
    const { sid } = claimsOf(await refreshTokenOf(request));
    if (await env.KV.get(`naive-deny:${sid}`)) return json({ success: false }, 401);
  }
  return realHandler(request, env, context);
};

/** Looks whether the token was used, makes the session, then marks the token. */
export const naiveRegistration: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/register")) return realHandler(request, env, context);
  const { identifier } = (await request.json()) as { identifier: string };
  const used = await env.DB.prepare("select used_by from verification_tokens where identifier = ?")
    .bind(identifier)
    .first("used_by");
  if (used) return json({ success: false }, 400);
  const user_id = crypto.randomUUID();
  await env.DB.prepare(
    `insert or ignore into users (id, username, username_key, phone_number, email_verified, phone_verified, referral_code,
      status, role, social_provider, locale, date_joined, updated_at, version)
      values (?1, ?1, ?1, ?2, 0, 1, ?1, 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1)`,
  )
    .bind(user_id, identifier)
    .run();
  await env.DB.prepare("update verification_tokens set used_by = 'naive' where identifier = ?").bind(identifier).run();
  return json({ success: true, data: { user_id, refresh_token: crypto.randomUUID() } }, 201);
};

/** Looks whether the session lives, ends it, and writes the audit row whatever came between. */
export const naiveLogout: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/logout")) return realHandler(request, env, context);
  const { sid, sub } = claimsOf(await refreshTokenOf(request));
  const revokedAt = await env.DB.prepare("select revoked_at from sessions where id = ?").bind(sid).first("revoked_at");
  if (revokedAt !== null) return json({ success: false }, 401);
  await env.DB.prepare("update sessions set revoked_at = 1 where id = ?").bind(sid).run();
  await env.DB.prepare(
    "insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at) values (?, ?, 'LOGOUT', 'session', ?, 0, 0)",
  )
    .bind(crypto.randomUUID(), sub, sid)
    .run();
  return json({ success: true });
};
