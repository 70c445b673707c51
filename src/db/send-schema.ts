import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { instant } from "./columns.ts";

const budgetColumns = () => ({
  /** `YYYY-MM-DD` in Asia/Kathmandu. */
  day: text("day").primaryKey(),
  /** The setting as it stood at the day's last call. */
  budget: integer("budget").notNull(),
  /** Calls counted, each before it was made; never given back. */
  taken: integer("taken").notNull(),
  /** Which of them was the last. */
  takenBy: text("taken_by"),
  /** Calls not made because what was left is kept for accounts, or because the hour's open part was spent. */
  refusedByReserve: integer("refused_by_reserve").notNull(),
  /** Calls not made because nothing was left. */
  refusedBySpent: integer("refused_by_spent").notNull(),
});

/** Calls of SMS providers, a row a day. */
export const smsBudgetDays = sqliteTable("sms_budget_days", budgetColumns());

/** Calls of the e-mail provider that carry a code, a row a day. */
export const emailBudgetDays = sqliteTable("email_budget_days", budgetColumns());

/**
 * Codes sent in a fixed window that begins with its first one: by SMS from a network or to a range of numbers, by e-mail
 * from a network. `open_hour` counts the SMS calls to numbers without an account.
 */
export const smsSendLimits = sqliteTable(
  "sms_send_limits",
  {
    scope: text("scope", { enum: ["network", "prefix", "email_network", "open_hour"] }).notNull(),
    key: text("key").notNull(),
    windowEndsAt: instant("window_ends_at").notNull(),
    sends: integer("sends").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.key] }),
    index("sms_send_limits_window").on(table.windowEndsAt),
  ],
);
