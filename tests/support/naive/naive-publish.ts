import { newId } from "../ids.ts";
import type { FetchHandler } from "../simulator/simulation.ts";

// A typical naive publisher, consumer and cron: read, act, delete or mark. Correct only without concurrency.

interface Row {
  id: string;
  user_id: string;
}

/** `/publish` sends the waiting events and deletes them; `/consume?id&user` processes an event without a mark. */
export const naivePublish: FetchHandler = async (request, env) => {
  const url = new URL(request.url);
  if (url.pathname === "/publish") {
    const { results } = await env.DB.prepare("select id, user_id from outbox limit 100").all<Row>();
    if (results.length > 0) await env.TASK_QUEUE.sendBatch(results.map((body) => ({ body })));
    const ids = JSON.stringify(results.map(({ id }) => id));
    await env.DB.prepare("delete from outbox where id in (select value from json_each(?))").bind(ids).run();
    return new Response();
  }
  const [id, user] = [url.searchParams.get("id"), url.searchParams.get("user")];
  const seen = await env.DB.prepare("select 1 from processed_events where consumer = 'naive' and event_id = ?")
    .bind(id)
    .first();
  if (seen) return new Response();
  await env.DB.prepare(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'NAIVE', '', '', 0)",
  )
    .bind(newId(), user)
    .run();
  await env.DB.prepare("insert or ignore into processed_events values ('naive', ?, '', 0)").bind(id).run();
  return new Response();
};

/** `/tick?user` does the work of a job, one notification, unless a run of this period is recorded, and then records it. */
export const naiveTick: FetchHandler = async (request, env) => {
  const user = new URL(request.url).searchParams.get("user");
  const done = await env.DB.prepare("select 1 from job_runs where name = 'naive' and period_started_at = 1").first();
  if (done) return new Response();
  await env.DB.prepare(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'NAIVE', '', '', 0)",
  )
    .bind(newId(), user)
    .run();
  await env.DB.prepare("insert or ignore into job_runs values ('naive', 1, null, 1, 1, 0, null, 1)").run();
  return new Response();
};
