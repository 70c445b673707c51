import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { ownerId, userId } from "./user-schema.ts";

/** Ties a ledger row to its user, without a foreign key, as `ownerId`; null once the user has been deleted. */
const formerUserId = () => text("user_id");

export const wallets = sqliteTable("wallets", {
  userId: userId().primaryKey(),
  balanceMinor: integer("balance_minor").notNull(),
  currency: text("currency").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

/** The source of ledger rows that this service makes itself. */
export const OWN_SOURCE = "users";

export const points = sqliteTable("points", {
  userId: userId().primaryKey(),
  currentPoints: integer("current_points").notNull(),
  totalPoints: integer("total_points").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

/** The ledger behind every change of `points`: one row per user, source, reason and reference. */
export const pointTransactions = sqliteTable(
  "point_transactions",
  {
    id: text("id").primaryKey(),
    userId: formerUserId(),
    delta: integer("delta").notNull(),
    reason: text("reason").notNull(),
    reference: text("reference").notNull(),
    createdAt: instant("created_at").notNull(),
    /** Service that reported it; `users` for the rows that this service makes itself. */
    source: text("source").notNull().default(OWN_SOURCE),
  },
  (table) => [uniqueIndex("point_transactions_once").on(table.userId, table.source, table.reason, table.reference)],
);

/** The ledger behind every change of a wallet, and behind what was spent. Amounts are in minor units. */
export const walletTransactions = sqliteTable(
  "wallet_transactions",
  {
    id: text("id").primaryKey(),
    userId: formerUserId(),
    /** Service that reported it. */
    source: text("source").notNull(),
    transactionId: text("transaction_id").notNull(),
    transactionType: text("transaction_type", { enum: ["TOPUP", "RENTAL", "RENTAL_DUE", "FINE", "REFUND"] }).notNull(),
    amountMinor: integer("amount_minor").notNull(),
    /** Signed; 0 when a gateway paid. */
    walletDeltaMinor: integer("wallet_delta_minor").notNull(),
    currency: text("currency").notNull(),
    occurredAt: instant("occurred_at").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("wallet_transactions_once").on(table.source, table.transactionId, table.transactionType),
    index("wallet_transactions_user").on(table.userId),
  ],
);

/** What is known of each rental; its events come in any order. */
export const rentals = sqliteTable(
  "rentals",
  {
    userId: ownerId(),
    rentalId: text("rental_id").notNull(),
    startedAt: instant("started_at"),
    returnedAt: instant("returned_at"),
    /** Of two returns of one rental the later counts, of two at once the one with the greater event id. */
    returnedEventId: text("returned_event_id"),
    isOnTime: flag("is_on_time"),
    amountMinor: integer("amount_minor"),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.rentalId] }),
    index("rentals_open").on(table.userId).where(sql`started_at is not null and returned_at is null`),
  ],
);

/** The last word on each station that a user marked or unmarked. */
export const favoriteStations = sqliteTable(
  "favorite_stations",
  {
    userId: ownerId(),
    stationId: text("station_id").notNull(),
    isFavorite: flag("is_favorite").notNull(),
    /** When the change took place where it was made; of two at once the greater event id counts. */
    changedAt: instant("changed_at").notNull(),
    eventId: text("event_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.stationId] })],
);

/** Sums kept by the event intake, so that reading them costs the same whatever the history. */
export const userStatistics = sqliteTable("user_statistics", {
  userId: userId().primaryKey(),
  totalRentals: integer("total_rentals").notNull(),
  totalSpentMinor: integer("total_spent_minor").notNull(),
  totalReferrals: integer("total_referrals").notNull(),
  timelyReturns: integer("timely_returns").notNull(),
  lateReturns: integer("late_returns").notNull(),
  favoriteStationsCount: integer("favorite_stations_count").notNull(),
  lastRentalAt: instant("last_rental_at"),
  updatedAt: instant("updated_at").notNull(),
});

/** A report that staff asked for, for an hour. */
export const analyticsReports = sqliteTable(
  "analytics_reports",
  {
    userId: userId().primaryKey(),
    report: text("report", { mode: "json" }).notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("analytics_reports_expiry").on(table.expiresAt)],
);
