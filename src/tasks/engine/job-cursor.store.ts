import { eq, type SQL } from "drizzle-orm";
import { jobCursors } from "../../db/platform-schema.ts";
import { insertWhere, runBatch } from "../../platform/data/database.ts";
import type { JobDeps } from "./job.ts";

/** Where the job's last run stopped in what it walks; empty where the walk begins anew. */
export async function findJobCursor(deps: Pick<JobDeps, "db" | "log">, name: string): Promise<string> {
  const { found } = await runBatch(deps, {
    found: deps.db.select({ cursor: jobCursors.cursor }).from(jobCursors).where(eq(jobCursors.name, name)),
  });
  return found[0]?.cursor ?? "";
}

/** The statement that keeps the cursor for the job's next run, where the fence holds. */
export function keepJobCursor(deps: Pick<JobDeps, "db">, name: string, cursor: string, fence: SQL) {
  return insertWhere(deps, jobCursors, { name, cursor }, fence).onConflictDoUpdate({
    target: jobCursors.name,
    set: { cursor },
  });
}
