import { DAY_MS } from "../platform/time.ts";
import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

/** With 100 chunks per tick this scans ten million rows per hour. */
const CHUNK_SIZE = 2_000;
const NAME = "purge_expired_sessions";

/**
 * Deletes expired rows of the large tables that are kept for weeks (sessions, known networks, locks, processed
 * events), according to `purgeRules`. Each run reads those tables as a whole, hence once a day.
 */
export const purgeExpiredSessions: Job = {
  name: NAME,
  everyMs: DAY_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
