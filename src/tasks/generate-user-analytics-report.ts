import { sql } from "drizzle-orm";
import { z } from "zod";
import { analyticsReports } from "../db/ledger-schema.ts";
import { insertWhere, runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { HOUR_MS } from "../platform/time.ts";
import { buildAnalyticsReport } from "../users/usage.service.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";

const payloadSchema = z.object({ user_id: z.string() });

const NAME = "generate_user_analytics_report";
/** How long a report is kept, in milliseconds. */
const REPORT_TTL_MS = HOUR_MS;

/** Stores a report of the user's activity for one hour. A newer report replaces it; an older one does not. */
export const generateUserAnalyticsReport: Task = {
  name: NAME,
  types: ["analytics_report.requested"],
  async run(deps, event): Promise<TaskOutcome> {
    const { user_id: userId } = payloadSchema.parse(event.payload);
    const report = await buildAnalyticsReport(deps, userId);
    if (!report) return { done: true, note: "no such user" };
    const createdAt = Date.parse(report.generated_at);
    const { mark, isFirst } = processOnce(deps, NAME, event.id);
    const { written } = await runBatch(deps, {
      mark,
      written: insertWhere(
        deps,
        analyticsReports,
        { userId, report, createdAt, expiresAt: createdAt + REPORT_TTL_MS },
        sql`${isFirst} and exists (select 1 from users where users.id = ${userId})`,
      )
        .onConflictDoUpdate({
          target: analyticsReports.userId,
          set: {
            report: sql`excluded.report`,
            createdAt: sql`excluded.created_at`,
            expiresAt: sql`excluded.expires_at`,
          },
          setWhere: sql`excluded.created_at >= ${analyticsReports.createdAt}`,
        })
        .returning({ userId: analyticsReports.userId }),
    });
    return { done: true, note: written.length > 0 ? "written" : "written before" };
  },
};
