import type { SQL } from "drizzle-orm";
import { userStatistics } from "../db/ledger-schema.ts";
import { insertFrom } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";

/** Inserts a row of zeros for each user that `from` selects and that has none. */
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
