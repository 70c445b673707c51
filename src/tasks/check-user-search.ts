import { type SQL, sql } from "drizzle-orm";
import { raiseAlert } from "../platform/alerts.ts";
import { forgetDeletedAccounts } from "../staff/directory/deleted-accounts.store.ts";
import { compareEntries } from "../staff/directory/search-projection.service.ts";
import { forgetRemoved } from "../staff/directory/search-projection.store.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";

const DAY_MS = 24 * 60 * 60_000;
/** 02:15 in Nepal. */
const NIGHT_OFFSET_MS = (20 * 60 + 30) * 60_000;
/** Entries of users who are gone outlive every message that could bring them back. */
const GONE_KEPT_MS = 7 * DAY_MS;
/** Users compared in one chunk. */
export const COMPARED_SIZE = 400;
/** Entries forgotten in one chunk. */
const FORGOTTEN_SIZE = 500;
const FORGET = "forget";
const FORGET_DELETIONS = "forget deletions";
/** D1 Time Travel reaches 30 days back; backups up to this age can be restored without bringing deleted people back. */
const DELETION_RECORD_MS = 400 * DAY_MS;

/** Holds every search entry against the primary, mends those that differ, and reports how many did. */
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
  const { mended, next } = await compareEntries(deps, cursor ?? "", COMPARED_SIZE, false);
  if (mended.length > 0) raiseAlert(deps, "user_search_drift", { users: mended.length });
  return { statements: { changed: rowsOf(deps, mended.length, fence) }, next: () => next ?? FORGET };
}

async function forget(deps: JobDeps, fence: SQL): Promise<Chunk> {
  const forgotten = await forgetRemoved(deps, deps.now() - GONE_KEPT_MS, FORGOTTEN_SIZE);
  // They are no drift: nothing is counted.
  const next = forgotten < FORGOTTEN_SIZE ? FORGET_DELETIONS : FORGET;
  return { statements: { changed: rowsOf(deps, 0, fence) }, next: () => next };
}

async function forgetDeletions(deps: JobDeps, fence: SQL): Promise<Chunk> {
  const forgotten = await forgetDeletedAccounts(deps, deps.now() - DELETION_RECORD_MS, FORGOTTEN_SIZE);
  const next = forgotten < FORGOTTEN_SIZE ? undefined : FORGET_DELETIONS;
  return { statements: { changed: rowsOf(deps, 0, fence) }, next: () => next };
}

/** The statement that gives a row for each entry which was written in the other database. */
export function rowsOf(deps: JobDeps, count: number, fence: SQL) {
  return deps.db
    .select({ nth: sql<number>`key`.as("nth") })
    .from(sql`json_each(${JSON.stringify(Array(count).fill(0))})`)
    .where(fence);
}
