import { cleanupExpiredAuditLogs } from "./cleanup-expired-audit-logs.ts";
import type { Job } from "./job.ts";
import { purgeExpiredRows } from "./purge-expired-rows.ts";

/** Every periodic job. */
export const jobs: readonly Job[] = [purgeExpiredRows, cleanupExpiredAuditLogs];
