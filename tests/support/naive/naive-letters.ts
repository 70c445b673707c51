import { decodeJwt } from "jose";
import { newId } from "../ids.ts";
import { type FetchHandler, realHandler } from "../simulator/simulation.ts";

/** A typical naive replay: reads the letters that wait, sends each as a new event, and then marks it. */
export const naiveReplay: FetchHandler = async (request, env, context) => {
  if (!new URL(request.url).pathname.endsWith("/dead-letters")) return realHandler(request, env, context);
  const { ids, type } = (await request.json()) as { ids?: string[]; type?: string };
  const { sub } = decodeJwt((request.headers.get("authorization") ?? "").slice(7)) as { sub: string };
  const { results } = await env.DB.prepare(
    "select id, type, payload from dead_letters where replayed_at is null and (id = ?1 or type = ?2)",
  )
    .bind(ids?.[0] ?? "", type ?? "")
    .all<{ id: string; type: string; payload: string }>();
  for (const letter of results) {
    await env.DB.prepare(
      "insert into outbox (id, type, payload, queue, created_at, leased_until, attempts) values (?, ?, ?, 'tasks', 0, 0, 0)",
    )
      .bind(newId(), letter.type, letter.payload)
      .run();
    await env.DB.prepare("update dead_letters set replayed_at = 1 where id = ?").bind(letter.id).run();
    await env.DB.prepare(
      "insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at) values (?, ?, 'UPDATE', 'dead_letter', ?, 1, 0)",
    )
      .bind(newId(), sub, letter.id)
      .run();
  }
  return Response.json({ success: true, data: { settled: results.length, remaining: 0 } });
};
