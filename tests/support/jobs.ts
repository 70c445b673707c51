import { env } from "cloudflare:workers";
import { periodAt } from "../../src/tasks/engine/job.ts";
import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { run } from "./database.ts";
import { newId } from "./ids.ts";
import { runTasks } from "./tasks.ts";

/** Number of chunks of a finished run, and of the rows that they processed. */
export interface FinishedRun {
  chunks: number;
  processed: number;
}

let lastPeriod = 0;

/** Runs a job to its end through messages of the task queue, like `npm run tasks -- run NAME`. */
export async function runJob(name: string, given: Partial<Env> = {}): Promise<FinishedRun> {
  lastPeriod = Math.max(Date.now(), lastPeriod + 1);
  const payload = JSON.stringify({ name, period_started_at: lastPeriod });
  await env.DB.prepare(
    `insert into job_runs (name, period_started_at, chunks, processed, leased_until) values (?, ?, 0, 0, 0)`,
  )
    .bind(name, lastPeriod)
    .run();
  for (let message = 0; message < 200; message++) {
    const event = { event_id: newId(), type: "job.due", user_id: null, payload, created_at: Date.now() };
    await runTasks([event], given);
    const row = await env.DB.prepare("select * from job_runs where name = ? and period_started_at = ?")
      .bind(name, lastPeriod)
      .first<FinishedRun & { finished_at: number | null }>();
    if (row?.finished_at) return { chunks: row.chunks, processed: row.processed };
  }
  throw new Error(`${name} does not finish`);
}

const DAY_MS = 86_400_000;

/** Enters finished runs of every job but this one for the coming days, so that ticks spend no time on the others. */
export async function finishOtherJobs(name: string, days: number): Promise<void> {
  const now = Date.now();
  const periods = jobs.flatMap((job) => {
    const first = periodAt(job, now);
    if (job.name === name || first === undefined) return [];
    const everyMs = Number(job.everyMs);
    const count = Math.ceil(((days + 1) * DAY_MS) / everyMs) + 1;
    return Array.from({ length: count }, (_, nth) => [job.name, first + nth * everyMs]);
  });
  await run(
    `insert or ignore into job_runs
      select value ->> 0, value ->> 1, null, 0, 0, 0, null, ? from json_each(?)`,
    now,
    JSON.stringify(periods),
  );
}

/** A database, by default the test's own, that counts the rows read per batch. */
export function countedDatabase(database = env.DB) {
  const batches: number[] = [];
  let queries = 0;
  const batch = async (statements: D1PreparedStatement[]) => {
    const results = await database.batch(statements);
    queries += statements.length;
    batches.push(results.reduce((sum, { meta }) => sum + (meta.rows_read ?? 0), 0));
    return results;
  };
  const DB = { prepare: (text: string) => database.prepare(text), batch } as unknown as D1Database;
  return {
    env: { DB },
    /** Returns the most rows that a batch read, their total and the number of statements, and resets the counts. */
    take() {
      const rows = batches.splice(0);
      const counted = { most: Math.max(0, ...rows), all: rows.reduce((sum, n) => sum + n, 0), queries };
      queries = 0;
      return counted;
    },
  };
}
