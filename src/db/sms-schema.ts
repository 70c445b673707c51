import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { instant } from "./columns.ts";

/** Calls of SMS providers, a row a day. */
export const smsBudgetDays = sqliteTable("sms_budget_days", {
  /** `YYYY-MM-DD` in Asia/Kathmandu. */
  day: text("day").primaryKey(),
  /** The setting as it stood at the day's last call. */
  budget: integer("budget").notNull(),
  /** Calls counted, each before it was made; never given back. */
  taken: integer("taken").notNull(),
  /** Which of them was the last. */
  takenBy: text("taken_by"),
  /** Calls not made because what was left is kept for numbers of accounts. */
  refusedByReserve: integer("refused_by_reserve").notNull(),
  /** Calls not made because nothing was left. */
  refusedBySpent: integer("refused_by_spent").notNull(),
});

/** Codes sent by SMS from a network, or to a range of numbers, in a fixed window. */
export const smsSendLimits = sqliteTable(
  "sms_send_limits",
  {
    scope: text("scope", { enum: ["network", "prefix"] }).notNull(),
    key: text("key").notNull(),
    windowEndsAt: instant("window_ends_at").notNull(),
    sends: integer("sends").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.key] }),
    index("sms_send_limits_window").on(table.windowEndsAt),
  ],
);
