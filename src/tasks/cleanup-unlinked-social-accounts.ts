import { DAY_MS } from "../platform/time.ts";
import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

const CHUNK_SIZE = 500;
const NAME = "cleanup_unlinked_social_accounts";

/**
 * Deletes the states of expired browser flows. Social accounts themselves are deleted with their user, so none is ever
 * left without one.
 */
export const cleanupUnlinkedSocialAccounts: Job = {
  name: NAME,
  everyMs: DAY_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
