import { and, eq, type SQL, sql } from "drizzle-orm";
import { otpClassGuards, otpNetworkGuards } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { notices } from "../../delivery/messages.ts";
import { commit } from "../../platform/data/commit.ts";
import { mayChangeAccount } from "../../sessions/authority.store.ts";
import { isAdmin, selectCaller } from "../../sessions/session.store.ts";
import { recordNotification } from "../../users/notification.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import {
  type Actor,
  beginStaffAction,
  endEverySession,
  runStaffAction,
  type StaffActionDeps,
  selectEnded,
} from "../users/staff-action.store.ts";
import { isUser } from "../users/user-detail.store.ts";

export interface StatusChange {
  status: "ACTIVE" | "INACTIVE" | "BANNED";
  reason: string | null;
}

const told = { ACTIVE: "ACCOUNT_ACTIVATED", INACTIVE: "ACCOUNT_DEACTIVATED", BANNED: "ACCOUNT_BANNED" } as const;

/** Changes whether a user may sign in and act, and tells them; all but ACTIVE ends every session. */
export function changeStatus(deps: StaffActionDeps, actor: Actor, { status, reason }: StatusChange) {
  const { userId } = actor;
  const statusReason = status === "ACTIVE" ? null : "staff";
  const values = (of: SQL) => sql`(select ${of} from users where id = ${userId})`;
  const { id, audit, isDone } = beginStaffAction(
    deps,
    actor,
    {
      oldValues: values(sql`json_object('status', status, 'status_reason', status_reason)`),
      newValues: sql`json_object('status', ${status}, 'status_reason', ${statusReason}, 'reason', ${reason})`,
    },
    sql`${mayChangeAccount(deps, actor.caller, userId)} and exists (select 1 from users where id = ${userId}
      and (status <> ${status} or status_reason is not ${statusReason}))`,
  );
  const kind = told[status];
  const { changedUser, changeEvent } = changeUser(deps, userId, isDone, { status, statusReason });
  const writes = {
    changedUser,
    notification: recordNotification(
      deps,
      { id: deps.newId(), kind, texts: notices[kind] },
      sql`from users where users.id = ${userId} and ${isDone}`,
    ),
    ...(status === "ACTIVE" ? {} : endEverySession(deps, actor, status.toLowerCase(), isDone)),
  };
  return runStaffAction(deps, actor, id, { audit, writes, events: { changeEvent } }, {});
}

export interface RoleChange {
  role: "user" | "staff" | "admin";
  reason: string;
}

/** Holds for a row of `users` that may be more than a user: its identifier is proved, and none that reviewers share. */
export function mayBeStaff(testIdentifiers: readonly string[]): SQL {
  return sql`((email is not null and email_verified or phone_number is not null and phone_verified)
    and not exists (select 1 from json_each(${JSON.stringify(testIdentifiers)}) where value in (email, phone_number)))`;
}

/** Changes a user's role, by an admin, and ends every session. `more.fit` is empty where the user may not be staff. */
export function changeRole(
  deps: StaffActionDeps,
  actor: Actor,
  { role, reason }: RoleChange,
  testIdentifiers: readonly string[],
) {
  const { userId } = actor;
  const isFit = role === "user" ? sql`true` : mayBeStaff(testIdentifiers);
  const { id, audit, isDone } = beginStaffAction(
    deps,
    actor,
    {
      oldValues: sql`(select json_object('role', role) from users where id = ${userId})`,
      newValues: sql`json_object('role', ${role}, 'reason', ${reason})`,
    },
    // The caller is another admin, so that the last one keeps the role.
    sql`${isAdmin(deps, actor.caller)} and ${userId} <> ${actor.caller.userId}
      and exists (select 1 from users where id = ${userId} and role <> ${role} and ${isFit})`,
  );
  const { changedUser, changeEvent } = changeUser(deps, userId, isDone, { role });
  const writes = {
    changedUser,
    ...endEverySession(deps, actor, "role_changed", isDone),
  };
  return runStaffAction(
    deps,
    actor,
    id,
    { audit, writes, events: { changeEvent } },
    {
      fit: deps.db
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.id, userId), isFit)),
    },
  );
}

/** Clears the locks of the user's identifiers, and the failures that count towards them. */
export function clearLocks(deps: StaffActionDeps, actor: Actor, reason: string) {
  const { userId } = actor;
  const own = sql`identifier in (select value from users u, json_each(json_array(u.email, u.phone_number))
    where u.id = ${userId} and value is not null)`;
  const { id, audit, isDone } = beginStaffAction(
    deps,
    actor,
    {
      entityType: "sign_in_locks",
      oldValues: sql`json_object('networks', (select count(*) from otp_network_guards where ${own}),
        'classes', (select count(*) from otp_class_guards where ${own}))`,
      newValues: sql`json_object('reason', ${reason})`,
    },
    sql`${mayChangeAccount(deps, actor.caller, userId)} and (exists (select 1 from otp_network_guards where ${own})
      or exists (select 1 from otp_class_guards where ${own}))`,
  );
  const writes = {
    networks: deps.db.delete(otpNetworkGuards).where(sql`${own} and ${isDone}`),
    classes: deps.db.delete(otpClassGuards).where(sql`${own} and ${isDone}`),
  };
  return runStaffAction(deps, actor, id, { audit, writes, events: {} }, {});
}

/** Ends every session of a user's; each has an audit row of its own. */
export async function endUserSessions(deps: StaffActionDeps, actor: Actor) {
  const { caller, userId } = actor;
  const reads = {
    caller: selectCaller(deps, caller),
    user: deps.db.select({ role: users.role }).from(users).where(eq(users.id, userId)),
    ended: selectEnded(deps),
  };
  const writes = endEverySession(
    deps,
    actor,
    "ended_by_staff",
    sql`${mayChangeAccount(deps, actor.caller, userId)} and ${isUser(userId)}`,
  );
  const found = await commit(deps, {
    writes,
    reads,
    isCommitted: ({ ended }) => ended.length > 0,
  });
  return { caller: found.caller[0], user: found.user[0], endedSessions: found.ended.map((session) => session.id) };
}
