import { sql } from "drizzle-orm";
import type { RunClosing } from "../../db/platform-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { runAdminBatch } from "../staff-batch.store.ts";

/** The last run of each job that has run within the retention of runs. */
export async function readLastRuns(deps: Pick<Deps, "db" | "now" | "log" | "config">, caller: AdminClaims) {
  const { runs } = await runAdminBatch(deps, caller, ({ isAdmin }) => ({
    runs: deps.db
      .select({
        name: sql<string>`run.name`.as("name"),
        periodStartedAt: sql<number>`run.period_started_at`.as("period_started_at"),
        finishedAt: sql<number | null>`run.finished_at`.as("finished_at"),
        // The last run of a job is never a superseded one.
        closedAs: sql<"FAILED" | null>`case run.leased_by when ${"failed" satisfies RunClosing} then 'FAILED' end`.as(
          "closed_as",
        ),
        processed: sql<number>`run.processed`.as("processed"),
        chunks: sql<number>`run.chunks`.as("chunks"),
      })
      // One step of the recursion for each name, by the primary key.
      .from(
        sql`(with recursive names(name) as (select min(name) from job_runs where ${isAdmin}
            union all select (select min(name) from job_runs later where later.name > names.name) from names where names.name is not null)
          select name from names where name is not null) job
          cross join job_runs run on run.name = job.name
            and run.period_started_at = (select max(period_started_at) from job_runs last where last.name = job.name)`,
      ),
  }));
  return runs;
}
