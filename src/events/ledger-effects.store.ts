import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { points, pointTransactions, userStatistics, wallets, walletTransactions } from "../db/ledger-schema.ts";
import { CURRENCY } from "../nepal.ts";
import { insertWhere, instantOf, mergeStatements } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { EventOf } from "./platform-event.ts";
import { openStatistics } from "./statistics.store.ts";

type EffectDeps = Pick<Deps, "db" | "now" | "newId">;

/** Transaction types whose amount counts as spent. */
const SPENDING: readonly string[] = ["RENTAL", "TOPUP"];

/**
 * Writes the ledger row and updates the balance and the amount spent, atomically. A transaction of the same source, id
 * and type changes nothing if it is already recorded; `contradicting` then returns a row if the recorded amount or user
 * differs.
 */
export function recordTransaction(deps: EffectDeps, event: EventOf<"transaction.succeeded">, isFirst: SQL) {
  const { user_id: userId, source, data } = event;
  const now = instantOf(deps.now());
  const id = deps.newId();
  const own = (what: string) => sql`(select ${sql.raw(what)} from wallet_transactions where id = ${id})`;
  const isOwn = sql`exists ${own("1")}`;
  return {
    entry: insertWhere(
      deps,
      walletTransactions,
      {
        id,
        userId,
        source,
        transactionId: data.transaction_id,
        transactionType: data.transaction_type,
        amountMinor: data.amount,
        walletDeltaMinor: data.wallet_delta,
        currency: data.currency,
        occurredAt: event.occurred_at,
        createdAt: deps.now(),
      },
      isFirst,
    ).onConflictDoNothing(),
    wallet: insertWhere(
      deps,
      wallets,
      { userId, balanceMinor: 0, currency: CURRENCY, updatedAt: deps.now() },
      isOwn,
    ).onConflictDoNothing(),
    balance: deps.db
      .update(wallets)
      .set({ balanceMinor: sql`${wallets.balanceMinor} + ${own("wallet_delta_minor")}`, updatedAt: now })
      .where(and(eq(wallets.userId, userId), isOwn)),
    statistics: openStatistics(deps, sql`${userId}`, sql`where ${isOwn}`),
    spent: SPENDING.includes(data.transaction_type)
      ? deps.db
          .update(userStatistics)
          .set({ totalSpentMinor: sql`${userStatistics.totalSpentMinor} + ${own("amount_minor")}`, updatedAt: now })
          .where(and(eq(userStatistics.userId, userId), isOwn))
      : undefined,
    contradicting: deps.db
      .select({ id: walletTransactions.id })
      .from(walletTransactions)
      .where(
        and(
          eq(walletTransactions.source, source),
          eq(walletTransactions.transactionId, data.transaction_id),
          eq(walletTransactions.transactionType, data.transaction_type),
          // The row of a deleted account has no user; its events may be delivered again.
          sql`(coalesce(${walletTransactions.userId}, ${userId}), ${walletTransactions.amountMinor},
            ${walletTransactions.walletDeltaMinor}) is not (${userId}, ${data.amount}, ${data.wallet_delta})`,
        ),
      ),
  };
}

/**
 * Writes the ledger row and updates both point totals, atomically. There is one row per user, source, reason and
 * reference.
 */
export function recordPoints(deps: EffectDeps, event: EventOf<"points.changed">, isFirst: SQL) {
  const { user_id: userId, source, data } = event;
  const id = deps.newId();
  return mergeStatements(
    {
      entry: insertWhere(
        deps,
        pointTransactions,
        {
          id,
          userId,
          source,
          delta: data.delta,
          reason: data.reason,
          reference: data.reference,
          createdAt: deps.now(),
        },
        isFirst,
      ).onConflictDoNothing(),
    },
    creditEntries(deps, [id]),
    {
      contradicting: deps.db
        .select({ id: pointTransactions.id })
        .from(pointTransactions)
        .where(
          and(
            eq(pointTransactions.userId, userId),
            eq(pointTransactions.source, source),
            eq(pointTransactions.reason, data.reason),
            eq(pointTransactions.reference, data.reference),
            ne(pointTransactions.delta, data.delta),
          ),
        ),
    },
  );
}

/**
 * Adds ledger rows of this batch, at most one per user, to their users' points: the current points by any delta (the
 * result may be negative), the total points by positive deltas only.
 */
export function creditEntries(deps: EffectDeps, ids: readonly string[]) {
  const now = instantOf(deps.now());
  const entries = sql`point_transactions t where t.id in (select value from json_each(${JSON.stringify(ids)}))`;
  // The unary plus stops the planner from using the index on users, which would scan a user's whole ledger.
  const delta = sql`(select t.delta from ${entries} and +t.user_id = points.user_id)`;
  return {
    points: deps.db.insert(points).select(sql`select t.user_id, 0, 0, ${now} from ${entries}`).onConflictDoNothing(),
    credit: deps.db
      .update(points)
      .set({
        currentPoints: sql`${points.currentPoints} + ${delta}`,
        totalPoints: sql`${points.totalPoints} + max(0, ${delta})`,
        updatedAt: now,
      })
      .where(sql`${points.userId} in (select t.user_id from ${entries})`),
  };
}
