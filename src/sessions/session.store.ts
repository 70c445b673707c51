import { and, desc, eq, ne, type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { idForEachRow, insertFrom, instantOf, runBatch } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import type { AccessClaims } from "./tokens.ts";

/** How long the immediate parent of a refresh token may fetch its successor again: longer than a phone's own timeout. */
export const REPLAY_WINDOW_MS = 120_000;
/** Live sessions a user may have; one more ends the one used least recently. */
export const MAX_SESSIONS = 10;

/** Holds for rows of `sessions` that have neither ended nor expired. */
export function isLive(now: number): SQL {
  return sql`(${sessions.revokedAt} is null and ${sessions.idleExpiresAt} > ${now} and ${sessions.absoluteExpiresAt} > ${now})`;
}

/**
 * Holds while the caller's session lives and its user is active. Every read and write on a caller's behalf asks for it
 * in its own WHERE, or a read beside it in the same transaction, so that logout, ban and deletion hold from the next statement on.
 */
export function isSignedIn(deps: Pick<Deps, "db" | "now">, caller: AccessClaims): SQL {
  return isSignedInAs(deps, caller);
}

/** The statement that reads the signed-in caller's role; no row where the session has ended. */
export function selectCaller(deps: Pick<Deps, "now" | "db">, caller: AccessClaims) {
  const role = sql<(typeof users.$inferSelect)["role"]>`users.role`;
  return deps.db.select({ role }).from(WITH_USER).where(isCallers(deps, caller));
}

/** As `isSignedIn`, and `role`, which begins with ` and`, holds for the caller's row of `users`. Used by authority.store.ts. */
export function isSignedInAs(deps: Pick<Deps, "now">, caller: AccessClaims, role: SQL = sql``): SQL {
  return sql`exists (select 1 from ${WITH_USER} where ${isCallers(deps, caller)}${role})`;
}

const WITH_USER = sql`sessions inner join users on users.id = sessions.user_id`;

/** As text with four parameters, since every request pays for it: built from columns it costs several times as much. */
function isCallers(deps: Pick<Deps, "now">, { sessionId, userId }: AccessClaims): SQL {
  const now = deps.now();
  return sql`sessions.id = ${sessionId} and sessions.user_id = ${userId} and sessions.revoked_at is null
    and sessions.idle_expires_at > ${now} and sessions.absolute_expires_at > ${now} and users.status = 'ACTIVE'`;
}

/**
 * The statement that records the sessions which this invocation has just ended: one audit row each.
 *
 * @param staff who ended them, where it was not their user; null for who operates the service.
 */
export function recordEndedSessions(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  client: Pick<Client, "userAgent"> & { ip: string | null },
  staff?: AccessClaims | null,
) {
  const ended = sql`from ${sessions} where ${sessions.revokedBy} = ${deps.invocationId}`;
  const now = instantOf(deps.now());
  return {
    endedAudit: insertFrom(
      deps,
      auditLogs,
      {
        id: idForEachRow(deps),
        userId: sql`${sessions.userId}`,
        action: "LOGOUT",
        entityType: "session",
        entityId: sql`${sessions.id}`,
        newValues: sql`json_object('reason', ${sessions.revokedReason})`,
        actorId: staff === undefined ? sql`${sessions.userId}` : (staff?.userId ?? null),
        byStaff: staff !== undefined,
        ip: client.ip,
        userAgent: client.userAgent,
        sessionId: staff === undefined ? sql`${sessions.id}` : (staff?.sessionId ?? null),
        createdAt: now,
      },
      ended,
    ),
  };
}

/** The caller's role while their session lives and they may act; undefined otherwise. */
export async function findSignedInRole(deps: Pick<Deps, "db" | "now" | "log">, caller: AccessClaims) {
  const { found } = await runBatch(deps, {
    found: deps.db
      .select({ role: users.role })
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
  });
  return found[0]?.role;
}

type EndDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** Ends the caller's own session; empty when it had ended already. */
export async function endOwnSession(deps: EndDeps, client: Client, caller: AccessClaims): Promise<string[]> {
  const { ended } = await endSessions(deps, client, caller, "logout", eq(sessions.id, caller.sessionId));
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
): Promise<{ ended: string[]; isSignedIn: boolean }> {
  const writes = {
    signedIn: deps.db
      .select({ one: sql<number>`1` })
      .from(users)
      .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
    revoked: deps.db
      .update(sessions)
      .set({ revokedAt: deps.now(), revokedReason: reason, revokedBy: deps.invocationId })
      .where(and(eq(sessions.userId, caller.userId), isLive(deps.now()), which)),
    ...recordEndedSessions(deps, client),
  };
  const reads = {
    ended: deps.db.select({ id: sessions.id }).from(sessions).where(eq(sessions.revokedBy, deps.invocationId)),
  };
  const found = await commit(deps, { writes, reads, isCommitted: ({ ended }) => ended.length > 0 });
  // Only a caller who was signed in can have ended a session.
  const wasSignedIn = found.signedIn === undefined || found.signedIn.length > 0;
  return { ended: found.ended.map(({ id }) => id), isSignedIn: wasSignedIn };
}

/** The caller's live sessions, newest first; empty when the caller's own has ended. */
export async function listSessions(deps: Pick<Deps, "db" | "now" | "log">, caller: AccessClaims) {
  const { found } = await runBatch(deps, {
    found: selectLiveSessions(deps, caller.userId, isSignedIn(deps, caller)),
  });
  return found;
}

/** The statement that reads a user's live sessions, newest first, where `condition` holds. */
export function selectLiveSessions(deps: Pick<Deps, "db" | "now">, userId: string, condition: SQL) {
  return deps.db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, userId), isLive(deps.now()), condition))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(MAX_SESSIONS);
}
