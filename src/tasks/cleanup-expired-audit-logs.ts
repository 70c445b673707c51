import { DAY_MS } from "../platform/time.ts";
import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

/** With 100 chunks per tick this reads six million rows an hour. */
const CHUNK_SIZE = 1_000;
const NAME = "cleanup_expired_audit_logs";

/** Deletes audit rows older than 365 days. Each run reads the whole table, hence once a day. */
export const cleanupExpiredAuditLogs: Job = {
  name: NAME,
  everyMs: DAY_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
