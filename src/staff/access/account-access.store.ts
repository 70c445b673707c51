import { and, eq, type SQL, sql } from "drizzle-orm";
import { otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { notices } from "../../delivery/notices.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { selectEnded } from "../../sessions/session.store.ts";
import { recordNotification } from "../../users/notification.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { refuseUnlessAccountIsChangeable, userNotFound } from "../refusals.ts";
import { commitStaffBatch } from "../staff-batch.store.ts";
import {
  type Actor,
  changeAccount,
  changeRole,
  endEverySession,
  runStaffAction,
  type StaffActionDeps,
} from "../users/staff-action.store.ts";
import { isUser } from "../users/user-detail.store.ts";

/** A new status and the reason for it. */
export interface StatusChange {
  status: "ACTIVE" | "INACTIVE" | "BANNED";
  reason: string | null;
}

const notificationTypes = {
  ACTIVE: "ACCOUNT_ACTIVATED",
  INACTIVE: "ACCOUNT_DEACTIVATED",
  BANNED: "ACCOUNT_BANNED",
} as const;

/** Changes a user's status and notifies the user; every status except ACTIVE ends all sessions. */
export function changeStatus(deps: StaffActionDeps, actor: Actor, { status, reason }: StatusChange) {
  const { userId } = actor;
  const statusReason = status === "ACTIVE" ? null : "staff";
  const values = (of: SQL) => sql`(select ${of} from users where id = ${userId})`;
  const kind = notificationTypes[status];
  return runStaffAction(deps, actor, changeAccount, {
    audit: {
      oldValues: values(sql`json_object('status', status, 'status_reason', status_reason)`),
      newValues: sql`json_object('status', ${status}, 'status_reason', ${statusReason}, 'reason', ${reason})`,
    },
    condition: sql`exists (select 1 from users where id = ${userId}
      and (status <> ${status} or status_reason is not ${statusReason}))`,
    follow: (isDone, auditId) => {
      const { changedUser, changeEvent } = changeUser(deps, userId, isDone, { status, statusReason });
      const notification = recordNotification(
        deps,
        { id: deps.newId(), kind, texts: notices[kind] },
        sql`from users where users.id = ${userId} and ${isDone}`,
      );
      const ended =
        status === "ACTIVE" ? undefined : endEverySession(deps, actor, status.toLowerCase(), isDone, auditId);
      return { writes: mergeStatements({ changedUser, notification }, ended), events: { changeEvent } };
    },
  });
}

/** A new role and the reason for it. */
export interface RoleChange {
  role: "user" | "staff" | "admin";
  reason: string;
}

/** The user has a passkey; true where staff need none. */
export function hasOwnPasskey({ config }: Pick<Deps, "config">): SQL {
  return config.requiresStaffPasskeys
    ? sql`exists (select 1 from passkeys where passkeys.user_id = users.id)`
    : sql`true`;
}

/** The row of `users` is eligible for a staff role: an identifier is verified, and none is a test identifier. */
export function mayBeStaff(testIdentifiers: readonly string[]): SQL {
  return sql`((email is not null and email_verified or phone_number is not null and phone_verified)
    and not exists (select 1 from json_each(${JSON.stringify(testIdentifiers)}) where value in (email, phone_number)))`;
}

/**
 * Changes a user's role and ends every session. `more.fit` is empty if the user is not eligible for a staff role, and
 * `more.holder` if they lack the passkey that it needs.
 */
export function updateUserRole(
  deps: StaffActionDeps,
  actor: Actor<AdminClaims>,
  { role, reason }: RoleChange,
  testIdentifiers: readonly string[],
) {
  const { userId } = actor;
  const isFit = role === "user" ? sql`true` : mayBeStaff(testIdentifiers);
  const isHolder = role === "user" ? sql`true` : hasOwnPasskey(deps);
  return runStaffAction(deps, actor, changeRole, {
    audit: {
      oldValues: sql`(select json_object('role', role) from users where id = ${userId})`,
      newValues: sql`json_object('role', ${role}, 'reason', ${reason})`,
    },
    condition: sql`exists (select 1 from users where id = ${userId} and role <> ${role} and ${isFit} and ${isHolder})`,
    isSoAlready: sql`exists (select 1 from users where id = ${userId} and role = ${role})`,
    follow: (isDone, auditId) => {
      const { changedUser, changeEvent } = changeUser(deps, userId, isDone, { role });
      const ended = endEverySession(deps, actor, "role_changed", isDone, auditId);
      return { writes: mergeStatements({ changedUser }, ended), events: { changeEvent } };
    },
    reads: {
      fit: deps.db
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.id, userId), isFit)),
      holder: deps.db
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.id, userId), isHolder)),
    },
  });
}

/** Clears the locks of the user's identifiers and the failures that count towards them. */
export function clearLocks(deps: StaffActionDeps, actor: Actor, reason: string) {
  const { userId } = actor;
  const own = sql`identifier in (select value from users u, json_each(json_array(u.email, u.phone_number))
    where u.id = ${userId} and value is not null)`;
  return runStaffAction(deps, actor, changeAccount, {
    audit: {
      entityType: "sign_in_locks",
      oldValues: sql`json_object('networks', (select count(*) from otp_network_guards where ${own}),
        'classes', (select count(*) from otp_class_guards where ${own}))`,
      newValues: sql`json_object('reason', ${reason})`,
    },
    condition: sql`(exists (select 1 from otp_network_guards where ${own})
      or exists (select 1 from otp_class_guards where ${own}))`,
    follow: (isDone) => ({
      writes: {
        networks: deps.db.delete(otpNetworkGuards).where(sql`${own} and ${isDone}`),
        classes: deps.db.delete(otpClassGuards).where(sql`${own} and ${isDone}`),
      },
      events: {},
    }),
  });
}

/** Ends every session of a user, with an audit row for each. @throws AppError as `runStaffAction`. */
export async function endUserSessions(deps: StaffActionDeps, actor: Actor): Promise<string[]> {
  const { caller, userId } = actor;
  const endingId = deps.newId();
  const found = await commitStaffBatch(
    deps,
    caller,
    ({ mayChange }) => ({
      writes: endEverySession(deps, actor, "ended_by_staff", sql`${mayChange(userId)} and ${isUser(userId)}`, endingId),
      reads: {
        user: deps.db.select({ role: users.role }).from(users).where(eq(users.id, userId)),
        ended: selectEnded(deps, userId, endingId),
      },
    }),
    ({ ended }) => ended.length > 0,
  );
  const [user] = found.user;
  if (!user) throw userNotFound();
  if (found.ended.length === 0) refuseUnlessAccountIsChangeable(found.caller, actor, user);
  return found.ended.map((session) => session.id);
}
