import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { ownerId, userId } from "./user-schema.ts";

/** Links a ledger row to its user without a foreign key (see `ownerId`); null once the user was deleted. */
const formerUserId = () => text("user_id");

export const wallets = sqliteTable("wallets", {
  userId: userId().primaryKey(),
  balanceMinor: integer("balance_minor").notNull(),
  currency: text("currency").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

/** Source of the ledger rows that this service writes itself. */
export const OWN_SOURCE = "users";

export const points = sqliteTable("points", {
  userId: userId().primaryKey(),
  currentPoints: integer("current_points").notNull(),
  totalPoints: integer("total_points").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

/** Ledger of `points`: one row per user, source, reason and reference. */
export const pointTransactions = sqliteTable(
  "point_transactions",
  {
    id: text("id").primaryKey(),
    userId: formerUserId(),
    delta: integer("delta").notNull(),
    reason: text("reason").notNull(),
    reference: text("reference").notNull(),
    createdAt: instant("created_at").notNull(),
    /** Service that reported the entry; `users` for entries of this service. */
    source: text("source").notNull().default(OWN_SOURCE),
  },
  (table) => [uniqueIndex("point_transactions_once").on(table.userId, table.source, table.reason, table.reference)],
);

/** Ledger of wallet balances and of the amounts spent. Amounts are in minor units. */
export const walletTransactions = sqliteTable(
  "wallet_transactions",
  {
    id: text("id").primaryKey(),
    userId: formerUserId(),
    /** Service that reported the transaction. */
    source: text("source").notNull(),
    transactionId: text("transaction_id").notNull(),
    transactionType: text("transaction_type", { enum: ["TOPUP", "RENTAL", "RENTAL_DUE", "FINE", "REFUND"] }).notNull(),
    amountMinor: integer("amount_minor").notNull(),
    /** Signed; 0 if a payment gateway was charged instead of the wallet. */
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

/** Current state of each rental. Its events may arrive in any order. */
export const rentals = sqliteTable(
  "rentals",
  {
    userId: ownerId(),
    rentalId: text("rental_id").notNull(),
    startedAt: instant("started_at"),
    returnedAt: instant("returned_at"),
    /** If a rental has several returns, the latest counts; at equal times, the one with the greater event id. */
    returnedEventId: text("returned_event_id"),
    isOnTime: flag("is_on_time"),
    amountMinor: integer("amount_minor"),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.rentalId] }),
    index("rentals_open").on(table.userId).where(sql`started_at is not null and returned_at is null`),
  ],
);

/** Latest favourite mark per user and station. */
export const favoriteStations = sqliteTable(
  "favorite_stations",
  {
    userId: ownerId(),
    stationId: text("station_id").notNull(),
    isFavorite: flag("is_favorite").notNull(),
    /** When the user made the change. At equal times, the greater event id counts. */
    changedAt: instant("changed_at").notNull(),
    eventId: text("event_id").notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.stationId] })],
);

/** Totals maintained by the event intake, so that reading them does not depend on the length of the history. */
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

/** Reports requested by staff, kept for one hour. */
export const analyticsReports = sqliteTable("analytics_reports", {
  userId: userId().primaryKey(),
  report: text("report", { mode: "json" }).notNull(),
  createdAt: instant("created_at").notNull(),
  expiresAt: instant("expires_at").notNull(),
});
