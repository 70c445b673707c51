import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { identityChanges } from "../../db/identity-schema.ts";
import { familiarNetworks, otpChallenges, sessions } from "../../db/sign-in-schema.ts";
import { users } from "../../db/user-schema.ts";
import { isAudited, recordAudit, selectAudit } from "../../platform/data/audit.ts";
import { commit } from "../../platform/data/commit.ts";
import { insertFrom, mergeStatements } from "../../platform/data/database.ts";
import { eventsOf, recordEvent } from "../../platform/data/outbox.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { isPasskeyProvedRecently, isProvedRecently, provedAt, provedBy } from "../../sessions/recent-proof.ts";
import { endSessions, isSignedIn, selectEnded } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { changeUser } from "../../users/user-change.store.ts";
import { dormantBefore, isReleasable, releaseNumber } from "../account/dormant-number.store.ts";
import { trustNetwork } from "../otp/otp-guard.store.ts";
import { hasLiveToken } from "../otp/verification-token.store.ts";
import { identityOf, selectIdentity } from "./identity.store.ts";
import { changesPerDay } from "./identity-limits.ts";
import { isReserved, nextChangeNumber } from "./reservation.store.ts";
import { tellAddress } from "./security-message.store.ts";
import { hasOtherWayIn } from "./ways-in.store.ts";

type ChangeDeps = Pick<Deps, "config" | "db" | "now" | "newId" | "invocationId" | "log">;

/** A user's own change of an identifier. */
export interface IdentifierChange {
  kind: "email" | "phone";
  /** The new identifier in canonical form; null removes the present one. */
  value: string | null;
  /** Challenge id of the new identifier's verification token; "" if there is none. */
  cid: string;
  /** Takes the phone number off a sleeping account that has it. */
  startOver: boolean;
}

const columnsOf = ({ kind }: Pick<IdentifierChange, "kind">) =>
  kind === "email"
    ? { column: sql.raw("users.email"), flag: sql.raw("users.email_verified"), key: "email" }
    : { column: sql.raw("users.phone_number"), flag: sql.raw("users.phone_verified"), key: "phone_number" };

/** The row of `otp_challenges` has the live token of the new identifier. */
const isTokenOf = (deps: ChangeDeps, { cid, value }: IdentifierChange) =>
  and(eq(otpChallenges.cid, cid), eq(otpChallenges.identifier, value ?? ""), hasLiveToken(deps));

/** The FROM and WHERE clauses of the user's changes in the last day. */
const recentChanges = (deps: ChangeDeps, userId: string) =>
  sql`from identity_changes c where c.user_id = ${userId} and c.created_at > ${deps.now() - changesPerDay.windowMs}`;

/** The code of the first reason why the caller, a row of `users`, may not make the change; NULL if there is none. */
function obstacleOf(deps: ChangeDeps, caller: AccessClaims, change: IdentifierChange): SQL<ErrorCode | null> {
  const { userId } = caller;
  const { column } = columnsOf(change);
  const { kind, value, startOver } = change;
  const before = dormantBefore(deps, change);
  const holder = (condition: SQL) =>
    sql`exists (select 1 from users where ${column} = ${value} and users.id <> ${userId} and ${condition})`;
  const dormant = before < 0 || startOver ? sql`` : sql`when ${holder(isReleasable(before))} then 'number_dormant'`;
  const isTaken = holder(before >= 0 && startOver ? sql`not ${isReleasable(before)}` : sql`true`);
  const live = deps.db.select({ one: sql`1` }).from(otpChallenges).where(isTokenOf(deps, change));
  const ofValue =
    value === null
      ? sql`when not ${hasOtherWayIn(userId, { identifier: kind })} then 'last_sign_in_method'`
      : sql`when not exists ${live} then 'invalid_token'
        ${dormant}
        when ${isTaken} then 'user_already_exists'
        when ${isReserved(deps, value, userId)} then 'identifier_replaced'`;
  return sql`(case when ${isSoAlready(change, column)} then null
    when not ${isProvedRecently(deps, caller)} then 'reauthentication_required'
    when users.role <> 'user' and not ${isPasskeyProvedRecently(deps, caller)} then 'passkey_required'
    when (select count(*) ${recentChanges(deps, userId)}) >= ${changesPerDay.count} then 'rate_limit_exceeded'
    ${ofValue} end)`;
}

const isSoAlready = (change: IdentifierChange, column: SQL): SQL =>
  change.value === null ? sql`${column} is null` : sql`(${column} is ${change.value} and ${columnsOf(change).flag})`;

/** Records the event that informs the user and, if it was verified, the old identifier. */
function recordIdentifierChanged(deps: ChangeDeps, userId: string, changeId: string, isDone: SQL) {
  return recordEvent(
    deps,
    {
      type: "user.identifier_changed",
      userId,
      payload: sql`(select json_object('channel', iif(c.kind = 'email', 'email', 'sms'), 'old_identifier', c.old_identifier,
        'locale', u.locale, 'is_own', json('true'), 'can_dispute', json(iif(u.role = 'user', 'true', 'false')))
        from identity_changes c inner join users u on u.id = c.user_id where c.id = ${changeId})`,
      queue: "tasks",
    },
    isDone,
  );
}

/**
 * Adds, replaces or removes an identifier of the caller, in one transaction: redeems the new one's verification token,
 * reserves a verified old one for the undo window, forgets its known networks, ends all other sessions if there was an
 * old one, and informs the user. Changes nothing if there is an obstacle or nothing to change.
 *
 * @returns `isChanged`; the identity afterwards, undefined if the session has ended; `obstacle`, the code of the first
 *   reason against it; `limitEndsAt` (epoch ms), when the next change is possible if the daily limit is reached.
 */
export async function changeIdentifier(
  deps: ChangeDeps,
  client: Client,
  caller: AccessClaims,
  change: IdentifierChange,
) {
  const { userId } = caller;
  const { kind, value } = change;
  const { column, flag, key } = columnsOf(change);
  const auditId = deps.newId();
  const changeId = deps.newId();
  const isDone = isAudited(userId, auditId);
  /** The change took an identifier away, verified or not. */
  const isGone = sql`exists (select 1 from audit_logs where user_id = ${userId} and id = ${auditId} and old_values ->> ${key} is not null
    and old_values ->> ${key} is not ${value})`;
  const isVerifiedGone = sql`(${flag} and ${column} is not null and ${column} is not ${value})`;
  const isProvedByOld = sql`(${isVerifiedGone} and ${provedBy} = ${kind === "email" ? "EMAIL" : "PHONE"}
    and not exists (select 1 from identity_changes c where c.user_id = users.id and c.kind = ${kind} and c.created_at >= ${provedAt}))`;
  const writes = mergeStatements(
    {
      audit: recordAudit(
        deps,
        client,
        {
          id: auditId,
          userId,
          action: "UPDATE",
          entityType: "user",
          entityId: userId,
          oldValues: sql`(select json_object(${key}, ${column}) from users where id = ${userId})`,
          newValues: sql`(select json_object(${key}, ${value}, 'proved_by', ${provedBy}) from sessions
            where user_id = ${userId} and id = ${caller.sessionId})`,
          actorId: userId,
          sessionId: caller.sessionId,
        },
        sql`${isSignedIn(deps, caller)} and exists (select 1 from users where id = ${userId}
          and not ${isSoAlready(change, column)} and ${obstacleOf(deps, caller, change)} is null)`,
      ),
      usedToken:
        value === null
          ? undefined
          : deps.db
              .update(otpChallenges)
              .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: "IDENTITY" })
              .where(and(isTokenOf(deps, change), isDone)),
      kept: insertFrom(
        deps,
        identityChanges,
        {
          id: changeId,
          userId,
          number: nextChangeNumber,
          kind,
          oldIdentifier: sql`iif(${isVerifiedGone}, ${column}, null)`,
          newIdentifier: value,
          provedBy,
          isProvedByOld,
          createdAt: deps.now(),
        },
        sql`from users inner join sessions on sessions.user_id = users.id and sessions.id = ${caller.sessionId}
          where users.id = ${userId} and ${isDone}`,
      ),
      forgottenNetworks: deps.db
        .delete(familiarNetworks)
        .where(sql`identifier = (select ${column} from users where id = ${userId}) and ${isGone}`),
    },
    value !== null && change.startOver && dormantBefore(deps, change) >= 0
      ? releaseNumber(deps, client, value, dormantBefore(deps, change), isDone)
      : undefined,
    value === null ? undefined : trustNetwork(deps, { identifier: value, network: client.network }, isDone),
    changeUser(
      deps,
      userId,
      isDone,
      kind === "email"
        ? { email: value, emailVerified: value !== null }
        : { phoneNumber: value, phoneVerified: value !== null },
    ),
    endSessions(deps, client, {
      userId,
      which: and(ne(sessions.id, caller.sessionId), isGone),
      reason: "identifier_changed",
      endingId: auditId,
    }),
    {
      changedEvent: recordIdentifierChanged(deps, userId, changeId, isDone),
      otherMessage: tellAddress(deps, userId, kind === "email" ? "phone" : "email", "IDENTIFIER_CHANGED", isDone),
    },
  );
  const limitEndsAt = sql<number>`coalesce((select c.created_at + ${changesPerDay.windowMs} ${recentChanges(deps, userId)}
    order by c.number desc limit 1 offset ${changesPerDay.count - 1}), 0)`;
  const facts = {
    ended: selectEnded(deps, userId, auditId),
    changed: selectAudit(deps, userId, auditId),
    state: deps.db
      .select({
        obstacle: obstacleOf(deps, caller, change).as("obstacle"),
        limitEndsAt: limitEndsAt.as("limit_ends_at"),
      })
      .from(users)
      .where(and(eq(users.id, userId), isSignedIn(deps, caller))),
  };
  const reads = mergeStatements(facts, selectIdentity(deps, caller));
  const found = await commit(deps, { writes, reads, isCommitted: ({ changed }) => changed.length > 0 });
  return {
    isChanged: found.changed.length > 0,
    identity: identityOf(found),
    obstacle: found.state[0]?.obstacle ?? undefined,
    limitEndsAt: found.state[0]?.limitEndsAt ?? 0,
    endedSessions: found.ended.map(({ id }) => id),
    events: eventsOf(
      found.changeEvent,
      found.changedEvent,
      found.otherMessage,
      found.releasedChangeEvent,
      found.releasedEvent,
      found.releasedMessage,
    ),
  };
}
