import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { fail, query } from "../d1.ts";
import { quote } from "../inline.ts";
import { localBase } from "../operations/local-server.ts";

const POLL_MS = 2_000;
/** How long to wait for a job: up to a minute until the cron starts it, and as long as it may run. */
const MAX_WAIT_MS = { local: 2 * 60_000, remote: 30 * 60_000 };

interface Target {
  remote: boolean;
  /** Address of the local server, if it is not that of npm run dev. */
  base: string | undefined;
}

/** Makes the job due, triggers the local cron, and waits until the run has finished. */
export async function runJob(name: string, target: Target): Promise<void> {
  // With an unknown name the row would never be finished.
  if (!jobs.some((job) => job.name === name))
    fail(`Unknown job: ${name}. Jobs: ${jobs.map((job) => job.name).join(", ")}`);
  const now = Date.now();
  query(
    `insert into job_runs (name, period_started_at, chunks, processed, leased_until) values (${quote(name)}, ${now}, 0, 0, 0)`,
    target,
  );
  if (target.remote) console.log(`${name} is due. Production's cron starts it within a minute.`);
  const maxWait = target.remote ? MAX_WAIT_MS.remote : MAX_WAIT_MS.local;
  while (Date.now() - now < maxWait) {
    if (!target.remote) await tick(target.base ?? localBase());
    await new Promise((resolve) => setTimeout(resolve, target.remote ? 5 * POLL_MS : POLL_MS));
    const [row] = query(
      `select chunks, processed, finished_at, leased_by from job_runs where name = ${quote(name)} and period_started_at = ${now}`,
      target,
    );
    if (!row?.finished_at) continue;
    if (row.leased_by === "failed")
      fail(`${name} has been failing for a day. See: npm run tasks -- dead --type job.due`);
    const outcome = row.leased_by === "superseded" ? "superseded by a newer run, which continues; so far" : "finished,";
    console.log(`${name}: ${outcome} ${row.processed} rows in ${row.chunks} chunks`);
    return;
  }
  fail(`${name} has not finished after ${maxWait / 60_000} minutes. It continues in the background: see the log.`);
}

async function tick(base: string): Promise<void> {
  await fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() =>
    fail(`No server responds at ${base}. Start it with: npm run dev`),
  );
}
