import { and, desc, eq, ne, type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { idForEachRow, insertFrom, instantOf, mergeStatements, runBatch } from "../platform/data/database.ts";
import type { Value } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import type { AccessClaims } from "./tokens.ts";

/** How long a rotated refresh token still returns its successor, in milliseconds: longer than an app's own timeout. */
export const REPLAY_WINDOW_MS = 120_000;
/** Maximum number of live sessions per user; one more ends the least recently used one. */
export const MAX_SESSIONS = 10;

/** The row of `sessions` has neither ended nor expired. */
export function isLive(now: Value<number>): SQL {
  return sql`(${sessions.revokedAt} is null and ${sessions.idleExpiresAt} > ${now} and ${sessions.absoluteExpiresAt} > ${now})`;
}

/**
 * The caller's session is live and its user is active. Every read and write on a caller's behalf has this condition in
 * its WHERE or in another statement of the same transaction, so that a logout, ban or deletion takes effect with the
 * next statement.
 */
export function isSignedIn(deps: Pick<Deps, "db" | "now">, caller: AccessClaims): SQL {
  return isSignedInAs(deps, caller);
}

/** Selects the signed-in caller's role; no row if the session has ended. */
export function selectCaller(deps: Pick<Deps, "now" | "db">, caller: AccessClaims) {
  const role = sql<(typeof users.$inferSelect)["role"]>`users.role`;
  return deps.db.select({ role }).from(WITH_USER).where(isCallers(deps, caller));
}

/**
 * Like `isSignedIn`, and the caller's row of `users` meets `role`, SQL that begins with ` and`. For authority.store.ts.
 */
export function isSignedInAs(deps: Pick<Deps, "now">, caller: AccessClaims, role: SQL = sql``): SQL {
  return sql`exists (select 1 from ${WITH_USER} where ${isCallers(deps, caller)}${role})`;
}

const WITH_USER = sql`sessions inner join users on users.id = sessions.user_id`;

/**
 * Plain SQL text with four parameters, because every request uses it; building it from columns takes much more CPU
 * time.
 */
function isCallers(deps: Pick<Deps, "now">, { sessionId, userId }: AccessClaims): SQL {
  const now = deps.now();
  return sql`sessions.id = ${sessionId} and sessions.user_id = ${userId} and sessions.revoked_at is null
    and sessions.idle_expires_at > ${now} and sessions.absolute_expires_at > ${now} and users.status = 'ACTIVE'`;
}

/**
 * Records one audit row for each session that this invocation has ended.
 *
 * @param staff the member of staff who ended them; null for the operator, undefined for their own user.
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

/** The caller's role; undefined unless the session is live and the user active. */
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

/** Ends the caller's session. @returns its id; empty if it had already ended. */
export async function endOwnSession(deps: EndDeps, client: Client, caller: AccessClaims): Promise<string[]> {
  const { ended } = await endSessions(deps, client, caller, "logout", eq(sessions.id, caller.sessionId));
  return ended;
}

/** Ends one live session of the caller, if the caller is signed in. */
export function endSessionById(deps: EndDeps, client: Client, caller: AccessClaims, sessionId: string) {
  const which = and(eq(sessions.id, sessionId), isSignedIn(deps, caller));
  return endSessions(deps, client, caller, "ended_by_user", which);
}

/** Ends all live sessions of the caller except the calling one, if the caller is signed in. */
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
  const writes = mergeStatements(
    {
      signedIn: deps.db
        .select({ one: sql<number>`1` })
        .from(users)
        .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
      revoked: deps.db
        .update(sessions)
        .set({ revokedAt: deps.now(), revokedReason: reason, revokedBy: deps.invocationId })
        .where(and(eq(sessions.userId, caller.userId), isLive(deps.now()), which)),
    },
    recordEndedSessions(deps, client),
  );
  const reads = {
    ended: deps.db.select({ id: sessions.id }).from(sessions).where(eq(sessions.revokedBy, deps.invocationId)),
  };
  const found = await commit(deps, { writes, reads, isCommitted: ({ ended }) => ended.length > 0 });
  // Only a caller who was signed in can have ended a session.
  const wasSignedIn = found.signedIn === undefined || found.signedIn.length > 0;
  return { ended: found.ended.map(({ id }) => id), isSignedIn: wasSignedIn };
}

/** The caller's live sessions, newest first; empty if the calling session has ended. */
export async function listSessions(deps: Pick<Deps, "db" | "now" | "log">, caller: AccessClaims) {
  const { found } = await runBatch(deps, {
    found: selectLiveSessions(deps, caller.userId, isSignedIn(deps, caller)),
  });
  return found;
}

/** Selects a user's live sessions, newest first, if `condition` holds. */
export function selectLiveSessions(deps: Pick<Deps, "db" | "now">, userId: string | SQL, condition?: SQL) {
  return deps.db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, userId), isLive(deps.now()), condition))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(MAX_SESSIONS);
}
