import { and, eq, gt, lt, type SQL, sql } from "drizzle-orm";
import { idempotencyKeys } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { mergeStatements } from "../platform/data/database.ts";
import {
  bindKey,
  findBinding,
  IDEMPOTENCY_TTL_MS,
  type IdempotentCall,
  isBound,
  isBoundToBody,
  isBoundToOtherBody,
} from "../platform/data/idempotency.ts";
import { eventsOf, recordEvent } from "../platform/data/outbox.ts";
import { after, before, derived, prepared, type StatementDeps } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { HOUR_MS } from "../platform/time.ts";
import { ACTIVITY_INTERVAL_MS } from "./activity.service.ts";
import { isLive, REPLAY_WINDOW_MS, recordEndedSessions } from "./session.store.ts";
import type { RefreshClaims } from "./tokens.ts";

/** A refresh sets `last_login` if the value is at least this many milliseconds old. */
const LAST_LOGIN_INTERVAL_MS = HOUR_MS;

/** Maximum replays of one rotation; further replays get 429 and the session stays valid. */
export const MAX_REPLAYS = 200;

const rotationWrites = prepared(writeRotation);
const rotationReads = prepared(readRotation);

/**
 * Rotates, replays or ends the refresh token's session, depending on the token's counter, in one transaction:
 *
 * - The current token increments the counter (`rotated`).
 * - Its immediate parent, within the window or with the key that rotated it, counts as a replay (`replayed`).
 * - An older token, or the parent after that, indicates theft and ends the session (`ended`; RFC 9700 section 4.14.2).
 *
 * `session` is the row afterwards; undefined if there is none or it belongs to another user.
 */
export async function rotateSession(
  deps: StatementDeps & Pick<Deps, "log">,
  client: Client,
  token: RefreshClaims,
  call: IdempotentCall | undefined,
) {
  const found = await commit(deps, {
    writes: rotationWrites(deps, client, token, call),
    reads: rotationReads(deps, token, call),
    isCommitted: ({ session }) => session[0]?.rotatedBy === deps.invocationId,
  });
  return {
    // After a lost response only a rotation counts as committed.
    rotated: found.rotated ? found.rotated[0] : { id: token.sessionId },
    replayed: found.replayed?.[0],
    ended: found.ended?.[0],
    events: eventsOf(found.reuseEvent),
    session: found.session[0],
    binding: found.binding?.[0],
  };
}

function writeRotation(deps: StatementDeps, client: Client, token: RefreshClaims, call: IdempotentCall | undefined) {
  const now = deps.now();
  const next = derived(token.counter, (counter) => counter + 1);
  const own = and(eq(sessions.id, token.sessionId), eq(sessions.userId, token.userId), isLive(now));
  const active = sql`exists (select 1 from users where id = ${token.userId} and status = 'ACTIVE')`;
  const rotatedByOther = sql`${sessions.rotatedBy} <> ${deps.invocationId}`;
  const isParent = eq(sessions.counter, next);
  const mayReplay = sql`(${gt(sessions.rotatedAt, before(now, REPLAY_WINDOW_MS))} or ${isBoundToThisRotation(deps, call)})`;
  const bound = isBoundToOtherBody(deps, call);
  const rotatedHere = sql`exists (select 1 from sessions where id = ${token.sessionId} and rotated_by = ${deps.invocationId})`;
  const endedHere = sql`exists (select 1 from sessions where id = ${token.sessionId} and revoked_by = ${deps.invocationId})`;
  return mergeStatements(
    {
      rotated: deps.db
        .update(sessions)
        .set({
          counter: next,
          rotatedAt: now,
          rotatedBy: deps.invocationId,
          replays: 0,
          refreshKeyId: deps.keyring.currentSecretId,
          lastUsedAt: now,
          activityAt: now,
          idleExpiresAt: sql`min(${now} + ${sessions.idleTtlMs}, ${sessions.absoluteExpiresAt})`,
        })
        .where(and(own, eq(sessions.counter, token.counter), active, sql`not ${isBound(deps, call)}`))
        .returning({ id: sessions.id }),
      replayed: deps.db
        .update(sessions)
        .set({ replays: sql`${sessions.replays} + 1`, lastUsedAt: now, activityAt: now })
        .where(
          and(own, isParent, rotatedByOther, mayReplay, lt(sessions.replays, MAX_REPLAYS), active, sql`not ${bound}`),
        )
        .returning({ id: sessions.id }),
      ended: deps.db
        .update(sessions)
        .set({ revokedAt: now, revokedReason: "refresh_reuse", revokedBy: deps.invocationId })
        .where(and(own, rotatedByOther, sql`(${gt(sessions.counter, next)} or (${isParent} and not ${mayReplay}))`))
        .returning({ id: sessions.id }),
      reuseEvent: recordEvent(
        deps,
        {
          type: "auth.refresh_reuse",
          userId: token.userId,
          payload: sql`json_object('session_id', ${token.sessionId}, 'ip', ${client.ip})`,
          queue: "tasks",
        },
        endedHere,
      ),
    },
    recordEndedSessions(deps, client),
    recordUse(deps, token.userId, rotatedHere),
    {
      bind: bindKey(
        deps,
        call,
        { id: token.sessionId, number: next, expiresAt: after(now, IDEMPOTENCY_TTL_MS) },
        rotatedHere,
      ),
    },
  );
}

function readRotation(deps: StatementDeps, token: RefreshClaims, call: IdempotentCall | undefined) {
  return { session: findSession(deps, token), binding: findBinding(deps, call) };
}

/**
 * Records the user's last sign-in and activity if `condition` holds, each only where it is old enough to differ, because
 * writing `last_login` also writes an index.
 */
function recordUse(deps: Pick<Deps, "db" | "now">, userId: string, condition: SQL) {
  const now = deps.now();
  const isUser = eq(users.id, userId);
  return {
    lastLogin: deps.db
      .update(users)
      .set({ lastLogin: now, lastActivityAt: now })
      .where(and(isUser, sql`coalesce(${users.lastLogin}, 0) <= ${before(now, LAST_LOGIN_INTERVAL_MS)}`, condition)),
    lastActivity: deps.db
      .update(users)
      .set({ lastActivityAt: now })
      .where(and(isUser, sql`coalesce(${users.lastActivityAt}, 0) <= ${before(now, ACTIVITY_INTERVAL_MS)}`, condition)),
  };
}

/** The call's key and body made the session's latest rotation. */
function isBoundToThisRotation(deps: Pick<Deps, "db" | "now">, call: IdempotentCall | undefined): SQL {
  if (!call) return isBoundToBody(deps, call);
  return sql`exists ${deps.db
    .select({ one: sql`1` })
    .from(idempotencyKeys)
    .where(
      and(
        eq(idempotencyKeys.keyHash, call.keyHash),
        eq(idempotencyKeys.bodyHash, call.bodyHash),
        eq(idempotencyKeys.resultNumber, sessions.counter),
        gt(idempotencyKeys.expiresAt, deps.now()),
      ),
    )}`;
}

function findSession(deps: Pick<Deps, "db">, token: RefreshClaims) {
  return deps.db
    .select()
    .from(sessions)
    .where(and(eq(sessions.id, token.sessionId), eq(sessions.userId, token.userId)));
}
