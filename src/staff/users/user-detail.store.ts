import { and, eq, gt, type SQL, sql } from "drizzle-orm";
import { kyc } from "../../db/kyc-schema.ts";
import { analyticsReports } from "../../db/ledger-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { selectLiveSessions } from "../../sessions/session.store.ts";
import { ifRecorded, isRecorded } from "../../sessions/staff-views.store.ts";
import { selectWallet } from "../../users/wallet.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";
import { readRecorded, refuseUnlessRecorded } from "./staff-view.store.ts";

type UserDetailDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log" | "config">;

// Listed explicitly so that new columns are not exposed by default.
const shown = {
  id: users.id,
  username: users.username,
  email: users.email,
  phoneNumber: users.phoneNumber,
  profilePicture: users.profilePicture,
  referralCode: users.referralCode,
  status: users.status,
  statusReason: users.statusReason,
  role: users.role,
  locale: users.locale,
  emailVerified: users.emailVerified,
  phoneVerified: users.phoneVerified,
  dateJoined: users.dateJoined,
  lastLogin: users.lastLogin,
  lastActivityAt: users.lastActivityAt,
  socialProvider: users.socialProvider,
  socialProfileData: users.socialProfileData,
};

/** The view of a user that a batch records: who views, and the id of the audit row. */
export interface RecordedView {
  caller: StaffClaims;
  viewId: string;
}

/** Selects what staff see of a user, and whether the batch has recorded that they see it. */
export function selectUserDetail(deps: Pick<Deps, "db">, userId: string | SQL, { caller, viewId }: RecordedView) {
  return {
    recorded: deps.db.select({ one: sql<number>`1` }).from(sql`(select 1)`).where(isRecorded(caller, viewId)),
    user: deps.db.select(shown).from(users).where(eq(users.id, userId)),
    profile: deps.db.select().from(profiles).where(eq(profiles.userId, userId)),
    wallet: selectWallet(deps, eq(users.id, userId)),
    kyc: deps.db.select().from(kyc).where(eq(kyc.userId, userId)),
  };
}

type Found = { [K in keyof ReturnType<typeof selectUserDetail>]: Awaited<ReturnType<typeof selectUserDetail>[K]> };

/**
 * Combines the rows of `selectUserDetail`; undefined if there is no such user. Without a recorded view, responses leave
 * out what identifies the person (`viewDetail`).
 */
export function userDetailOf(found: Found) {
  const [user, wallet] = [found.user[0], found.wallet[0]];
  const isRecorded = found.recorded.length > 0;
  return user && wallet && { user, wallet, profile: found.profile[0], kyc: found.kyc[0], isRecorded };
}

export type UserDetail = NonNullable<ReturnType<typeof userDetailOf>>;

/**
 * Reads a user's detail for staff and records the view, in one transaction.
 *
 * @returns undefined if there is no such user.
 * @throws AppError `rate_limit_exceeded` if the caller has no views left.
 */
export async function auditUserView(deps: UserDetailDeps, client: Client, caller: StaffClaims, userId: string) {
  const found = await runStaffBatch(deps, caller, ({ isStaff }) =>
    readRecorded(deps, client, caller, { userId, entityType: "user", entityId: userId }, isStaff, (id) =>
      selectUserDetail(deps, ifRecorded(caller, id, userId), { caller, viewId: id }),
    ),
  );
  refuseUnlessRecorded(deps, caller, found);
  return userDetailOf(found);
}

/** The user exists. */
export function isUser(userId: string): SQL {
  return sql`exists (select 1 from users where id = ${userId})`;
}

/** Selects the id of the user, if the user exists. */
export function selectId(deps: Pick<Deps, "db">, userId: string) {
  return deps.db.select({ id: users.id }).from(users).where(eq(users.id, userId));
}

/** A user's active sessions. */
export async function listUserSessions(deps: UserDetailDeps, caller: StaffClaims, userId: string) {
  const found = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    user: selectId(deps, userId),
    sessions: selectLiveSessions(deps, ifStaff(userId)),
  }));
  return { isUser: found.user.length > 0, sessions: found.sessions };
}

/** Requests an analytics report of a user. */
export async function requestReport(deps: UserDetailDeps, caller: StaffClaims, userId: string) {
  const found = await runStaffBatch(deps, caller, ({ isStaff }) => ({
    events: recordEvent(
      deps,
      { type: "analytics_report.requested", userId, payload: JSON.stringify({ user_id: userId }), queue: "tasks" },
      sql`${isStaff} and ${isUser(userId)}`,
    ),
    user: selectId(deps, userId),
  }));
  return { isUser: found.user.length > 0, events: found.events };
}

/** A user's analytics report; undefined if there is none or it has expired. */
export async function findReport(deps: UserDetailDeps, caller: StaffClaims, userId: string) {
  const found = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    reports: deps.db
      .select({ report: analyticsReports.report })
      .from(analyticsReports)
      .where(and(eq(analyticsReports.userId, ifStaff(userId)), gt(analyticsReports.expiresAt, deps.now()))),
  }));
  return found.reports[0]?.report;
}
