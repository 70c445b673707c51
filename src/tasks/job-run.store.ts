import { and, asc, eq, isNull, lte, type SQL, sql } from "drizzle-orm";
import { jobRuns } from "../db/platform-schema.ts";
import { inOneTrip, instantOf } from "../platform/database.ts";
import type { Job, JobDeps } from "./job.ts";

/** How long an invocation may work on a run without a chunk before another may take it over, in milliseconds. */
const LEASE_MS = 60_000;

export interface JobRun {
  name: string;
  periodStartedAt: number;
}

/**
 * Enters the period that each job is in, and lists the runs that nobody works on, oldest first: those just due, and
 * those that an earlier invocation left unfinished.
 */
export async function listOpenRuns(deps: JobDeps, jobs: readonly Job[]): Promise<JobRun[]> {
  const now = deps.now();
  const due = jobs.flatMap(({ name, everyMs, offsetMs = 0 }) =>
    everyMs === undefined ? [] : [{ name, period: Math.floor((now - offsetMs) / everyMs) * everyMs }],
  );
  const { open } = await inOneTrip(deps, {
    entered: deps.db
      .insert(jobRuns)
      .select(
        sql`select json_extract(value, '$.name'), json_extract(value, '$.period'), null, 0, 0, 0, null, null
          from json_each(${JSON.stringify(due)}) where true`,
      )
      .onConflictDoNothing(),
    open: deps.db
      .select({ name: jobRuns.name, periodStartedAt: jobRuns.periodStartedAt })
      .from(jobRuns)
      .where(and(isNull(jobRuns.finishedAt), lte(jobRuns.leasedUntil, now)))
      .orderBy(asc(jobRuns.leasedUntil), asc(jobRuns.periodStartedAt))
      .limit(20),
  });
  return open;
}

/** Takes the run for this invocation and gives where it stands; undefined when it is finished or another's. */
export async function claimRun(deps: JobDeps, run: JobRun) {
  const now = deps.now();
  const { claimed } = await inOneTrip(deps, {
    claimed: deps.db
      .update(jobRuns)
      .set({ leasedBy: deps.attemptId, leasedUntil: now + LEASE_MS })
      .where(and(isRun(run), isNull(jobRuns.finishedAt), lte(jobRuns.leasedUntil, now)))
      .returning({ cursor: jobRuns.cursor, processed: jobRuns.processed }),
  });
  return claimed[0];
}

/** Holds while this invocation leases the run. */
export function isLeasedHere(deps: JobDeps, run: JobRun): SQL {
  return sql`exists (select 1 from job_runs where name = ${run.name} and period_started_at = ${run.periodStartedAt}
    and leased_by = ${deps.attemptId} and leased_until > ${deps.now()})`;
}

/** The statement that notes in the chunk's batch where the chunk begins, and keeps the lease alive. */
export function advanceRun(deps: JobDeps, run: JobRun, cursor: string | null, processed: number) {
  return deps.db
    .update(jobRuns)
    .set({ cursor, processed, chunks: sql`${jobRuns.chunks} + 1`, leasedUntil: deps.now() + LEASE_MS })
    .where(and(isRun(run), eq(jobRuns.leasedBy, deps.attemptId), sql`${jobRuns.leasedUntil} > ${deps.now()}`))
    .returning({ chunks: jobRuns.chunks });
}

/** Ends the run, or gives it back for a later invocation to go on at `cursor`. */
export async function leaveRun(
  deps: JobDeps,
  run: JobRun,
  state: { processed: number; cursor: string | null; isFinished: boolean },
): Promise<void> {
  await inOneTrip(deps, {
    left: deps.db
      .update(jobRuns)
      .set({
        processed: state.processed,
        cursor: state.cursor,
        leasedUntil: 0,
        leasedBy: null,
        finishedAt: state.isFinished ? instantOf(deps.now()) : null,
      })
      .where(and(isRun(run), eq(jobRuns.leasedBy, deps.attemptId))),
  });
}

function isRun(run: JobRun): SQL | undefined {
  return and(eq(jobRuns.name, run.name), eq(jobRuns.periodStartedAt, run.periodStartedAt));
}
