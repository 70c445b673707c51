import type { SQL } from "drizzle-orm";
import { userStatistics } from "../db/ledger-schema.ts";
import { insertFrom } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";

/** The statement that gives a user a row of sums, all zero, where `from` has a row and they have none. */
export function openStatistics(deps: Pick<Deps, "db" | "now">, userId: SQL, from: SQL) {
  const sums = {
    totalRentals: 0,
    totalSpentMinor: 0,
    totalReferrals: 0,
    timelyReturns: 0,
    lateReturns: 0,
    favoriteStationsCount: 0,
  };
  return insertFrom(deps, userStatistics, { userId, ...sums, updatedAt: deps.now() }, from).onConflictDoNothing();
}
