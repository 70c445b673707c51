import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { instant } from "./columns.ts";

// A projection of `users`, which can be made again from them, and beside it the record of deleted accounts, which cannot.

/** What a user is found by; `user_search`, an FTS5 table over the trigrams of `text`, has the same rowids. */
export const searchEntries = sqliteTable(
  "search_entries",
  {
    /** Grows with `date_joined`, so that the newest come first without a sort: see `sortKeyOf`. */
    place: integer("place").primaryKey(),
    userId: text("user_id").notNull(),
    /** Of the user's row that this was made from; nothing older replaces it. */
    version: integer("version").notNull(),
    /** Username, e-mail address and national number, each behind two line feeds; empty for a user who is gone. */
    text: text("text").notNull(),
    /** E.164, empty where there is none. */
    phoneNumber: text("phone_number").notNull(),
    /** As in `users`. */
    facet: integer("facet").notNull(),
    /** Attempt id of the last write, so that its batch knows it as its own. */
    writtenBy: text("written_by").notNull(),
    /** When the user was found to be gone; kept for a while, so that a late write brings nobody back. */
    removedAt: instant("removed_at"),
  },
  (table) => [
    uniqueIndex("search_entries_user").on(table.userId),
    index("search_entries_removed").on(table.removedAt).where(sql`removed_at is not null`),
  ],
);

/**
 * Users who deleted their account, kept for 400 days: longer than D1 Time Travel reaches back. The primary may be restored to a time
 * before a deletion; from these rows `reapply_account_deletions` repeats it, and no search entry is written for them.
 */
export const deletedAccounts = sqliteTable(
  "deleted_accounts",
  { userId: text("user_id").primaryKey(), deletedAt: instant("deleted_at").notNull() },
  (table) => [index("deleted_accounts_time").on(table.deletedAt)],
);
