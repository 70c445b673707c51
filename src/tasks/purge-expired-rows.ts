import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

const HOUR_MS = 60 * 60 * 1000;
/** With 100 chunks a tick, some ten million rows an hour: more than twice what 100 sign-ins a second leave behind. */
const CHUNK_SIZE = 2_000;
const NAME = "purge_expired_rows";

/** Deletes the rows whose time is over, table by table, as `purgeRules` says. */
export const purgeExpiredRows: Job = {
  name: NAME,
  everyMs: HOUR_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
