import { and, asc, eq, gt, lte, sql } from "drizzle-orm";
import { searchEntries } from "../../db/search.ts";
import { userSearch } from "../../db/search-trigrams.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { runBatch } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { onSearch } from "./user-search.store.ts";

/** The data of a user's search entry. */
export interface NewEntry {
  userId: string;
  /** See `sortKeyOf`; an existing entry keeps its value. */
  sortKey: number;
  version: number;
  text: string;
  phoneNumber: string;
  statusBucket: number;
  removedAt: number | null;
  /** The version of an entry that this one replaces although it is not older. */
  replaces?: number;
}

type WriteDeps = Pick<Deps, "searchDb" | "log" | "invocationId">;

/** Greater than every version of a user's row, so that a deleted user does not come back. */
export const GONE_VERSION = Number.MAX_SAFE_INTEGER;
/** Maximum number of sort keys tried for one user. */
const TRIED_KEYS = 16;

/**
 * Writes at most 1,000 entries, unless one of the same or a greater version exists; late, duplicate and reordered
 * calls change nothing. Users who deleted their account get no entry, even if a restored primary has them again.
 *
 * @returns the users whose entries were written.
 */
export async function writeEntries(deps: WriteDeps, entries: readonly NewEntry[]): Promise<string[]> {
  if (entries.length === 0) return [];
  const rows = JSON.stringify(apart(entries));
  const field = (name: keyof NewEntry) => sql.raw(`json_extract(json_each.value, '$.${name}')`);
  const free = sql`(select ${field("sortKey")} + tried.key from json_each(${JSON.stringify(Array(TRIED_KEYS).fill(0))}) tried
    where not exists (select 1 from search_entries taken where taken.sort_key = ${field("sortKey")} + tried.key) limit 1)`;
  const written = sql`(select sort_key from search_entries where written_by = ${deps.invocationId}
    and user_id in (select ${field("userId")} from json_each(${rows})))`;
  const found = await onSearch(deps, {
    entries: deps.searchDb
      .insert(searchEntries)
      .select(
        sql`select ${free},
          ${field("userId")}, ${field("version")}, ${field("text")}, ${field("phoneNumber")}, ${field("statusBucket")},
          ${deps.invocationId}, ${field("removedAt")}
          from json_each(${rows}) left join search_entries old on old.user_id = ${field("userId")}
          where (old.version is null or ${field("version")} > old.version or ${field("replaces")} = old.version)
            and (${field("removedAt")} is not null
              or not exists (select 1 from deleted_accounts d where d.user_id = ${field("userId")}))`,
      )
      .onConflictDoUpdate({
        target: searchEntries.userId,
        set: {
          version: sql`excluded.version`,
          text: sql`excluded.text`,
          phoneNumber: sql`excluded.phone_number`,
          statusBucket: sql`excluded.status_bucket`,
          writtenBy: sql`excluded.written_by`,
          removedAt: sql`excluded.removed_at`,
        },
      })
      .returning({ userId: searchEntries.userId }),
    unindexed: deps.searchDb.delete(userSearch).where(sql`rowid in ${written}`),
    indexed: deps.searchDb
      .insert(userSearch)
      .select(sql`select sort_key, text from search_entries where sort_key in ${written} and removed_at is null`),
  });
  return found.entries.map(({ userId }) => userId);
}

/** Spaces the sort keys so that no entry takes the key of another one while it looks for a free key. */
function apart(entries: readonly NewEntry[]): NewEntry[] {
  let least = 0;
  return [...entries]
    .sort((a, b) => a.sortKey - b.sortKey)
    .map((entry) => {
      const sortKey = Math.max(entry.sortKey, least);
      least = sortKey + TRIED_KEYS;
      return { ...entry, sortKey };
    });
}

const projected = {
  id: users.id,
  version: users.version,
  usernameKey: users.usernameKey,
  email: users.email,
  phoneNumber: users.phoneNumber,
  fullName: profiles.fullName,
  // Never null, although the type of a computed column says so.
  statusBucket: sql<number>`status_bucket`,
  dateJoined: users.dateJoined,
  updatedAt: users.updatedAt,
};

/** The data for entries of those of these users who exist. */
export async function findProjected(deps: Pick<Deps, "db" | "log">, ids: readonly string[]): Promise<ProjectedUser[]> {
  const { found } = await runBatch(deps, {
    found: deps.db
      .select(projected)
      .from(users)
      .leftJoin(profiles, eq(profiles.userId, users.id))
      .where(sql`${users.id} in (select value from json_each(${JSON.stringify(ids)}))`),
  });
  return found;
}

/** Users in id order, after `after` and up to `upTo` if it is set. */
export async function listProjected(
  deps: Pick<Deps, "db" | "log">,
  after: string,
  upTo: string | undefined,
  count: number,
): Promise<ProjectedUser[]> {
  const { found } = await runBatch(deps, {
    found: deps.db
      .select(projected)
      .from(users)
      .leftJoin(profiles, eq(profiles.userId, users.id))
      .where(and(gt(users.id, after), upTo === undefined ? undefined : lte(users.id, upTo)))
      .orderBy(asc(users.id))
      .limit(count),
  });
  return found;
}

/** The columns of a user that its search entry is built from. */
export type ProjectedUser = { fullName: string | null } & {
  [K in Exclude<keyof typeof projected, "fullName">]: K extends "statusBucket"
    ? number
    : (typeof users.$inferSelect)[K];
};

/** Entries in user-id order, including those of deleted users, so that a chunk reads at most `count`. */
export async function listEntries(deps: Pick<Deps, "searchDb" | "log">, after: string, count: number) {
  const { found } = await onSearch(deps, {
    found: deps.searchDb
      .select()
      .from(searchEntries)
      .where(gt(searchEntries.userId, after))
      .orderBy(asc(searchEntries.userId))
      .limit(count),
  });
  return found;
}

/** Those of these sort keys for which the index has no text. */
export async function listUnindexed(deps: Pick<Deps, "searchDb" | "log">, sortKeys: readonly number[]) {
  const { found } = await onSearch(deps, {
    found: deps.searchDb
      .select({ sortKey: sql<number>`cast(value as integer)`.as("sort_key") })
      .from(sql`json_each(${JSON.stringify(sortKeys)})`)
      .where(sql`not exists (select 1 from user_search where rowid = cast(value as integer))`),
  });
  return found.map(({ sortKey }) => sortKey);
}

/** Deletes at most `count` entries of users found to be deleted before the given time, and returns their number. */
export async function forgetRemoved(
  deps: Pick<Deps, "searchDb" | "log">,
  before: number,
  count: number,
): Promise<number> {
  const due = sql`select sort_key from search_entries where removed_at is not null and removed_at < ${before}
    limit ${count}`;
  const { forgotten } = await onSearch(deps, {
    forgotten: deps.searchDb
      .delete(searchEntries)
      .where(sql`${searchEntries.sortKey} in (${due})`)
      .returning({ sortKey: searchEntries.sortKey }),
  });
  return forgotten.length;
}
