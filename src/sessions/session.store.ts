import { and, desc, eq, ne, type SQL, sql } from "drizzle-orm";
import { auditLogs, outbox } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import type { Client } from "../platform/client.ts";
import { inOneTrip, insertFrom, insertWhere, instantOf } from "../platform/database.ts";
import type { Deps } from "../platform/deps.ts";
import { recordEvent } from "../platform/outbox.ts";
import type { AccessClaims } from "./tokens.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Life of a session: absolute from sign-in, idle from the last refresh. */
const LIFE_MS = {
  user: { absolute: 90 * DAY_MS, idle: 60 * DAY_MS },
  staff: { absolute: 24 * HOUR_MS, idle: 12 * HOUR_MS },
};
/** How long the immediate parent of a refresh token may fetch its successor again: longer than a phone's own timeout. */
export const REPLAY_WINDOW_MS = 120_000;
/** A device is new when none of so many latest sessions was its. */
const REMEMBERED_SESSIONS = 20;
/** Live sessions a user may have; one more ends the oldest. */
export const MAX_SESSIONS = 10;

/** Holds for rows of `sessions` that have neither ended nor expired. */
export function isLive(now: number): SQL {
  return sql`(${sessions.revokedAt} is null and ${sessions.idleExpiresAt} > ${now} and ${sessions.absoluteExpiresAt} > ${now})`;
}

/**
 * Holds while the caller's session lives and its user is active. Every read and write on a caller's behalf asks for it
 * in its own WHERE, so that logout, ban and deletion hold from the next statement on.
 */
export function isSignedIn(deps: Pick<Deps, "db" | "now">, caller: AccessClaims): SQL {
  const session = deps.db
    .select({ one: sql`1` })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(
      and(
        eq(sessions.id, caller.sessionId),
        eq(sessions.userId, caller.userId),
        isLive(deps.now()),
        eq(users.status, "ACTIVE"),
      ),
    );
  return sql`exists ${session}`;
}

export interface NewSession {
  id: string;
  /** The user's id, or SQL that gives it. */
  userId: string | SQL;
  /** Holds where the user has signed in from this network before. */
  isFromKnownNetwork: SQL;
  method: (typeof sessions.$inferInsert)["method"];
}

type OpenDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "keyring">;

/**
 * The statements that open a session where `condition` holds: the row, the end of the oldest beyond the limit, and the
 * event that tells the user of a device not seen before, on a network not familiar before.
 */
export function openSession(deps: OpenDeps, client: Client, session: NewSession, condition: SQL) {
  const now = deps.now();
  const isStaff = sql`(select role from users where id = ${session.userId}) in ('staff', 'admin')`;
  const lifeMs = (kind: "absolute" | "idle") =>
    sql`case when ${isStaff} then ${LIFE_MS.staff[kind]} else ${LIFE_MS.user[kind]} end`;
  const others = deps.db
    .select({ one: sql`1` })
    .from(sessions)
    .where(and(eq(sessions.userId, sql`${session.userId}`), ne(sessions.id, session.id)));
  const recent = deps.db
    .select({ userAgent: sessions.userAgent })
    .from(sessions)
    .where(and(eq(sessions.userId, sql`${session.userId}`), ne(sessions.id, session.id)))
    .orderBy(desc(sessions.createdAt))
    .limit(REMEMBERED_SESSIONS);
  const sameDevice = sql`(select 1 from ${recent} where user_agent is ${client.userAgent})`;
  const live = deps.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.userId, sql`${session.userId}`), isLive(now)))
    .orderBy(desc(eq(sessions.id, session.id)), desc(sessions.createdAt), desc(sessions.id))
    .limit(MAX_SESSIONS);
  const payload = JSON.stringify({ session_id: session.id });
  return {
    openedSession: insertWhere(
      deps,
      sessions,
      {
        id: session.id,
        userId: session.userId,
        createdAt: now,
        lastUsedAt: now,
        counter: 0,
        refreshKeyId: deps.keyring.currentSecretId,
        rotatedAt: now,
        rotatedBy: deps.attemptId,
        replays: 0,
        idleTtlMs: lifeMs("idle"),
        idleExpiresAt: sql`${instantOf(now)} + ${lifeMs("idle")}`,
        absoluteExpiresAt: sql`${instantOf(now)} + ${lifeMs("absolute")}`,
        ip: client.ip,
        userAgent: client.userAgent,
        method: session.method,
      },
      condition,
    ),
    newDeviceEvent: recordEvent(
      deps,
      { type: "auth.new_device", userId: session.userId, payload },
      sql`${condition} and exists ${others} and not exists ${sameDevice} and not ${session.isFromKnownNetwork}`,
    ),
    endedSessions: deps.db
      .update(sessions)
      .set({ revokedAt: now, revokedReason: "session_limit", revokedBy: deps.attemptId })
      .where(
        and(eq(sessions.userId, sql`${session.userId}`), isLive(now), sql`${sessions.id} not in ${live}`, condition),
      )
      .returning({ id: sessions.id }),
    ...recordEndedSessions(deps, client),
  };
}

/**
 * The statements that put the sessions which this invocation has just ended on record: an audit row and an event each,
 * for at most `MAX_SESSIONS` of them, since no user has more.
 */
export function recordEndedSessions(
  deps: Pick<Deps, "db" | "now" | "newId" | "attemptId">,
  client: Pick<Client, "ip" | "userAgent">,
) {
  const ended = sql`from ${sessions} where ${sessions.revokedBy} = ${deps.attemptId}`;
  const now = instantOf(deps.now());
  const nextId = () => {
    const ids = JSON.stringify(Array.from({ length: MAX_SESSIONS }, deps.newId));
    return sql`json_extract(${ids}, '$[' || (row_number() over (order by ${sessions.id}) - 1) || ']')`;
  };
  return {
    endedAudit: insertFrom(
      deps,
      auditLogs,
      {
        id: nextId(),
        userId: sql`${sessions.userId}`,
        action: "LOGOUT",
        entityType: "session",
        entityId: sql`${sessions.id}`,
        newValues: sql`json_object('reason', ${sessions.revokedReason})`,
        actorId: sql`${sessions.userId}`,
        byStaff: false,
        ip: client.ip,
        userAgent: client.userAgent,
        sessionId: sql`${sessions.id}`,
        createdAt: now,
      },
      ended,
    ),
    endedEvents: insertFrom(
      deps,
      outbox,
      {
        id: nextId(),
        type: "session.ended",
        userId: sql`${sessions.userId}`,
        payload: sql`json_object('session_id', ${sessions.id}, 'reason', ${sessions.revokedReason})`,
        createdAt: now,
        leasedUntil: now,
        attempts: 0,
      },
      ended,
    ),
  };
}

type EndDeps = Pick<Deps, "db" | "now" | "newId" | "attemptId" | "log">;

/**
 * Ends the caller's own session; empty when it had ended already. With a counter, only while that is the live refresh
 * token's, or its parent's while the successor's answer may have been lost.
 */
export async function endOwnSession(
  deps: EndDeps,
  client: Client,
  caller: AccessClaims,
  counter?: number,
): Promise<string[]> {
  const isLiveToken =
    counter === undefined
      ? undefined
      : sql`(${sessions.counter} = ${counter} or (${sessions.counter} = ${counter + 1}
          and ${sessions.rotatedAt} > ${deps.now() - REPLAY_WINDOW_MS}))`;
  const which = and(eq(sessions.id, caller.sessionId), isLiveToken);
  const { ended } = await endSessions(deps, client, caller, "logout", which);
  return ended;
}

/** Ends one live session of the caller's, while the caller's own lives. */
export function endSessionById(deps: EndDeps, client: Client, caller: AccessClaims, sessionId: string) {
  const which = and(eq(sessions.id, sessionId), isSignedIn(deps, caller));
  return endSessions(deps, client, caller, "ended_by_user", which);
}

/** Ends every live session of the caller's but the one that asks, while that one lives. */
export function endOtherSessions(deps: EndDeps, client: Client, caller: AccessClaims) {
  const which = and(ne(sessions.id, caller.sessionId), isSignedIn(deps, caller));
  return endSessions(deps, client, caller, "ended_by_user", which);
}

async function endSessions(
  deps: EndDeps,
  client: Client,
  caller: AccessClaims,
  reason: string,
  which: SQL | undefined,
): Promise<{ ended: string[]; signedIn: boolean }> {
  const writes = {
    signedIn: deps.db
      .select({ one: sql<number>`1` })
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
    revoked: deps.db
      .update(sessions)
      .set({ revokedAt: deps.now(), revokedReason: reason, revokedBy: deps.attemptId })
      .where(and(eq(sessions.userId, caller.userId), isLive(deps.now()), which)),
    ...recordEndedSessions(deps, client),
  };
  const reads = {
    ended: deps.db.select({ id: sessions.id }).from(sessions).where(eq(sessions.revokedBy, deps.attemptId)),
  };
  const found = await inOneTrip(deps, { ...writes, ...reads }).catch((error) =>
    // The batch may stand although its answer was lost: the marker tells.
    inOneTrip(deps, reads).then(({ ended }) => {
      if (ended.length === 0) throw error;
      return { signedIn: [{ one: 1 }], ended };
    }),
  );
  return { ended: found.ended.map(({ id }) => id), signedIn: found.signedIn.length > 0 };
}

/** The caller's live sessions, newest first; empty when the caller's own has ended. */
export async function listSessions(deps: Pick<Deps, "db" | "now" | "log">, caller: AccessClaims) {
  const { found } = await inOneTrip(deps, {
    found: deps.db
      .select()
      .from(sessions)
      .where(and(eq(sessions.userId, caller.userId), isLive(deps.now()), isSignedIn(deps, caller)))
      .orderBy(desc(sessions.createdAt), desc(sessions.id))
      .limit(MAX_SESSIONS),
  });
  return found;
}
