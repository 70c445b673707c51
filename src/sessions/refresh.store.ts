import { and, eq, gt, lt, type SQL, sql } from "drizzle-orm";
import { idempotencyKeys } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { commit, commitAnswering } from "../platform/data/commit.ts";
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
import { type BuilderDeps, prepare, type StatementDeps, type Value } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { HOUR_MS } from "../platform/time.ts";
import { ACTIVITY_INTERVAL_MS, endSessions, isLive, REPLAY_WINDOW_MS } from "./session.store.ts";
import type { RefreshClaims } from "./tokens.ts";

/** A refresh sets `last_login` if the value is at least this many milliseconds old. */
const LAST_LOGIN_INTERVAL_MS = HOUR_MS;

/**
 * Maximum replays of one rotation; further replays get 429 and do not end the session until the replay window ends. No
 * wait helps the client then: the parent counts as reused, and only the newest token refreshes.
 */
export const replayLimit = { count: 200, windowMs: REPLAY_WINDOW_MS };

type RotationDeps = StatementDeps & Pick<Deps, "log">;

/**
 * Rotates, replays or ends the refresh token's session, depending on the token's counter:
 *
 * - The current token increments the counter (`rotated`).
 * - Its immediate parent, within the window or with the key that rotated it, counts as a replay (`replayed`).
 * - An older token, or the parent after that, indicates theft and ends the session (`ended`; RFC 9700 section 4.14.2).
 *
 * The first transaction contains only the rotation. If it changed nothing, a second one decides again among all three.
 *
 * `session` is the row afterwards; undefined if there is none or it belongs to another user.
 */
export async function rotateSession(
  deps: RotationDeps,
  client: Client,
  token: RefreshClaims,
  call: IdempotentCall | undefined,
) {
  const rotated = await rotateIfCurrent(deps, token, call);
  if (rotated) return { rotated, session: rotated, events: [] };
  const found = await commit(deps, {
    writes: writeRotation(deps, client, token, call),
    reads: { session: findSession(deps, token), binding: findBinding(deps, call) },
    isCommitted: ({ session }) => session[0]?.rotatedBy === deps.invocationId,
  });
  return {
    // After a lost response only a rotation counts as committed.
    rotated: found.rotated ? found.rotated[0] : found.session[0],
    replayed: found.replayed?.[0],
    ended: found.endedSessions?.[0],
    events: eventsOf(found.reuseEvent),
    session: found.session[0],
    binding: found.binding?.[0],
  };
}

const tokenValues = ["sessionId", "userId", "counter", "secretId"] as const;
const rotation = prepare(tokenValues, (deps, values) => rotate(deps, values, undefined));
const rotationWithKey = prepare([...tokenValues, "keyHash", "bodyHash"], (deps, values) =>
  rotate(deps, values, values),
);

/** Rotates the session if the token is its current one. @returns the row afterwards; undefined if nothing changed. */
async function rotateIfCurrent(deps: RotationDeps, token: RefreshClaims, call: IdempotentCall | undefined) {
  const { sessionId, userId, counter } = token;
  const values = { sessionId, userId, counter, secretId: deps.keyring.currentSecretId };
  const { written, found } = await commitAnswering(deps, {
    writes: call ? rotationWithKey(deps, { ...values, ...call }) : rotation(deps, values),
    reads: () => ({ session: findSession(deps, token) }),
    isCommitted: ({ session }) => session[0]?.rotatedBy === deps.invocationId,
  });
  return written ? written.rotated[0] : found.session[0];
}

interface CurrentToken {
  sessionId: Value<string>;
  userId: Value<string>;
  counter: Value<number>;
  /** Id of the key that signs the successor. */
  secretId: Value<string>;
}

type Key = Parameters<typeof bindKey>[1];

/** Increments the counter of a live session whose current token this is, records the use, and binds the key. */
function rotate(deps: BuilderDeps, token: CurrentToken, call: Key) {
  const now = deps.now();
  const isCurrent = and(isOwn(deps, token), eq(sessions.counter, token.counter), isActive(token.userId));
  const rotatedHere = isMarkedHere(deps, token, "rotated_by");
  const isUser = eq(users.id, token.userId);
  return {
    rotated: deps.db
      .update(sessions)
      .set({
        counter: sql`${sessions.counter} + 1`,
        rotatedAt: now,
        rotatedBy: deps.invocationId,
        replays: 0,
        refreshKeyId: token.secretId,
        lastUsedAt: now,
        activityAt: now,
        idleExpiresAt: sql`min(${now} + ${sessions.idleTtlMs}, ${sessions.absoluteExpiresAt})`,
      })
      .where(and(isCurrent, sql`not ${isBound(deps, call)}`))
      .returning(),
    // Each is written only if it is old enough, because writing `last_login` also writes an index.
    lastLogin: deps.db
      .update(users)
      .set({ lastLogin: now, lastActivityAt: now })
      .where(and(isUser, sql`coalesce(${users.lastLogin}, 0) <= ${now} - ${LAST_LOGIN_INTERVAL_MS}`, rotatedHere)),
    lastActivity: deps.db
      .update(users)
      .set({ lastActivityAt: now })
      .where(and(isUser, sql`coalesce(${users.lastActivityAt}, 0) <= ${now} - ${ACTIVITY_INTERVAL_MS}`, rotatedHere)),
    bind: bindKey(
      deps,
      call,
      {
        id: token.sessionId,
        number: sql`${token.counter} + 1`,
        expiresAt: sql`${now} + ${IDEMPOTENCY_TTL_MS}`,
      },
      rotatedHere,
    ),
  };
}

/** This invocation has rotated or ended the token's session. */
function isMarkedHere(
  deps: Pick<BuilderDeps, "invocationId">,
  token: Pick<CurrentToken, "sessionId" | "userId">,
  marker: "rotated_by" | "revoked_by",
) {
  return sql`exists (select 1 from sessions where user_id = ${token.userId} and id = ${token.sessionId}
    and ${sql.raw(marker)} = ${deps.invocationId})`;
}

/** The row of `sessions` is the token's and live. */
function isOwn(deps: Pick<BuilderDeps, "now">, token: Pick<CurrentToken, "sessionId" | "userId">) {
  return and(eq(sessions.id, token.sessionId), eq(sessions.userId, token.userId), isLive(deps.now()));
}

const isActive = (userId: Value<string>) =>
  sql`exists (select 1 from users where id = ${userId} and status = 'ACTIVE')`;

function writeRotation(deps: RotationDeps, client: Client, token: RefreshClaims, call: IdempotentCall | undefined) {
  const now = deps.now();
  const next = token.counter + 1;
  const own = isOwn(deps, token);
  const rotatedByOther = sql`${sessions.rotatedBy} <> ${deps.invocationId}`;
  const isParent = eq(sessions.counter, next);
  const mayReplay = sql`(${gt(sessions.rotatedAt, now - REPLAY_WINDOW_MS)} or ${isBoundToThisRotation(deps, call)})`;
  const isUnbound = sql`not ${isBoundToOtherBody(deps, call)}`;
  const isOlder = sql`(${gt(sessions.counter, next)} or (${isParent} and not ${mayReplay}))`;
  const isReused = and(eq(sessions.id, token.sessionId), rotatedByOther, isOlder);
  return mergeStatements(
    rotate(deps, { ...token, secretId: deps.keyring.currentSecretId }, call),
    {
      replayed: deps.db
        .update(sessions)
        .set({ replays: sql`${sessions.replays} + 1`, lastUsedAt: now, activityAt: now })
        .where(
          and(
            own,
            isParent,
            rotatedByOther,
            mayReplay,
            lt(sessions.replays, replayLimit.count),
            isActive(token.userId),
            isUnbound,
          ),
        )
        .returning({ id: sessions.id }),
    },
    endSessions(deps, client, { userId: token.userId, which: isReused, reason: "refresh_reuse" }),
    {
      reuseEvent: recordEvent(
        deps,
        {
          type: "auth.refresh_reuse",
          userId: token.userId,
          payload: sql`json_object('session_id', ${token.sessionId}, 'ip', ${client.ip})`,
          queue: "tasks",
        },
        isMarkedHere(deps, token, "revoked_by"),
      ),
    },
  );
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
