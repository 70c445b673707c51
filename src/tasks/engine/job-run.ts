import { and, eq, type SQL } from "drizzle-orm";
import { jobRuns } from "../../db/platform-schema.ts";

/** One run of a job: its work for one period. */
export interface JobRun {
  name: string;
  /** Start of the period, when the job became due; for a run requested by an operator, the time of the request. */
  periodStartedAt: number;
}

/** The row of this run. */
export function isRun(run: JobRun): SQL | undefined {
  return and(eq(jobRuns.name, run.name), eq(jobRuns.periodStartedAt, run.periodStartedAt));
}
