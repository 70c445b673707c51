import { compareEntries } from "../staff/directory/search-projection.service.ts";
import { COMPARED_SIZE, rowsOf } from "./check-user-search.ts";
import type { Job } from "./engine/job.ts";

/**
 * Rewrites every search entry and marks those of deleted users as deleted. Started by an operator after either database
 * was restored.
 */
export const rebuildUserSearch: Job = {
  name: "rebuild_user_search",
  everyMs: undefined,
  async planChunk(deps, cursor, fence) {
    const { corrected, next } = await compareEntries(deps, cursor ?? "", COMPARED_SIZE, true);
    return { statements: { changed: rowsOf(deps, corrected.length, fence) }, next: () => next };
  },
};
