import { type SQL, sql } from "drizzle-orm";
import { tellVerifiedAddresses } from "../../auth/identity/security-message.store.ts";
import { passkeys } from "../../db/identity-schema.ts";
import { users } from "../../db/user-schema.ts";
import { notices } from "../../delivery/notices.ts";
import { isAudited, recordAudit } from "../../platform/data/audit.ts";
import { idForEachRow, instantOf, mergeStatements } from "../../platform/data/database.ts";
import { recordEvent } from "../../platform/data/outbox.ts";
import { DAY_MS, HOUR_MS } from "../../platform/time.ts";
import { mayChangeSignIn } from "../../sessions/authority.store.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { recordNotification } from "../../users/notification.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { refuseUnlessStaff } from "../refusals.ts";
import {
  type Actor,
  endEverySession,
  type Right,
  runStaffAction,
  type StaffActionDeps,
} from "../users/staff-action.store.ts";

/** How long a member of staff may add a passkey after a reset by an admin, in milliseconds. */
export const RESET_WINDOW_MS = DAY_MS;
/** As `RESET_WINDOW_MS`, after the operator's command. */
export const ENROL_WINDOW_MS = HOUR_MS;

/** Resetting the passkeys of an account: see `mayChangeSignIn`. */
const resetPasskeysOf: Right<StaffClaims> = { condition: mayChangeSignIn, refuse: refuseUnlessStaff };

/** The number of the user's passkeys, and until when staff may add one, as JSON for the audit row. */
const resetValues = (deps: StaffActionDeps, which: SQL, windowMs: number, reason: string) => ({
  oldValues: sql`(select json_object('passkeys', (select count(*) from passkeys where user_id = users.id)) from users where ${which})`,
  newValues: sql`(select json_object('passkeys', 0, 'reason', ${reason}, 'enrolment_until',
    iif(role = 'user', null, ${instantOf(deps.now() + windowMs)})) from users where ${which})`,
});

/**
 * If `isDone` holds, removes the user's passkeys and tells the person; for a member of staff, also opens the enrolment
 * window and tells every other admin.
 *
 * @param userId the user's id, or a scalar subquery for it.
 */
function resetStatements(deps: StaffActionDeps, userId: string | SQL, windowMs: number, isDone: SQL) {
  return mergeStatements(
    { removed: deps.db.delete(passkeys).where(sql`${passkeys.userId} = ${userId} and ${isDone}`) },
    changeUser(deps, userId, isDone, {
      passkeyEnrolmentUntil: sql`iif(${users.role} = 'user', null, ${instantOf(deps.now() + windowMs)})`,
    }),
    {
      resetEvent: recordEvent(deps, { type: "auth.passkeys_reset", userId, payload: "{}", queue: "tasks" }, isDone),
      adminNotices: recordNotification(
        deps,
        { id: idForEachRow(deps), kind: "STAFF_PASSKEYS_RESET", texts: notices.STAFF_PASSKEYS_RESET },
        sql`from users where users.role = 'admin' and users.role <> 'user' and users.id <> ${userId} and ${isDone}
          and exists (select 1 from users reset where reset.id = ${userId} and reset.role <> 'user')`,
      ),
    },
    tellVerifiedAddresses(deps, userId, "PASSKEYS_RESET", isDone),
  );
}

/**
 * Removes all passkeys of a user and ends every session. A member of staff may then add a passkey for 24 hours, after
 * signing in by their own identifier (ASVS 6.4.4, 6.4.6: an admin starts the recovery and never holds the factor).
 */
export function resetPasskeys(deps: StaffActionDeps, actor: Actor, reason: string) {
  const { userId } = actor;
  const isUser = sql`id = ${userId}`;
  return runStaffAction(deps, actor, resetPasskeysOf, {
    audit: resetValues(deps, isUser, RESET_WINDOW_MS, reason),
    condition: sql`exists (select 1 from users where id = ${userId}
      and (role <> 'user' or exists (select 1 from passkeys where user_id = users.id)))`,
    follow: (isDone, auditId) => {
      const { changeEvent, resetEvent, emailMessage, phoneMessage, ...writes } = resetStatements(
        deps,
        userId,
        RESET_WINDOW_MS,
        isDone,
      );
      const ended = endEverySession(deps, actor, "passkeys_reset", isDone, auditId);
      return {
        writes: mergeStatements(writes, ended),
        events: { changeEvent, resetEvent, emailMessage, phoneMessage },
      };
    },
  });
}

const operator = { client: { ip: null, userAgent: null }, caller: null };

/**
 * The operator's counterpart of `resetPasskeys`: statements, in the order of one transaction, that let a member of
 * staff add a passkey within an hour.
 *
 * @returns the statements; `isChanged` in the row of `detail` tells whether they took effect.
 */
export function enrolStaff(deps: StaffActionDeps, identifier: Identifier) {
  const auditId = deps.newId();
  const isPerson = isIdentifiedBy(identifier);
  const userId = sql`(select id from users where ${isPerson})`;
  const isDone = isAudited(userId, auditId);
  const values = resetValues(deps, isPerson, ENROL_WINDOW_MS, "by command");
  return mergeStatements(
    {
      audit: recordAudit(
        deps,
        operator.client,
        {
          id: auditId,
          userId,
          action: "UPDATE",
          entityType: "user",
          entityId: userId,
          oldValues: values.oldValues,
          newValues: values.newValues,
          actorId: null,
          byStaff: true,
        },
        sql`exists (select 1 from users where ${isPerson} and role <> 'user')`,
      ),
    },
    resetStatements(deps, userId, ENROL_WINDOW_MS, isDone),
    endEverySession(deps, { ...operator, userId }, "passkeys_reset", isDone),
    {
      detail: deps.db
        .select({
          id: users.id,
          username: users.username,
          role: users.role,
          isChanged: sql<0 | 1>`(${isDone})`.as("is_changed"),
        })
        .from(users)
        .where(isPerson),
    },
  );
}
