import { and, desc, lt, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { favoriteStations, pointTransactions, rentals, walletTransactions } from "../../db/ledger-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { notifications } from "../../db/user-schema.ts";
import type { Results } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import { EXPORT_PAGE } from "./export-limits.ts";

/** The lists of an export that may be longer than a page. */
export const EXPORT_LISTS = [
  "sessions",
  "walletTransactions",
  "pointTransactions",
  "rentals",
  "favorites",
  "notifications",
  "audit",
] as const;

/** Where a page of each list begins: after this id, "" for the start; null if the list has ended. */
export type Positions = Record<(typeof EXPORT_LISTS)[number], string | null>;

/**
 * Selects a page of each unfinished list of the user whose id `owner` yields; a NULL selects and reads nothing. Each
 * list is read in the order of one of its indexes: by id, so newest first; rentals and stations by the ids that other
 * services chose, points by source, reason and reference.
 */
export function selectLists(deps: Pick<Deps, "db">, owner: SQL, from: Positions) {
  const own = (column: SQLiteColumn) => sql`${column} = ${owner}`;
  const after = (column: SQLiteColumn, id: string) => (id === "" ? undefined : lt(column, id));
  // One extra row shows whether the list goes on.
  const size = EXPORT_PAGE + 1;
  const page = <T>(position: string | null, select: (position: string) => T) =>
    position === null ? undefined : select(position);
  return {
    sessions: page(from.sessions, (position) =>
      deps.db
        .select()
        .from(sessions)
        .where(and(own(sessions.userId), after(sessions.id, position)))
        .orderBy(desc(sessions.id))
        .limit(size),
    ),
    walletTransactions: page(from.walletTransactions, (position) =>
      deps.db
        .select()
        .from(walletTransactions)
        .where(and(own(walletTransactions.userId), after(walletTransactions.id, position)))
        .orderBy(desc(walletTransactions.id))
        .limit(size),
    ),
    pointTransactions: page(from.pointTransactions, (position) => {
      const key = sql.raw("source, reason, reference");
      const isAfter = sql`(${key}) < (select ${key} from point_transactions where id = ${position})`;
      return deps.db
        .select()
        .from(pointTransactions)
        .where(and(own(pointTransactions.userId), position === "" ? undefined : isAfter))
        .orderBy(desc(pointTransactions.source), desc(pointTransactions.reason), desc(pointTransactions.reference))
        .limit(size);
    }),
    rentals: page(from.rentals, (position) =>
      deps.db
        .select()
        .from(rentals)
        .where(and(own(rentals.userId), after(rentals.rentalId, position)))
        .orderBy(desc(rentals.rentalId))
        .limit(size),
    ),
    favorites: page(from.favorites, (position) =>
      deps.db
        .select()
        .from(favoriteStations)
        .where(and(own(favoriteStations.userId), after(favoriteStations.stationId, position)))
        .orderBy(desc(favoriteStations.stationId))
        .limit(size),
    ),
    notifications: page(from.notifications, (position) =>
      deps.db
        .select()
        .from(notifications)
        .where(and(own(notifications.userId), after(notifications.id, position)))
        .orderBy(desc(notifications.id))
        .limit(size),
    ),
    audit: page(from.audit, (position) =>
      deps.db
        .select()
        .from(auditLogs)
        .where(and(own(auditLogs.userId), after(auditLogs.id, position)))
        .orderBy(desc(auditLogs.id))
        .limit(size),
    ),
  };
}

type Lists = Results<ReturnType<typeof selectLists>>;

/** One page of each list. */
export type ExportLists = { [Name in keyof Lists]: NonNullable<Lists[Name]> };

/** The rows of a page, and where the next one begins. */
export function pageOfLists(found: Lists): { lists: ExportLists; next: Positions } {
  const shown = <T>(rows: readonly T[] | undefined): T[] => (rows ?? []).slice(0, EXPORT_PAGE);
  const next = <T>(rows: readonly T[] | undefined, idOf: (row: T) => string): string | null => {
    const last = rows?.[EXPORT_PAGE - 1];
    return rows !== undefined && last !== undefined && rows.length > EXPORT_PAGE ? idOf(last) : null;
  };
  const idOf = (row: { id: string }) => row.id;
  return {
    lists: {
      sessions: shown(found.sessions),
      walletTransactions: shown(found.walletTransactions),
      pointTransactions: shown(found.pointTransactions),
      rentals: shown(found.rentals),
      favorites: shown(found.favorites),
      notifications: shown(found.notifications),
      audit: shown(found.audit),
    },
    next: {
      sessions: next(found.sessions, idOf),
      walletTransactions: next(found.walletTransactions, idOf),
      pointTransactions: next(found.pointTransactions, idOf),
      rentals: next(found.rentals, ({ rentalId }) => rentalId),
      favorites: next(found.favorites, ({ stationId }) => stationId),
      notifications: next(found.notifications, idOf),
      audit: next(found.audit, idOf),
    },
  };
}
