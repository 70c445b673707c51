import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { instant } from "./columns.ts";

// `search_entries` is a projection of `users` and can be rebuilt from it. `deleted_accounts` cannot be rebuilt.

/** Searchable text per user. `user_search`, an FTS5 trigram index of `text`, uses the same rowids. */
export const searchEntries = sqliteTable(
  "search_entries",
  {
    /**
     * Sort key that increases with `date_joined`, so that the newest users come first without sorting; see `sortKeyOf`.
     */
    sortKey: integer("sort_key").primaryKey(),
    userId: text("user_id").notNull(),
    /** Version of the user's row from which the entry was built; older versions never replace it. */
    version: integer("version").notNull(),
    /**
     * Username, e-mail address, national phone number and each word of the full name, each preceded by two line feeds;
     * empty for a deleted user.
     */
    text: text("text").notNull(),
    /** E.164; empty if the user has none. */
    phoneNumber: text("phone_number").notNull(),
    /** Same value as in `users`. */
    statusBucket: integer("status_bucket").notNull(),
    /** Invocation that made the last write; lets later statements of its batch recognise it. */
    writtenBy: text("written_by").notNull(),
    /** When the user was found to be deleted. The entry is kept for a while so that a late write cannot restore it. */
    removedAt: instant("removed_at"),
  },
  (table) => [
    uniqueIndex("search_entries_user").on(table.userId),
    index("search_entries_removed").on(table.removedAt).where(sql`removed_at is not null`),
  ],
);

/**
 * Deleted accounts, kept for 400 days, which is longer than D1 Time Travel reaches back. If the primary is restored to
 * a time before a deletion, `reapply_account_deletions` repeats the deletion from these rows, and no search entry is
 * written for these users.
 */
export const deletedAccounts = sqliteTable(
  "deleted_accounts",
  { userId: text("user_id").primaryKey(), deletedAt: instant("deleted_at").notNull() },
  (table) => [index("deleted_accounts_time").on(table.deletedAt)],
);
