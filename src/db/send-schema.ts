import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { instant } from "./columns.ts";

const budgetColumns = () => ({
  /** `YYYY-MM-DD` in Asia/Kathmandu. */
  day: text("day").primaryKey(),
  /** Configured budget at the time of the day's last call. */
  budget: integer("budget").notNull(),
  /** Number of calls, each counted before it is made and never given back. */
  taken: integer("taken").notNull(),
  /** Marker of the last counted call. */
  takenBy: text("taken_by"),
  /** Number of calls refused because the rest is reserved for accounts, or because the hour's open share was spent. */
  refusedByReserve: integer("refused_by_reserve").notNull(),
  /** Number of calls refused because the budget was spent. */
  refusedBySpent: integer("refused_by_spent").notNull(),
});

/** Calls to SMS providers: one row per day. */
export const smsBudgetDays = sqliteTable("sms_budget_days", budgetColumns());

/** Calls to the e-mail provider that carry a code: one row per day. */
export const emailBudgetDays = sqliteTable("email_budget_days", budgetColumns());

/**
 * Number of codes sent in a fixed window that starts with the first one: by SMS per network and per number range, by
 * e-mail per network. `open_hour` counts the SMS calls to numbers without an account.
 */
export const smsSendLimits = sqliteTable(
  "sms_send_limits",
  {
    scope: text("scope", { enum: ["network", "prefix", "email_network", "open_hour"] }).notNull(),
    key: text("key").notNull(),
    windowEndsAt: instant("window_ends_at").notNull(),
    sends: integer("sends").notNull(),
    /** When the short window of `recentSends` ends. */
    recentEndsAt: instant("recent_ends_at").notNull(),
    /** Number of codes in a short window; ranks the codes of a network. */
    recentSends: integer("recent_sends").notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] })],
);
