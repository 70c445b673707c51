import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

// A typical naive receiver of Apple's notifications: reads the link, then applies the event, statement by statement.
// Correct only without concurrency; the race tests must catch it.

interface Link {
  user_id: string;
  created_at: number;
  event_at: number | null;
}

/** Compares the event with the link's last one, and then applies it. */
export const naiveNotification: FetchHandler = async (request, env, context) => {
  if (!request.url.endsWith("/apple/notifications")) return realHandler(request, env, context);
  const { payload } = (await request.json()) as { payload: string };
  const { type, sub, event_time: at } = JSON.parse(String(decodeJwt(payload).events));
  const run = (sql: string, ...values: unknown[]) =>
    env.DB.prepare(sql)
      .bind(...values)
      .run();
  const answer = Response.json({ success: true, data: {} });
  const last = type === "consent-revoked" ? "consent_event_at" : "mail_event_at";
  const link = await env.DB.prepare(
    `select user_id, created_at, ${last} as event_at from social_accounts where subject = ?`,
  )
    .bind(sub)
    .first<Link>();
  if (!link || at <= Math.max(link.created_at, link.event_at ?? 0)) return answer;
  if (type === "consent-revoked") {
    await run(
      "update sessions set revoked_at = 1, revoked_reason = 'n' where user_id = ? and method = 'APPLE'",
      link.user_id,
    );
    await run("update social_accounts set revoked_at = ?1, consent_event_at = ?1 where subject = ?2", at, sub);
  } else {
    const stopped = type === "email-disabled" ? at : null;
    await run(
      "update social_accounts set mail_stopped_at = ?1, mail_event_at = ?2 where subject = ?3",
      stopped,
      at,
      sub,
    );
  }
  await run(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, new_values, by_staff, created_at)
      values (?1, ?2, 'UPDATE', 'social_account', ?2, json_object('provider', 'APPLE', 'event', ?3), 0, 0)`,
    newId(),
    link.user_id,
    type,
  );
  return answer;
};
