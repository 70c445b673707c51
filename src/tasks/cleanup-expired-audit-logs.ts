import { sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import type { Job } from "./job.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const KEPT_MS = 365 * DAY_MS;
const CHUNK_SIZE = 500;

/** Deletes audit rows older than 365 days. */
export const cleanupExpiredAuditLogs: Job = {
  name: "cleanup_expired_audit_logs",
  everyMs: DAY_MS,
  planChunk(deps, _cursor, fence) {
    const expired = sql`select rowid from audit_logs where created_at < ${deps.now() - KEPT_MS} limit ${CHUNK_SIZE}`;
    return {
      statements: {
        changed: deps.db.delete(auditLogs).where(sql`rowid in (${expired}) and ${fence}`).returning({ one: sql`1` }),
      },
      next: (changed) => (changed < CHUNK_SIZE ? undefined : "more"),
    };
  },
};
