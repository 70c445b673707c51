import { eq, type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../../db/platform-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { recordAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { instantOf, mergeStatements, type Results } from "../../platform/data/database.ts";
import { eventsOf, type OutboxRow, type recordEvent } from "../../platform/data/outbox.ts";
import type { Statement } from "../../platform/data/prepared.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { isLive, recordEndedSessions, selectCaller } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { selectUserDetail, userDetailOf } from "./user-detail.store.ts";

// What everything that staff do to somebody's account has in common.

export type StaffActionDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** Somebody of staff, and whom they act on. */
export interface Actor {
  client: Client;
  caller: AccessClaims;
  userId: string;
}

type EventStatement = ReturnType<typeof recordEvent>;

/** An act as the statements of one batch, each of which asks for `isDone`. */
export interface StaffAction {
  /** Whose row is the act: it is written where the act may take place, and all else follows it. */
  audit: Statement;
  writes: Record<string, Statement>;
  events: Record<string, EventStatement>;
}

/** The audit row of an act, and the condition that it has taken place. */
export function beginStaffAction(
  deps: StaffActionDeps,
  { client, caller, userId }: Actor,
  values: { entityType?: string; oldValues?: SQL; newValues: SQL },
  condition: SQL,
) {
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
      ...values,
      actorId: caller.userId,
      byStaff: true,
      sessionId: caller.sessionId,
    },
    condition,
  );
  return { id, audit, isDone: sql`exists (select 1 from audit_logs where id = ${id})` };
}

/** Whose sessions end, and who ends them: null for who operates the service. */
interface EndsSessions {
  client: Pick<Client, "userAgent"> & { ip: string | null };
  caller: AccessClaims | null;
  userId: string | SQL;
}

/** The statements that end every session of the user, with an audit row each. */
export function endEverySession(deps: StaffActionDeps, by: EndsSessions, reason: string, condition: SQL) {
  const { client, caller, userId } = by;
  return {
    revoked: deps.db
      .update(sessions)
      .set({ revokedAt: instantOf(deps.now()), revokedReason: reason, revokedBy: deps.invocationId })
      .where(sql`${sessions.userId} = ${userId} and ${isLive(deps.now())} and ${condition}`),
    ...recordEndedSessions(deps, client, caller),
  };
}

/** The statement that reads which sessions this invocation has ended. */
export function selectEnded(deps: StaffActionDeps) {
  return deps.db.select({ id: sessions.id }).from(sessions).where(eq(sessions.revokedBy, deps.invocationId));
}

/**
 * Runs an act in one transaction and reads what became of it, with whatever else is asked for.
 *
 * @returns `isDone`; the caller's role, undefined when not signed in; the person as they stand, undefined when there is
 *   no such user; the events to relay, none after a lost answer; the sessions that were ended.
 */
export async function runStaffAction<More extends Record<string, Statement>>(
  deps: StaffActionDeps,
  { caller, userId }: Actor,
  id: string,
  { audit, writes, events }: StaffAction,
  more: More,
) {
  const reads = {
    caller: selectCaller(deps, caller),
    done: deps.db.select({ id: auditLogs.id }).from(auditLogs).where(eq(auditLogs.id, id)),
    ended: selectEnded(deps),
    ...selectUserDetail(deps, userId),
    ...more,
  };
  const found = (await commit(deps, {
    writes: mergeStatements(mergeStatements({ audit }, writes), events),
    reads,
    isCommitted: ({ done }) => done.length > 0,
  })) as Results<typeof reads> & Record<string, OutboxRow[] | undefined>;
  return {
    isDone: found.done.length > 0,
    caller: found.caller[0],
    person: userDetailOf(found),
    events: eventsOf(...Object.keys(events).map((name) => found[name])),
    endedSessions: found.ended.map(({ id: sessionId }: { id: string }) => sessionId),
    more: found as Results<More>,
  };
}

export type StaffActionOutcome = Awaited<ReturnType<typeof runStaffAction>>;
