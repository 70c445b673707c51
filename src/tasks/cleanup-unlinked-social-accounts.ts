import type { Job } from "./engine/job.ts";
import { planPurge } from "./purge.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const CHUNK_SIZE = 500;
const NAME = "cleanup_unlinked_social_accounts";

/**
 * Deletes the states of browser flows that are over. A provider's account is one row with its user and is deleted with
 * them, so that there is none without a user.
 */
export const cleanupUnlinkedSocialAccounts: Job = {
  name: NAME,
  everyMs: DAY_MS,
  planChunk: (deps, cursor, fence) => planPurge(deps, NAME, CHUNK_SIZE, cursor, fence),
};
