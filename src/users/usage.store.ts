import { and, eq, type SQL, sql } from "drizzle-orm";
import { points, userStatistics } from "../db/ledger-schema.ts";
import { users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { selectWallet, type WalletRow } from "./wallet.store.ts";

const sumOf = (column: SQL, name: string) => sql<number>`coalesce(${column}, 0)`.as(name);

const fields = {
  totalRentals: sumOf(sql`${userStatistics.totalRentals}`, "total_rentals"),
  totalSpentMinor: sumOf(sql`${userStatistics.totalSpentMinor}`, "total_spent_minor"),
  totalReferrals: sumOf(sql`${userStatistics.totalReferrals}`, "total_referrals"),
  timelyReturns: sumOf(sql`${userStatistics.timelyReturns}`, "timely_returns"),
  lateReturns: sumOf(sql`${userStatistics.lateReturns}`, "late_returns"),
  favoriteStationsCount: sumOf(sql`${userStatistics.favoriteStationsCount}`, "favorite_stations_count"),
  totalPoints: sumOf(sql`${points.totalPoints}`, "total_points"),
  lastRentalAt: userStatistics.lastRentalAt,
  memberSince: users.dateJoined,
};

/** A user's usage totals. */
export interface UsageRow {
  totalRentals: number;
  totalSpentMinor: number;
  totalReferrals: number;
  timelyReturns: number;
  lateReturns: number;
  favoriteStationsCount: number;
  /** All points ever gained. */
  totalPoints: number;
  lastRentalAt: number | null;
  memberSince: number;
}

/** Selects a user's usage totals from stored sums. */
export function selectUsage(deps: Pick<Deps, "db">, which: SQL | undefined) {
  return deps.db
    .select(fields)
    .from(users)
    .leftJoin(userStatistics, eq(userStatistics.userId, users.id))
    .leftJoin(points, eq(points.userId, users.id))
    .where(which);
}

/** The caller's usage totals; undefined if the session has ended. */
export async function findUsage(
  deps: Pick<Deps, "db" | "now" | "log">,
  caller: AccessClaims,
): Promise<UsageRow | undefined> {
  const { found } = await runBatch(deps, {
    found: selectUsage(deps, and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  return found[0];
}

/** Usage totals and wallet of any user, read at one moment; undefined if there is no such user. */
export async function findUsageAndWallet(
  deps: Pick<Deps, "db" | "log">,
  userId: string,
): Promise<{ usage: UsageRow; wallet: WalletRow } | undefined> {
  const found = await runBatch(deps, {
    usage: selectUsage(deps, eq(users.id, userId)),
    wallet: selectWallet(deps, eq(users.id, userId)),
  });
  const [usage, wallet] = [found.usage[0], found.wallet[0]];
  return usage && wallet && { usage, wallet };
}
