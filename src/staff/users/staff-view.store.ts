import { and, eq, type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import type { Statements } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import {
  beyondStaffViews,
  isRecorded,
  recordStaffView,
  type StaffView,
  selectOldestView,
} from "../../sessions/staff-views.store.ts";

type ViewDeps = Pick<Deps, "db" | "now" | "newId" | "config">;

/** A view of one user. */
type UserView = Omit<StaffView, "id" | "userId"> & {
  userId: string;
  /** What is shown exists; the user by default. */
  exists?: SQL;
};

/** Selects the user if there is something to show and the view with the id was not recorded. */
const selectUnrecorded = (deps: Pick<Deps, "db">, caller: StaffClaims, { userId, exists }: UserView, viewId: string) =>
  deps.db
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.id, userId), exists, sql`not ${isRecorded(caller, viewId)}`));

/** The statements of a recorded view before those that read what it shows. */
function recording(deps: ViewDeps, client: Client, caller: StaffClaims, view: UserView, id: string, condition: SQL) {
  const { exists = sql`exists (select 1 from users where id = ${view.userId})` } = view;
  return {
    viewRow: recordStaffView(deps, client, caller, { ...view, id }, sql`${condition} and ${exists}`),
    unrecorded: selectUnrecorded(deps, caller, view, id),
    oldestView: selectOldestView(deps, caller, id, exists),
  };
}

/**
 * Statements that record a view of a user, if `condition` holds, what it shows exists and the caller has views left,
 * and then read what it shows.
 *
 * @param read builds the reads from the id of the audit row; each must be empty unless that row exists.
 */
export function readRecorded<T extends Statements>(
  deps: ViewDeps,
  client: Client,
  caller: StaffClaims,
  view: UserView,
  condition: SQL,
  read: (viewId: string) => T,
): ReturnType<typeof recording> & T {
  const id = deps.newId();
  const statements: Statements = recording(deps, client, caller, view, id, condition);
  return mergeStatements(statements, read(id) as Statements) as ReturnType<typeof recording> & T;
}

/** @throws AppError `rate_limit_exceeded` if the results of `readRecorded` show that the caller has no views left. */
export function refuseUnlessRecorded(
  deps: Pick<Deps, "now" | "config" | "log">,
  caller: StaffClaims,
  { unrecorded, oldestView }: { unrecorded: readonly unknown[]; oldestView: readonly { id: string }[] },
): void {
  if (unrecorded.length > 0) throw beyondStaffViews(deps, caller, oldestView);
}
