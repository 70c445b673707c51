import { eq, type SQL } from "drizzle-orm";
import { jobCursors } from "../../db/platform-schema.ts";
import { insertWhere, runBatch } from "../../platform/data/database.ts";
import type { JobDeps } from "./job.ts";

/** Position at which the job's last run stopped; empty to start over. */
export async function findJobCursor(deps: Pick<JobDeps, "db" | "log">, name: string): Promise<string> {
  const { found } = await runBatch(deps, {
    found: deps.db.select({ cursor: jobCursors.cursor }).from(jobCursors).where(eq(jobCursors.name, name)),
  });
  return found[0]?.cursor ?? "";
}

/** Stores the position for the job's next run, if the fence holds. */
export function keepJobCursor(deps: Pick<JobDeps, "db">, name: string, cursor: string, fence: SQL) {
  return insertWhere(deps, jobCursors, { name, cursor }, fence).onConflictDoUpdate({
    target: jobCursors.name,
    set: { cursor },
  });
}
