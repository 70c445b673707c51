import { newId } from "../ids.ts";
import type { FetchHandler } from "../simulator/simulation.ts";

/** A typical naive deletion: check that the account exists, notify others, delete. Correct only without concurrency. */
export const naiveDeletion: FetchHandler = async (request, env) => {
  const userId = new URL(request.url).searchParams.get("user");
  const user = await env.DB.prepare("select id from users where id = ?").bind(userId).first();
  if (!user) return Response.json({ success: false }, { status: 401 });
  await env.DB.prepare(
    `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
      values (?, 'user.deleted', ?, '{}', 'tasks', 0, 9e15, 0)`,
  )
    .bind(newId(), userId)
    .run();
  await env.DB.prepare("delete from users where id = ?").bind(userId).run();
  return Response.json({ success: true });
};
