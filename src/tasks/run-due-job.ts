import { z } from "zod";
import { inOneTrip } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { jobs } from "./job-registry.ts";
import { advanceRun, claimRun, isLeasedHere, leaveRun } from "./job-run.store.ts";
import type { Task, TaskOutcome } from "./task.ts";

const payloadSchema = z.object({ name: z.string(), period_started_at: z.number() });

/** Chunks one invocation does at most: far below D1's 1,000 queries, and the next tick goes on. */
const CHUNKS_PER_RUN = 100;

/** Runs a due job's chunks until it is done or the invocation has done its share. */
export const runDueJob: Task = {
  name: "run_due_job",
  types: ["job.due"],
  async run(deps, event): Promise<TaskOutcome> {
    const { name, period_started_at: periodStartedAt } = payloadSchema.parse(event.payload);
    const job = jobs.find((each) => each.name === name);
    if (!job) return { done: true, note: "no such job" };
    const run = { name, periodStartedAt };
    const claimed = await claimRun(deps, run);
    if (!claimed) return { done: true, note: "finished, or another's" };
    let { processed } = claimed;
    let cursor: string | null | undefined = claimed.cursor;
    let chunks = 0;
    for (; cursor !== undefined && chunks < CHUNKS_PER_RUN; chunks++) {
      const { statements, next } = await job.planChunk(deps, cursor, isLeasedHere(deps, run));
      const results = await inOneTrip(deps, { advanced: advanceRun(deps, run, cursor, processed), ...statements });
      if (results.advanced.length === 0) return { done: true, note: "the lease was lost" };
      const changed = (results.changed as unknown[]).length;
      processed += changed;
      cursor = next(changed);
    }
    const isFinished = cursor === undefined;
    await leaveRun(deps, run, { processed, cursor: cursor ?? null, isFinished });
    logRun(deps, { job: name, period_started_at: periodStartedAt, chunks, processed, finished: isFinished });
    return { done: true, note: isFinished ? "finished" : "goes on at the next tick" };
  },
};

function logRun(deps: Pick<Deps, "log">, counts: Record<string, string | number | boolean>): void {
  deps.log.info("job", counts);
}
