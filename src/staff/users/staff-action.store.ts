import { type SQL, sql } from "drizzle-orm";
import type { AuditedEntity } from "../../db/platform-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { mergeStatements, type Results } from "../../platform/data/database.ts";
import { eventsOf, type OutboxRow, type recordEvent } from "../../platform/data/outbox.ts";
import type { Statement, Statements } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { mayChangeAccount, mayChangeRole } from "../../sessions/authority.store.ts";
import type { AdminClaims, StaffClaims } from "../../sessions/claims.ts";
import { type CallerRow, endSessions, selectEnded } from "../../sessions/session.store.ts";
import { recordStaffView } from "../../sessions/staff-views.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import {
  refuseUnlessAccountIsChangeable,
  refuseUnlessAdminWithRecentPasskey,
  refuseUnlessStaff,
  userNotFound,
} from "../refusals.ts";
import { commitStaffBatch } from "../staff-batch.store.ts";
import { isUser, selectUserDetail, userDetailOf } from "./user-detail.store.ts";

// Common parts of all staff actions on an account.

export type StaffActionDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log" | "config">;

/** A staff member and the user they act on. */
export interface Actor<C extends StaffClaims = StaffClaims> {
  client: Client;
  caller: C;
  userId: string;
}

/** The right to act on a user: the SQL condition, and a check that refuses callers regardless of the user. */
export interface Right<C extends StaffClaims> {
  condition(deps: Pick<Deps, "db" | "now">, caller: C, userId: string): SQL;
  /** @throws AppError `permission_denied`; `passkey_required`. */
  refuse(caller: CallerRow): void;
}

/** Changing an account: see `mayChangeAccount`. */
export const changeAccount: Right<StaffClaims> = { condition: mayChangeAccount, refuse: refuseUnlessStaff };
/** Changing a role: see `mayChangeRole`. */
export const changeRole: Right<AdminClaims> = { condition: mayChangeRole, refuse: refuseUnlessAdminWithRecentPasskey };

type EventStatement = ReturnType<typeof recordEvent>;

/** A staff action on a user, without the permission check. */
export interface StaffAction<More extends Record<string, Statement>> {
  audit: { entityType?: AuditedEntity; oldValues?: SQL; newValues: SQL };
  /** There is something to do, and nothing forbids it. */
  condition: SQL;
  /**
   * The user already is as the action would leave them, and nothing forbids the action. The response then shows the
   * user, so the view is recorded. By default: `condition` does not hold.
   */
  isSoAlready?: SQL;
  /**
   * The statements after the audit row. Each must require `isDone`: the audit row exists only if the caller may act and
   * `condition` holds.
   */
  follow(isDone: SQL, auditId: string): { writes: Statements; events: Record<string, EventStatement> };
  /** Further reads, after the writes. */
  reads?: More;
}

/** The user whose sessions end, and who ends them; `caller` is null if the operator of the service does. */
interface EndsSessions {
  client: Pick<Client, "userAgent"> & { ip: string | null };
  caller: AccessClaims | null;
  userId: string | SQL;
}

/**
 * Ends every live session of the user if `condition` holds, with an audit row for each; `selectEnded` finds them by
 * `endingId`.
 */
export function endEverySession(
  deps: StaffActionDeps,
  by: EndsSessions,
  reason: string,
  condition: SQL,
  endingId?: string,
) {
  const { client, caller, userId } = by;
  return endSessions(deps, client, {
    userId,
    which: condition,
    reason,
    staff: caller,
    ...(endingId ? { endingId } : {}),
  });
}

/**
 * Runs an action in one transaction, which checks the caller's session and right and reads the user afterwards. It also
 * records that the caller sees the user. A caller without views left may still act: then no view is recorded, and
 * `detail.isRecorded` is false.
 *
 * @returns `isDone`: false if the action's condition did not hold; `caller`: the caller's row; `detail`: the user;
 *   `events`: those to publish, none if D1's answer was lost, because the cron then publishes them; `endedSessions`:
 *   their ids; `more`: the results of all statements, among them the action's own reads.
 * @throws AppError `token_not_valid`; `permission_denied`; `passkey_required`; `not_found` if there is no such user.
 */
export async function runStaffAction<C extends StaffClaims, More extends Record<string, Statement>>(
  deps: StaffActionDeps,
  actor: Actor<C>,
  right: Right<C>,
  action: StaffAction<More>,
) {
  const { client, caller, userId } = actor;
  const id = deps.newId();
  const audit = recordAudit(
    deps,
    client,
    {
      id,
      userId,
      action: "UPDATE",
      entityType: "user",
      entityId: userId,
      ...action.audit,
      actorId: caller.userId,
      byStaff: true,
      sessionId: caller.sessionId,
    },
    sql`${right.condition(deps, caller, userId)} and ${action.condition}`,
  );
  const isDone = isAudited(userId, id);
  const viewId = deps.newId();
  const viewed = { id: viewId, userId, entityType: "user", entityId: userId } as const;
  const isSoAlready = action.isSoAlready ?? sql`not (${action.condition})`;
  const view = recordStaffView(
    deps,
    client,
    caller,
    viewed,
    sql`(${isDone} or ${isUser(userId)} and ${right.condition(deps, caller, userId)} and ${isSoAlready})`,
  );
  const { writes, events } = action.follow(isDone, id);
  const reads = mergeStatements(
    {
      done: selectAudit(deps, userId, id),
      ended: selectEnded(deps, userId, id),
    },
    selectUserDetail(deps, userId, { caller, viewId }),
  );
  const found = await commitStaffBatch(
    deps,
    caller,
    () => ({
      writes: mergeStatements({ audit, view }, writes, events),
      reads: mergeStatements(reads, action.reads as Statements | undefined) as typeof reads,
    }),
    ({ done }) => done.length > 0,
  );
  right.refuse(found.caller);
  const detail = userDetailOf(found);
  if (!detail) throw userNotFound();
  const wasDone = found.done.length > 0;
  if (!wasDone) refuseUnlessAccountIsChangeable(found.caller, actor, detail.user);
  const rows = found as Partial<Record<string, OutboxRow[]>>;
  return {
    isDone: wasDone,
    caller: found.caller,
    detail,
    events: eventsOf(...Object.keys(events).map((name) => rows[name])),
    endedSessions: found.ended.map(({ id: sessionId }) => sessionId),
    more: found as unknown as Results<More>,
  };
}
