import { and, eq, type SQL } from "drizzle-orm";
import { jobRuns } from "../../db/platform-schema.ts";

/** A job's work of one period. */
export interface JobRun {
  name: string;
  /** Beginning of the period; of a run that somebody asked for, when they did. */
  periodStartedAt: number;
}

/** Holds of the run's row. */
export function isRun(run: JobRun): SQL | undefined {
  return and(eq(jobRuns.name, run.name), eq(jobRuns.periodStartedAt, run.periodStartedAt));
}
