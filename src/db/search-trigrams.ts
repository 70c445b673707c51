import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/**
 * FTS5 trigram index of `search_entries.text`. It is contentless: it can be matched and returns rowids, but stores no
 * text. It stores no positions either, so each query matches single trigrams. Drizzle Kit does not support virtual
 * tables, so its migrations are written by hand.
 */
export const userSearch = sqliteTable("user_search", {
  rowid: integer("rowid").primaryKey(),
  text: text("text").notNull(),
});
