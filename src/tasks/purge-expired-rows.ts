import { HOUR_MS } from "../platform/time.ts";
import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

/**
 * With 100 chunks per tick this deletes about ten million rows an hour, more than twice what 100 sign-ins per second
 * write.
 */
const CHUNK_SIZE = 2_000;
const NAME = "purge_expired_rows";

/** Deletes expired rows, table by table, according to `purgeRules`. */
export const purgeExpiredRows: Job = {
  name: NAME,
  everyMs: HOUR_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
