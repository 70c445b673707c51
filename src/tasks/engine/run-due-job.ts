import { z } from "zod";
import { mergeStatements, runBatch } from "../../platform/data/database.ts";
import { hasQueriesLeft } from "../../platform/data/query-count.ts";
import { sendEvents } from "../../platform/data/send-events.ts";
import type { Deps } from "../../platform/deps.ts";
import { describeError } from "../../platform/log.ts";
import type { Job } from "./job.ts";
import { jobDue } from "./job-due.ts";
import { jobs } from "./job-registry.ts";
import { advanceRun, claimRun, enterRun, failRun, isLeasedByThisInvocation, leaveRun } from "./job-run.store.ts";
import type { JobRun } from "./job-run.ts";
import type { Task, TaskOutcome } from "./task.ts";

/** Without a period the job runs out of turn, for example when a dead letter is replayed. */
const payloadSchema = z.object({ name: z.string(), period_started_at: z.number().optional() });

/** Maximum number of chunks per invocation. */
const CHUNKS_PER_RUN = 100;

/**
 * Runs a due job's chunks until the job is done, the chunk limit is reached, or the invocation's queries are used up,
 * which it shares with the other messages of its batch. If chunks are left, it sends another message. A failure is
 * recorded in `job_runs` and not as a failure of the message: the run is retried with a growing delay, and a job that
 * fails for a day becomes a dead letter.
 */
export const runDueJob: Task = {
  name: "run_due_job",
  types: ["job.due"],
  async run(deps, event): Promise<TaskOutcome> {
    const payload = payloadSchema.parse(event.payload);
    const job = jobs.find((each) => each.name === payload.name);
    if (!job) return { done: true, note: "no such job" };
    const run = { name: job.name, periodStartedAt: payload.period_started_at ?? event.createdAt };
    if (payload.period_started_at === undefined) await enterRun(deps, run);
    const claimed = await claimRun(deps, run);
    if (!claimed) return { done: true, note: "finished, waiting, or leased elsewhere" };
    try {
      return await runChunks(deps, job, run, claimed);
    } catch (error) {
      const reason = describeError(error);
      await failRun(deps, run, reason);
      return { done: true, note: `failed: ${reason}` };
    }
  },
};

async function runChunks(
  deps: Deps,
  job: Job,
  run: JobRun,
  from: { cursor: string | null; processed: number },
): Promise<TaskOutcome> {
  let { processed } = from;
  let cursor: string | null | undefined = from.cursor;
  let chunks = 0;
  for (; cursor !== undefined && chunks < CHUNKS_PER_RUN && hasQueriesLeft(deps); chunks++) {
    const { statements, committed, next } = await job.planChunk(deps, cursor, isLeasedByThisInvocation(deps, run));
    const results = await runBatch(
      deps,
      mergeStatements({ advanced: advanceRun(deps, run, cursor, processed) }, statements),
    );
    if (results.advanced.length === 0) return { done: true, note: "the lease was lost" };
    committed?.(results as Readonly<Record<string, readonly unknown[]>>);
    const changed = (results.changed as unknown[]).length;
    processed += changed;
    cursor = next(changed);
  }
  const isFinished = cursor === undefined;
  await leaveRun(deps, run, { processed, cursor: cursor ?? null, isFinished });
  const { name, periodStartedAt } = run;
  deps.log.info("job", { job: name, period_started_at: periodStartedAt, chunks, processed, finished: isFinished });
  if (isFinished) return { done: true, note: "finished" };
  // If this message is lost, the next tick requests the run again.
  await sendEvents(deps, "tasks", [jobDue(deps, run)]).catch(() => undefined);
  return { done: true, note: "continues with another message" };
}
