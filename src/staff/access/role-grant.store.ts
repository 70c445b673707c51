import { type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit } from "../../platform/data/audit.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { isLastAdmin } from "../../users/last-admin.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { endEverySession, type StaffActionDeps } from "../users/staff-action.store.ts";
import { hasOwnPasskey, mayBeStaff, type RoleChange } from "./account-access.store.ts";

const operator = { client: { ip: null, userAgent: null }, caller: null };

/**
 * Statements, in the order of one transaction, by which the operator of the service changes a role, for example of the
 * first admin. The rules are those of the API: an identifier is verified and none is a test identifier (here recognized
 * by the audit rows of past sign-ins); the last admin keeps the role; every session ends.
 *
 * @returns the statements. The rows of `detail` have the final state and, if `isChanged` is 0, the reason.
 */
export function roleGrant(deps: StaffActionDeps, identifier: Identifier, role: RoleChange["role"]) {
  const auditId = deps.newId();
  const isPerson = isIdentifiedBy(identifier);
  const userId = sql`(select id from users where ${isPerson})`;
  const isDone = isAudited(userId, auditId);
  const obstacles = {
    isUnproved: role === "user" ? sql`false` : sql`not ${mayBeStaff([])}`,
    isTestIdentifier: role === "user" ? sql`false` : isReviewers,
    isLastAdmin: role === "admin" ? sql`false` : isLastAdmin,
    hasNoPasskey: role === "user" ? sql`false` : sql`not ${hasOwnPasskey(deps)}`,
  };
  const mayChange = sql`role <> ${role} and not (${sql.join(Object.values(obstacles), sql` or `)})`;
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
          oldValues: sql`(select json_object('role', role) from users where ${isPerson})`,
          newValues: sql`json_object('role', ${role}, 'reason', 'by command')`,
          actorId: null,
          byStaff: true,
        },
        sql`exists (select 1 from users where ${isPerson} and ${mayChange})`,
      ),
    },
    changeUser(deps, userId, isDone, { role }),
    endEverySession(deps, { ...operator, userId }, "role_changed", isDone),
    {
      detail: deps.db
        .select({
          id: users.id,
          username: users.username,
          role: users.role,
          isChanged: flag(isDone, "is_changed"),
          isUnproved: flag(obstacles.isUnproved, "is_unproved"),
          isTestIdentifier: flag(obstacles.isTestIdentifier, "is_test_identifier"),
          isLastAdmin: flag(obstacles.isLastAdmin, "is_last_admin"),
          hasNoPasskey: flag(obstacles.hasNoPasskey, "has_no_passkey"),
        })
        .from(users)
        .where(isPerson),
    },
  );
}

/** Selects all staff and admins, with the number of their passkeys and when the first was added (epoch ms). */
export function selectStaff(deps: Pick<StaffActionDeps, "db">) {
  const { id, username, email, phoneNumber, role, status } = users;
  const passkeys = sql<number>`(select count(*) from passkeys where passkeys.user_id = users.id)`.as("passkeys");
  const since = sql<number | null>`(select min(created_at) from passkeys where passkeys.user_id = users.id)`.as(
    "since",
  );
  return deps.db
    .select({ id, username, email, phoneNumber, role, status, passkeys, since })
    .from(users)
    .where(sql`role <> 'user'`);
}

const flag = (condition: SQL, name: string) => sql<0 | 1>`(${condition})`.as(name);

const isReviewers = sql.raw(`exists (select 1 from audit_logs where audit_logs.user_id = users.id
  and json_extract(new_values, '$.test_identifier') = 1)`);
