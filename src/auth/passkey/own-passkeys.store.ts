import { and, eq, ne, sql } from "drizzle-orm";
import { passkeys } from "../../db/identity-schema.ts";
import { sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { mergeStatements } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Client } from "../../platform/http/client.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { isProvedRecently } from "../../sessions/recent-proof.ts";
import { endSessions, isSignedIn, selectEnded } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { tellVerifiedAddresses } from "../identity/security-message.store.ts";
import { hasOtherWayIn } from "../identity/ways-in.store.ts";
import { needsPasskey, type OwnDeps, selectOwnPasskey, selectState } from "./passkey-rules.store.ts";

/** Renames a passkey of the caller, with an audit row. `passkey` is undefined if the caller has none with this id. */
export async function renamePasskey(deps: OwnDeps, client: Client, caller: AccessClaims, id: string, name: string) {
  const { userId, sessionId } = caller;
  const auditId = deps.newId();
  const isDone = isAudited(userId, auditId);
  const isOwn = sql`${passkeys.id} = ${id} and ${passkeys.userId} = ${userId}`;
  const audit = recordAudit(
    deps,
    client,
    {
      id: auditId,
      userId,
      action: "UPDATE",
      entityType: "passkey",
      entityId: id,
      oldValues: sql`(select json_object('name', name) from passkeys where ${isOwn})`,
      newValues: sql`json_object('name', ${name})`,
      actorId: userId,
      sessionId,
    },
    sql`exists (select 1 from passkeys where ${isOwn} and name is not ${name}) and ${isSignedIn(deps, caller)}`,
  );
  const found = await commit(deps, {
    writes: { audit, renamed: deps.db.update(passkeys).set({ name }).where(sql`${isOwn} and ${isDone}`) },
    reads: {
      passkey: selectOwnPasskey(deps, caller, eq(passkeys.id, id)),
      caller: deps.db
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.id, userId), isSignedIn(deps, caller))),
      done: selectAudit(deps, userId, auditId),
    },
    isCommitted: ({ done }) => done.length > 0,
  });
  return { passkey: found.passkey[0], isSignedIn: found.caller.length > 0 };
}

/**
 * Removes a passkey of the caller, with audit row, notice and messages, and ends the other sessions that it opened or
 * proved. Changes nothing if there is an obstacle, as when it is the last way to sign in.
 */
export async function removePasskey(deps: OwnDeps, client: Client, caller: AccessClaims, id: string) {
  const { userId, sessionId } = caller;
  const auditId = deps.newId();
  const isDone = isAudited(userId, auditId);
  const isOwn = sql`${passkeys.id} = ${id} and ${passkeys.userId} = ${userId}`;
  const hasAnother = sql`exists (select 1 from passkeys p where p.user_id = ${userId} and p.id <> ${id})`;
  const isStaffsLast = deps.config.requiresStaffPasskeys
    ? sql`(users.role <> 'user' and not ${hasAnother})`
    : sql`false`;
  const obstacle = sql<ErrorCode | null>`(case when not exists (select 1 from passkeys where ${isOwn}) then 'not_found'
    when not ${isProvedRecently(deps, caller)} then 'reauthentication_required'
    when ${needsPasskey(deps, caller)} then 'passkey_required'
    when ${isStaffsLast} or not ${hasOtherWayIn(userId, { passkeyId: id })} then 'last_sign_in_method' end)`;
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: "DELETE",
          entityType: "passkey",
          entityId: id,
          oldValues: sql`(select json_object('name', name, 'aaguid', aaguid) from passkeys where ${isOwn})`,
          actorId: userId,
          sessionId,
        },
        sql`${isSignedIn(deps, caller)} and exists (select 1 from users where users.id = ${userId} and ${obstacle} is null)`,
      ),
      removed: deps.db.delete(passkeys).where(sql`${isOwn} and ${isDone}`),
      removedEvent: recordEvent(
        deps,
        { type: "auth.passkey_removed", userId, payload: JSON.stringify({ passkey_id: id }), queue: "tasks" },
        isDone,
      ),
    },
    tellVerifiedAddresses(deps, userId, "PASSKEY_REMOVED", isDone),
    endSessions(deps, client, {
      userId,
      which: and(eq(sessions.passkeyId, id), ne(sessions.id, sessionId), isDone),
      reason: "passkey_removed",
      endingId: auditId,
    }),
  );
  const reads = {
    ended: selectEnded(deps, userId, auditId),
    done: selectAudit(deps, userId, auditId),
    state: selectState(deps, caller, obstacle),
  };
  const found = await commit(deps, { writes, reads, isCommitted: ({ done }) => done.length > 0 });
  return {
    isRemoved: found.done.length > 0,
    state: found.state[0],
    endedSessions: found.ended.map((session) => session.id),
    events: eventsOf(found.removedEvent, found.emailMessage, found.phoneMessage),
  };
}
