import { and, asc, eq, isNull, lte, type SQL, sql } from "drizzle-orm";
import { jobRuns, type RunClosing } from "../../db/platform-schema.ts";
import { instantOf, mergeStatements, runBatch } from "../../platform/data/database.ts";
import { MINUTE_MS } from "../../platform/time.ts";
import { type Job, type JobDeps, periodAt } from "./job.ts";
import { forgetJobFailures, isAbandoned, recordJobFailure, reportJobFailure } from "./job-failure.store.ts";
import { isRun, type JobRun } from "./job-run.ts";

/** Lease of a run in milliseconds, renewed with each chunk; after it another invocation may take over. */
const LEASE_MS = MINUTE_MS;
const ABANDONED = "the invocation did not end";

/**
 * Creates the run of each job's current period, and lists the runs without a lease, oldest first: new ones and those
 * left unfinished. A new period supersedes an open older run of the job and continues at its position, or starts over
 * if it failed. So each job has at most one open run, however long a run takes or keeps failing.
 */
export async function listOpenRuns(deps: JobDeps, jobs: readonly Job[]): Promise<JobRun[]> {
  const now = deps.now();
  const due = jobs
    .map((job) => ({ name: job.name, period: periodAt(job, now) }))
    .filter(({ period }) => period !== undefined);
  const { open } = await runBatch(deps, {
    entered: deps.db
      .insert(jobRuns)
      .select(
        sql`select due.name, due.period, (
            select case when o.finished_at is null
                and not exists (select 1 from job_failures f where f.name = o.name) then o.cursor end
              from job_runs o where o.name = due.name and o.period_started_at < due.period
              order by o.period_started_at desc limit 1
          ), 0, 0, 0, null, null
          from (select json_extract(value, '$.name') as name, json_extract(value, '$.period') as period
            from json_each(${JSON.stringify(due)})) due
          where not exists (select 1 from job_runs e where e.name = due.name and e.period_started_at = due.period)`,
      )
      .onConflictDoNothing(),
    superseded: deps.db
      .update(jobRuns)
      .set({ leasedBy: "superseded" satisfies RunClosing, leasedUntil: 0, finishedAt: instantOf(now) })
      .where(
        and(
          isNull(jobRuns.finishedAt),
          // Always true; lets the planner search the index of open runs.
          sql`${jobRuns.leasedUntil} >= 0`,
          sql`exists (select 1 from job_runs n where n.name = ${jobRuns.name}
            and n.period_started_at > ${jobRuns.periodStartedAt} and n.finished_at is null)`,
        ),
      ),
    open: deps.db
      .select({ name: jobRuns.name, periodStartedAt: jobRuns.periodStartedAt })
      .from(jobRuns)
      .where(and(isNull(jobRuns.finishedAt), lte(jobRuns.leasedUntil, now)))
      .orderBy(asc(jobRuns.leasedUntil), asc(jobRuns.periodStartedAt))
      .limit(20),
  });
  return open;
}

/**
 * Leases the run for this invocation and returns its position. Undefined if it is finished, waits after a failure, or
 * is leased by another invocation. If the last invocation died, that counts as one failure and the run is leased at
 * once, unless it is given up.
 */
export async function claimRun(deps: JobDeps, run: JobRun) {
  const now = deps.now();
  const { waits: _, ...failure } = recordJobFailure(deps, run, ABANDONED, isAbandoned(now));
  const { claimed, ...recorded } = await runBatch(
    deps,
    mergeStatements(failure, {
      claimed: deps.db
        .update(jobRuns)
        .set({ leasedBy: deps.invocationId, leasedUntil: now + LEASE_MS })
        .where(and(isRun(run), isNull(jobRuns.finishedAt), lte(jobRuns.leasedUntil, now)))
        .returning({ cursor: jobRuns.cursor, processed: jobRuns.processed }),
    }),
  );
  reportJobFailure(deps, run, ABANDONED, recorded);
  return claimed[0];
}

/** Creates a run requested by an operator. */
export async function enterRun(deps: JobDeps, { name, periodStartedAt }: JobRun): Promise<void> {
  const run = { name, periodStartedAt, chunks: 0, processed: 0, leasedUntil: 0 };
  await runBatch(deps, { entered: deps.db.insert(jobRuns).values(run).onConflictDoNothing() });
}

/** Records that the run failed in this invocation; it is retried later or given up. */
export async function failRun(deps: JobDeps, run: JobRun, reason: string): Promise<void> {
  const hasFailed = sql`${jobRuns.finishedAt} is null and ${jobRuns.leasedBy} = ${deps.invocationId}`;
  reportJobFailure(deps, run, reason, await runBatch(deps, recordJobFailure(deps, run, reason, hasFailed)));
}

/** This invocation holds the run's lease. */
export function isLeasedByThisInvocation(deps: JobDeps, run: JobRun): SQL {
  return sql`exists (select 1 from job_runs where name = ${run.name} and period_started_at = ${run.periodStartedAt}
    and leased_by = ${deps.invocationId} and leased_until > ${deps.now()})`;
}

/** Stores the chunk's position in the chunk's batch and renews the lease. */
export function advanceRun(deps: JobDeps, run: JobRun, cursor: string | null, processed: number) {
  return deps.db
    .update(jobRuns)
    .set({ cursor, processed, chunks: sql`${jobRuns.chunks} + 1`, leasedUntil: deps.now() + LEASE_MS })
    .where(and(isRun(run), eq(jobRuns.leasedBy, deps.invocationId), sql`${jobRuns.leasedUntil} > ${deps.now()}`))
    .returning({ chunks: jobRuns.chunks });
}

/** Finishes the run, or releases it so that a later invocation continues at `cursor`. */
export async function leaveRun(
  deps: JobDeps,
  run: JobRun,
  state: { processed: number; cursor: string | null; isFinished: boolean },
): Promise<void> {
  await runBatch(deps, {
    recovered: state.isFinished ? forgetJobFailures(deps, run) : undefined,
    left: deps.db
      .update(jobRuns)
      .set({
        processed: state.processed,
        cursor: state.cursor,
        leasedUntil: 0,
        leasedBy: null,
        finishedAt: state.isFinished ? instantOf(deps.now()) : null,
      })
      .where(and(isRun(run), eq(jobRuns.leasedBy, deps.invocationId))),
  });
}
