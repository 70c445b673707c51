import { sql } from "drizzle-orm";
import { users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import { DAY_MS } from "../../platform/time.ts";
import { firstIdInWindow } from "../../platform/uuid.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { runAdminBatch } from "../staff-batch.store.ts";
import { type LogPage, pageOfLogs, selectLogs } from "../users/audit-log.store.ts";

type MemberDeps = Pick<Deps, "db" | "now" | "log" | "config">;

/** Maximum number of members that are listed. */
const MAX_MEMBERS = 200;
/** A greater number of views or acts is reported as this one. */
const MAX_COUNTED = 1_000;

/** All staff and admins, with the number of their views and acts of the last 24 hours. */
export async function readMembers(deps: MemberDeps, caller: AdminClaims) {
  const since = firstIdInWindow(deps.now(), DAY_MS);
  const countOf = (condition: string) =>
    sql<number>`(select count(*) from (select 1 from audit_logs where actor_id = users.id and by_staff = 1 and id >= ${since}
      and ${sql.raw(condition)} limit ${sql.raw(String(MAX_COUNTED))}))`;
  const { members } = await runAdminBatch(deps, caller, ({ isAdmin }) => ({
    members: deps.db
      .select({
        id: users.id,
        username: users.username,
        role: users.role,
        lastLogin: users.lastLogin,
        views: countOf("action = 'VIEW'").as("views"),
        acts: countOf("action <> 'VIEW'").as("acts"),
      })
      .from(users)
      .where(sql`role in ('admin', 'staff') and role <> 'user' and ${isAdmin}`)
      .limit(MAX_MEMBERS),
  }));
  return members;
}

/** A page of what a member of staff has seen and done, newest first; each row with its user, null if deleted. */
export async function listActs(deps: MemberDeps, caller: AdminClaims, actorId: string, page: LogPage) {
  const { logs } = await runAdminBatch(deps, caller, ({ ifAdmin }) => ({
    logs: selectLogs(deps, sql`audit_logs.actor_id = ${ifAdmin(actorId)} and audit_logs.by_staff = 1`, page),
  }));
  return pageOfLogs(logs, page);
}
