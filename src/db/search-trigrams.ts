import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/**
 * The FTS5 table over the trigrams of `search_entries.text`: contentless, so that it has rowids and can be matched, and no
 * text to read; without positions, so that it is asked for single trigrams only. Drizzle Kit knows no virtual tables: its
 * migrations are written by hand.
 */
export const userSearch = sqliteTable("user_search", {
  rowid: integer("rowid").primaryKey(),
  text: text("text").notNull(),
});
