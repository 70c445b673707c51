import { type SQL, sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { type Identifier, isIdentifiedBy } from "../../users/identifier.ts";
import { isLastAdmin } from "../../users/last-admin.store.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { endEverySession, type StaffActionDeps } from "../users/staff-action.store.ts";
import { mayBeStaff, type RoleChange } from "./account-access.store.ts";

const operator = { client: { ip: null, userAgent: null }, caller: null };

/**
 * The statements by which who operates the service changes a role, in the order of one transaction: for the first admin,
 * whom nobody else can make. The rules are those of the API: the identifier is proved and none that reviewers share, which
 * its past sign-ins tell here; the last admin stays; every session ends.
 *
 * @returns with `person`, whose rows tell what stands, and why nothing was changed where `isChanged` is 0.
 */
export function roleGrant(deps: StaffActionDeps, identifier: Identifier, role: RoleChange["role"]) {
  const auditId = deps.newId();
  const isPerson = isIdentifiedBy(identifier);
  const isDone = sql`exists (select 1 from audit_logs where id = ${auditId})`;
  const userId = sql`(select user_id from audit_logs where id = ${auditId})`;
  const obstacles = {
    isUnproved: role === "user" ? sql`false` : sql`not ${mayBeStaff([])}`,
    isTestIdentifier: role === "user" ? sql`false` : isReviewers,
    isLastAdmin: role === "admin" ? sql`false` : isLastAdmin,
  };
  const mayChange = sql`role <> ${role} and not (${sql.join(Object.values(obstacles), sql` or `)})`;
  return {
    audit: recordAudit(
      deps,
      operator.client,
      {
        id: auditId,
        userId: sql`(select id from users where ${isPerson})`,
        action: "UPDATE",
        entityType: "user",
        entityId: sql`(select id from users where ${isPerson})`,
        oldValues: sql`(select json_object('role', role) from users where ${isPerson})`,
        newValues: sql`json_object('role', ${role}, 'reason', 'by command')`,
        actorId: null,
        byStaff: true,
      },
      sql`exists (select 1 from users where ${isPerson} and ${mayChange})`,
    ),
    ...changeUser(deps, userId, isDone, { role }),
    ...endEverySession(deps, { ...operator, userId }, "role_changed", isDone),
    person: deps.db
      .select({
        id: users.id,
        username: users.username,
        role: users.role,
        isChanged: flag(isDone, "is_changed"),
        isUnproved: flag(obstacles.isUnproved, "is_unproved"),
        isTestIdentifier: flag(obstacles.isTestIdentifier, "is_test_identifier"),
        isLastAdmin: flag(obstacles.isLastAdmin, "is_last_admin"),
      })
      .from(users)
      .where(isPerson),
  };
}

/** The statement that reads everybody who is more than a user. */
export function selectStaff(deps: Pick<StaffActionDeps, "db">) {
  const { id, username, email, phoneNumber, role, status } = users;
  return deps.db.select({ id, username, email, phoneNumber, role, status }).from(users).where(sql`role <> 'user'`);
}

const flag = (condition: SQL, name: string) => sql<0 | 1>`(${condition})`.as(name);

const isReviewers = sql.raw(`exists (select 1 from audit_logs where audit_logs.user_id = users.id
  and json_extract(new_values, '$.test_identifier') = 1)`);
