import { and, eq, type SQL, sql } from "drizzle-orm";
import { points, wallets } from "../db/ledger-schema.ts";
import { users } from "../db/user-schema.ts";
import { CURRENCY } from "../nepal.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import { isSignedIn } from "../sessions/session.store.ts";
import type { AccessClaims } from "../sessions/tokens.ts";

const fields = {
  balanceMinor: sql<number>`coalesce(${wallets.balanceMinor}, 0)`.as("balance_minor"),
  currency: sql<string>`coalesce(${wallets.currency}, ${CURRENCY})`.as("currency"),
  currentPoints: sql<number>`coalesce(${points.currentPoints}, 0)`.as("current_points"),
  totalPoints: sql<number>`coalesce(${points.totalPoints}, 0)`.as("total_points"),
  /** Time of the last change of wallet or points; for an account without either, of its creation. */
  updatedAt:
    sql<number>`max(coalesce(${wallets.updatedAt}, 0), coalesce(${points.updatedAt}, 0), ${users.dateJoined})`.as(
      "last_updated",
    ),
};

/** A user's balance and points. */
export interface WalletRow {
  balanceMinor: number;
  currency: string;
  currentPoints: number;
  totalPoints: number;
  updatedAt: number;
}

/** Selects a user's wallet and points from stored totals, regardless of the length of the history. */
export function selectWallet(deps: Pick<Deps, "db">, which: SQL | undefined) {
  return deps.db
    .select(fields)
    .from(users)
    .leftJoin(wallets, eq(wallets.userId, users.id))
    .leftJoin(points, eq(points.userId, users.id))
    .where(which);
}

/** The caller's wallet and points; undefined if the session has ended. */
export async function findWallet(
  deps: Pick<Deps, "db" | "now" | "log">,
  caller: AccessClaims,
): Promise<WalletRow | undefined> {
  const { found } = await runBatch(deps, {
    found: selectWallet(deps, and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  return found[0];
}
