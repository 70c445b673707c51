import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { adminEndpoint } from "../../sessions/guard.ts";
import { getLastRuns } from "./jobs.service.ts";

/** A run of a job. */
const jobRun = z
  .object({
    name: z.string(),
    period_started_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable().meta({ description: "Null while it is open." }),
    closed_as: z.enum(["FAILED"]).nullable().meta({ description: "FAILED after a day of failures." }),
    processed: z.number().int().meta({ description: "Rows that it changed." }),
    chunks: z.number().int(),
  })
  .meta({ id: "JobRun" });

export const getStaffJobs = adminEndpoint(
  {
    method: "get",
    path: "/staff/jobs",
    operationId: "listJobs",
    tag: "Staff: service",
    summary: "List the last run of each job",
    description: "Lists jobs of the last 30 days.",
    data: z.array(jobRun),
    message: { en: "Jobs.", ne: "कामहरू।" },
  },
  async (deps, { caller }) => ({
    data: (await getLastRuns(deps, caller)).map(
      ({ name, periodStartedAt, finishedAt, closedAs, processed, chunks }) => ({
        name,
        period_started_at: isoTime(periodStartedAt),
        finished_at: isoTime(finishedAt),
        closed_as: closedAs,
        processed,
        chunks,
      }),
    ),
  }),
);
