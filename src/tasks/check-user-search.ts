import { type SQL, sql } from "drizzle-orm";
import { raiseAlert } from "../platform/alerts.ts";
import { DAY_MS, MINUTE_MS } from "../platform/time.ts";
import { forgetDeletedAccounts } from "../staff/directory/deleted-accounts.store.ts";
import { compareEntries } from "../staff/directory/search-projection.service.ts";
import { forgetRemoved } from "../staff/directory/search-projection.store.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";

/** 02:15 in Nepal. */
const NIGHT_OFFSET_MS = (20 * 60 + 30) * MINUTE_MS;
/** How long entries of deleted users are kept: longer than any message that could restore them. */
const REMOVED_ENTRY_MS = 7 * DAY_MS;
/** Users compared in one chunk. */
export const COMPARED_SIZE = 400;
/** Entries deleted in one chunk. */
const DELETE_SIZE = 500;
const FORGET = "forget";
const FORGET_DELETIONS = "forget deletions";
/**
 * How long deletions are remembered: D1 Time Travel reaches back 30 days, and backups up to this age can be restored
 * without bringing deleted users back.
 */
const DELETION_RECORD_MS = 400 * DAY_MS;

/** Compares every search entry with the primary database, corrects those that differ, and reports how many did. */
export const checkUserSearch: Job = {
  name: "check_user_search",
  everyMs: DAY_MS,
  offsetMs: NIGHT_OFFSET_MS,
  planChunk(deps, cursor, fence) {
    if (cursor === FORGET) return forget(deps, fence);
    return cursor === FORGET_DELETIONS ? forgetDeletions(deps, fence) : check(deps, cursor, fence);
  },
};

async function check(deps: JobDeps, cursor: string | null, fence: SQL): Promise<Chunk> {
  const { corrected, next } = await compareEntries(deps, cursor ?? "", COMPARED_SIZE, false);
  if (corrected.length > 0) raiseAlert(deps, "user_search_drift", { users: corrected.length });
  return { statements: { changed: rowsOf(deps, corrected.length, fence) }, next: () => next ?? FORGET };
}

async function forget(deps: JobDeps, fence: SQL): Promise<Chunk> {
  const forgotten = await forgetRemoved(deps, deps.now() - REMOVED_ENTRY_MS, DELETE_SIZE);
  // These deletions are not drift, so they are not counted.
  const next = forgotten < DELETE_SIZE ? FORGET_DELETIONS : FORGET;
  return { statements: { changed: rowsOf(deps, 0, fence) }, next: () => next };
}

async function forgetDeletions(deps: JobDeps, fence: SQL): Promise<Chunk> {
  const forgotten = await forgetDeletedAccounts(deps, deps.now() - DELETION_RECORD_MS, DELETE_SIZE);
  const next = forgotten < DELETE_SIZE ? undefined : FORGET_DELETIONS;
  return { statements: { changed: rowsOf(deps, 0, fence) }, next: () => next };
}

/** Returns `count` rows, one for each entry written to the search database. */
export function rowsOf(deps: JobDeps, count: number, fence: SQL) {
  return deps.db
    .select({ nth: sql<number>`key`.as("nth") })
    .from(sql`json_each(${JSON.stringify(Array(count).fill(0))})`)
    .where(fence);
}
