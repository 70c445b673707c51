import { and, eq, type SQL, sql } from "drizzle-orm";
import { deadLetters, jobFailures, jobRuns, type RunClosing } from "../../db/platform-schema.ts";
import { raiseAlert } from "../../platform/alerts.ts";
import { insertWhere, instantOf } from "../../platform/data/database.ts";
import { truncateReason } from "../../platform/data/dead-letters.ts";
import { DAY_MS, HOUR_MS, isoTime, MINUTE_MS } from "../../platform/time.ts";
import type { JobDeps } from "./job.ts";
import { isRun, type JobRun } from "./job-run.ts";

/** How long a job may keep failing before it becomes a dead letter, in milliseconds. */
const GIVE_UP_AFTER_MS = DAY_MS;
/** A job without failures for this long counts as working again, in milliseconds; longer than the longest delay. */
const QUIET_MS = 2 * HOUR_MS;
/** Delay before the first retry of a failed run, in milliseconds; doubles with each failure, up to an hour. */
const FIRST_DELAY_MS = MINUTE_MS;
const MAX_DELAY_MS = HOUR_MS;
/** Number of doublings after which the delay stays the same, so that the shift below stays small. */
const MAX_DOUBLINGS = 6;

/**
 * Records a failure of the run if `hasFailed` is true for its row. The run waits longer after each failure. After a day
 * of failures the run is closed until the job's next period, and a dead letter records the reason; replaying it starts
 * the job again.
 */
export function recordJobFailure(deps: JobDeps, run: JobRun, reason: string, hasFailed: SQL) {
  const now = instantOf(deps.now());
  const letterId = deps.newId();
  const isGivenUp = sql`exists (select 1 from dead_letters where id = ${letterId})`;
  const isFailedRun = sql`exists (select 1 from job_runs where ${isRun(run)} and ${hasFailed})`;
  const isQuiet = sql`${jobFailures.failedAt} < ${now} - ${QUIET_MS}`;
  const ofJob = eq(jobFailures.name, run.name);
  return {
    failed: insertWhere(
      deps,
      jobFailures,
      { name: run.name, failingSince: now, failedAt: now, failures: 1, reason: truncateReason(reason) },
      isFailedRun,
    )
      .onConflictDoUpdate({
        target: jobFailures.name,
        set: {
          failingSince: sql`case when ${isQuiet} then excluded.failing_since else ${jobFailures.failingSince} end`,
          failures: sql`case when ${isQuiet} then 1 else ${jobFailures.failures} + 1 end`,
          failedAt: sql`excluded.failed_at`,
          reason: sql`excluded.reason`,
        },
      })
      .returning({ failures: jobFailures.failures, failingSince: jobFailures.failingSince }),
    givenUp: insertWhere(
      deps,
      deadLetters,
      {
        id: letterId,
        queue: "tasks",
        eventId: letterId,
        type: "job.due",
        payload: JSON.stringify({ name: run.name }),
        reason: sql`(select ${`job ${run.name}: `} || reason from job_failures where ${ofJob})`,
        attempts: sql`(select failures from job_failures where ${ofJob})`,
        createdAt: now,
      },
      sql`${isFailedRun} and exists (select 1 from job_failures where ${ofJob}
        and failing_since <= ${deps.now() - GIVE_UP_AFTER_MS})`,
    ).returning({ id: deadLetters.id, reason: deadLetters.reason }),
    waits: deps.db
      .update(jobRuns)
      .set({
        leasedBy: null,
        leasedUntil: sql`${now} + (select min(${FIRST_DELAY_MS} << min(failures - 1, ${MAX_DOUBLINGS}), ${MAX_DELAY_MS})
          from job_failures where ${ofJob})`,
      })
      .where(and(isRun(run), hasFailed, sql`not ${isGivenUp}`)),
    closed: deps.db
      .update(jobRuns)
      .set({ leasedBy: "failed" satisfies RunClosing, leasedUntil: 0, finishedAt: now })
      .where(and(isRun(run), hasFailed, isGivenUp)),
    forgotten: deps.db.delete(jobFailures).where(and(ofJob, isGivenUp)),
  };
}

/** Raises the alerts of a recorded failure; none if the run belongs to another invocation. */
export function reportJobFailure(
  deps: Pick<JobDeps, "log">,
  run: JobRun,
  reason: string,
  recorded: { failed: { failures: number; failingSince: number }[]; givenUp: { id: string; reason: string }[] },
): void {
  const [failure] = recorded.failed;
  if (!failure) return;
  raiseAlert(deps, "job_failed", {
    job: run.name,
    period_started_at: run.periodStartedAt,
    failures: failure.failures,
    failing_since: isoTime(failure.failingSince),
    reason,
  });
  for (const letter of recorded.givenUp)
    raiseAlert(deps, "dead_letter", { dead_letter_id: letter.id, queue: "tasks", reason: letter.reason });
}

/** Clears the failures of a job whose run this invocation finishes. */
export function forgetJobFailures(deps: JobDeps, run: JobRun) {
  return deps.db
    .delete(jobFailures)
    .where(
      and(
        eq(jobFailures.name, run.name),
        sql`exists (select 1 from job_runs where ${isRun(run)} and leased_by = ${deps.invocationId})`,
      ),
    );
}

/** The run's invocation died or exceeded its lease. */
export const isAbandoned = (now: number): SQL =>
  sql`${jobRuns.finishedAt} is null and ${jobRuns.leasedBy} is not null and ${jobRuns.leasedUntil} <= ${now}`;
