import { and, desc, eq, gt, lt, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { getTableColumns } from "drizzle-orm/utils";
import { kyc } from "../../db/kyc-schema.ts";
import { analyticsReports } from "../../db/ledger-schema.ts";
import { auditLogs } from "../../db/platform-schema.ts";
import { profiles, users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { selectLiveSessions } from "../../sessions/session.store.ts";
import { selectWallet } from "../../users/wallet.store.ts";
import { runStaffBatch } from "../staff-batch.store.ts";

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
  role: users.role,
  emailVerified: users.emailVerified,
  phoneVerified: users.phoneVerified,
  dateJoined: users.dateJoined,
  lastLogin: users.lastLogin,
  socialProvider: users.socialProvider,
  socialProfileData: users.socialProfileData,
};

/** Selects what staff see of a user. */
export function selectUserDetail(deps: Pick<Deps, "db">, userId: string) {
  return {
    user: deps.db.select(shown).from(users).where(eq(users.id, userId)),
    profile: deps.db.select().from(profiles).where(eq(profiles.userId, userId)),
    wallet: selectWallet(deps, eq(users.id, userId)),
    kyc: deps.db.select().from(kyc).where(eq(kyc.userId, userId)),
  };
}

type Found = { [K in keyof ReturnType<typeof selectUserDetail>]: Awaited<ReturnType<typeof selectUserDetail>[K]> };

/** Combines the rows of `selectUserDetail`; undefined if there is no such user. */
export function userDetailOf(found: Found) {
  const [user, wallet] = [found.user[0], found.wallet[0]];
  return user && wallet && { user, wallet, profile: found.profile[0], kyc: found.kyc[0] };
}

export type UserDetail = NonNullable<ReturnType<typeof userDetailOf>>;

/** Reads a user's detail for staff and records the view, in one transaction. */
export async function auditUserView(deps: UserDetailDeps, client: Client, caller: StaffClaims, userId: string) {
  const found = await runStaffBatch(deps, caller, ({ isStaff }) =>
    mergeStatements(
      {
        audit: recordAudit(
          deps,
          client,
          {
            userId,
            action: "VIEW",
            entityType: "user",
            entityId: userId,
            actorId: caller.userId,
            byStaff: true,
            sessionId: caller.sessionId,
          },
          sql`${isStaff} and ${isUser(userId)}`,
        ),
      },
      selectUserDetail(deps, userId),
    ),
  );
  return userDetailOf(found);
}

/** The user exists. */
export function isUser(userId: string): SQL {
  return sql`exists (select 1 from users where id = ${userId})`;
}

function selectId(deps: Pick<Deps, "db">, userId: string) {
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

/** The column, or null once the row's user or the actor is deleted: the history of deleted users is erased later. */
function shownOf<T>(column: SQLWrapper): SQL<T> {
  return sql<T>`case when exists (select 1 from users owner where owner.id = ${auditLogs.userId})
    and (${auditLogs.actorId} is null or ${users.id} is not null) then ${column} end`;
}

/**
 * A page of actions on and by a user, newest first, after the id `after`. Rows that involve deleted users are included
 * without values, address and user agent.
 */
export async function listAuditLogs(
  deps: UserDetailDeps,
  caller: StaffClaims,
  userId: string,
  page: { size: number; after: string | undefined },
) {
  const { size, after } = page;
  const found = await runStaffBatch(deps, caller, ({ ifStaff }) => ({
    user: selectId(deps, userId),
    logs: deps.db
      .select({
        log: {
          ...getTableColumns(auditLogs),
          oldValues: shownOf(auditLogs.oldValues).mapWith(auditLogs.oldValues).as("shown_old_values"),
          newValues: shownOf(auditLogs.newValues).mapWith(auditLogs.newValues).as("shown_new_values"),
          ip: shownOf<string | null>(auditLogs.ip).as("shown_ip"),
          userAgent: shownOf<string | null>(auditLogs.userAgent).as("shown_user_agent"),
        },
        actor: sql<string | null>`${users.username}`.as("actor_username"),
      })
      .from(auditLogs)
      .leftJoin(users, eq(users.id, auditLogs.actorId))
      .where(and(eq(auditLogs.userId, ifStaff(userId)), after === undefined ? undefined : lt(auditLogs.id, after)))
      .orderBy(desc(auditLogs.id))
      // One extra row shows whether there is a next page.
      .limit(size + 1),
  }));
  const isKnown = found.user.length > 0 || found.logs.length > 0 || after !== undefined;
  return { isKnown, found: found.logs.slice(0, size), hasMore: found.logs.length > size };
}

export type AuditLogRow = Awaited<ReturnType<typeof listAuditLogs>>["found"][number];

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
