import { asc, gt, lt, sql } from "drizzle-orm";
import { deletedAccounts } from "../../db/search.ts";
import { insertFrom, instantOf } from "../../platform/data/database.ts";
import { isOneOf } from "../../platform/data/first-rows.ts";
import type { Deps } from "../../platform/deps.ts";
import { onSearch } from "./user-search.store.ts";

type RecordDeps = Pick<Deps, "searchDb" | "log">;

/** Records in SEARCH_DB that a user deleted their account. Repeating the call changes nothing. */
export async function recordDeletedAccount(deps: RecordDeps, userId: string, deletedAt: number): Promise<void> {
  await onSearch(deps, {
    recorded: insertFrom(
      { db: deps.searchDb },
      deletedAccounts,
      { userId, deletedAt: instantOf(deletedAt) },
      sql`where true`,
    ).onConflictDoNothing(),
  });
}

/** Ids of users who deleted their account, ascending, after the id `after`. */
export async function listDeletedAccounts(deps: RecordDeps, after: string, count: number): Promise<string[]> {
  const { found } = await onSearch(deps, {
    found: deps.searchDb
      .select({ userId: deletedAccounts.userId })
      .from(deletedAccounts)
      .where(gt(deletedAccounts.userId, after))
      .orderBy(asc(deletedAccounts.userId))
      .limit(count),
  });
  return found.map(({ userId }) => userId);
}

/** Deletes at most `count` records older than the given time and returns their number. */
export async function forgetDeletedAccounts(deps: RecordDeps, before: number, count: number): Promise<number> {
  const due = isOneOf(deletedAccounts, sql`where ${lt(deletedAccounts.deletedAt, before)} limit ${count}`);
  const { forgotten } = await onSearch(deps, {
    forgotten: deps.searchDb.delete(deletedAccounts).where(due).returning({ one: sql`1` }),
  });
  return forgotten.length;
}
