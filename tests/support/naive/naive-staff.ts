import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// Typical naive staff actions: read, decide, write, with revocation only in KV. Correct only without concurrency and
// with fresh KV; the race tests must catch each of these.

const json = (body: unknown, status = 200) => Response.json(body, { status });

/** Stores the end of sessions only in KV, as a list of users that every other route checks first. */
export const naiveRevocation: FetchHandler = async (request, env, context) => {
  const { pathname } = new URL(request.url);
  const acts = /^\/api\/users\/([^/]+)\/(status|role|sessions)$/.exec(pathname);
  if (acts && request.method !== "GET") {
    await env.KV.put(`naive-ended:${acts[1]}`, "1");
    return json({ success: true });
  }
  const header = request.headers.get("authorization")?.slice("Bearer ".length);
  const body = (await request.clone().text()) || "{}";
  const token = header ?? (JSON.parse(body) as { refresh_token: string }).refresh_token;
  const { sub } = decodeJwt(token);
  if (await env.KV.get(`naive-ended:${sub}`)) return json({ success: false }, 401);
  return realHandler(request, env, context);
};

/** Reads the user's status, changes it, and writes an audit row of what it read. */
export const naiveStatus: FetchHandler = async (request, env, context) => {
  const userId = /^\/api\/users\/([^/]+)\/status$/.exec(new URL(request.url).pathname)?.[1];
  if (!userId) return realHandler(request, env, context);
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const { status } = (await request.json()) as { status: string };
  const before = await env.DB.prepare("select status from users where id = ?").bind(userId).first("status");
  if (before === status) return json({ success: true, data: { id: userId, status } });
  await run(
    "update users set status = ?2, status_reason = 'staff', version = version + 1 where id = ?1",
    userId,
    status,
  );
  if (status !== "ACTIVE")
    await run("update sessions set revoked_at = 1 where user_id = ? and revoked_at is null", userId);
  await run(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, old_values, new_values, by_staff, created_at)
      values (?1, ?2, 'UPDATE', 'user', ?2, json_object('status', ?3), json_object('status', ?4), 1, 0)`,
    newId(),
    userId,
    before,
    status,
  );
  await run(
    "insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts) values (?, 'user.updated', ?, '{}', 'tasks', 0, 9e15, 0)",
    newId(),
    userId,
  );
  return json({ success: true, data: { id: userId, status } });
};

/** Counts the admins, then revokes the role; the caller must be an admin when checked. */
export const naiveLastAdmin: FetchHandler = async (request, env, context) => {
  const userId = /^\/api\/users\/([^/]+)\/(role|status)$/.exec(new URL(request.url).pathname)?.[1];
  if (!userId) return realHandler(request, env, context);
  const { sub } = decodeJwt(request.headers.get("authorization")?.slice("Bearer ".length) ?? "");
  const isAdmin = "role = 'admin' and status = 'ACTIVE'";
  const actor = await env.DB.prepare(`select 1 from users where id = ? and ${isAdmin}`)
    .bind(sub ?? "")
    .first();
  if (!actor) return json({ success: false }, 401);
  const admins = await env.DB.prepare(`select count(*) as n from users where ${isAdmin}`).first<number>("n");
  if (Number(admins) < 2) return json({ success: false }, 409);
  await env.DB.prepare("update users set role = 'user' where id = ?").bind(userId).run();
  return json({ success: true });
};

/**
 * Checks whether the identifier is verified, activates the account, credits the bonus, and marks the identifier last.
 */
export const naiveFirstLogin: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/login")) return realHandler(request, env, context);
  const { identifier } = (await request.json()) as { identifier: string };
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const user = await env.DB.prepare("select id, phone_verified from users where phone_number = ?")
    .bind(identifier)
    .first<{ id: string; phone_verified: number }>();
  if (!user) return json({ success: false }, 404);
  if (!user.phone_verified) {
    const id = crypto.randomUUID();
    const bonus =
      "insert into point_transactions (id, user_id, delta, reason, reference, created_at) values (?1, ?2, 50, ?1, '', 0)";
    await run(bonus, id, user.id);
    await run(
      "update points set current_points = current_points + 50, total_points = total_points + 50 where user_id = ?",
      user.id,
    );
    await run("update users set phone_verified = 1 where id = ?", user.id);
  }
  return json({ success: true, data: { user_id: user.id, refresh_token: "one" } });
};
