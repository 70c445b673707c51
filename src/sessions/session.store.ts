import { and, desc, eq, getTableColumns, ne, type SQL, sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import { sessions } from "../db/sign-in-schema.ts";
import { users } from "../db/user-schema.ts";
import { commit } from "../platform/data/commit.ts";
import { idForEachRow, insertFrom, instantOf, mergeStatements, runBatch } from "../platform/data/database.ts";
import type { BuilderDeps, Value } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import type { Client } from "../platform/http/client.ts";
import { MINUTE_MS } from "../platform/time.ts";
import { PROOF_WINDOW_MS } from "./recent-proof.ts";
import type { AccessClaims } from "./tokens.ts";

/** How long a rotated refresh token still returns its successor, in milliseconds: longer than an app's own timeout. */
export const REPLAY_WINDOW_MS = 120_000;
/** Maximum number of live sessions per user; one more ends the least recently used one. */
export const MAX_SESSIONS = 10;
/** Precision of a user's last activity, in milliseconds: it is recorded at most once per interval. */
export const ACTIVITY_INTERVAL_MS = 15 * MINUTE_MS;

/** The row of `sessions` has neither ended nor expired. */
export function isLive(now: Value<number>): SQL {
  return sql`(${sessions.revokedAt} is null and ${sessions.idleExpiresAt} > ${now} and ${sessions.absoluteExpiresAt} > ${now})`;
}

/** The claims of a caller, or placeholders for them. */
interface CallerValues {
  sessionId: Value<string>;
  userId: Value<string>;
}

/**
 * The caller's session is live and its user is active. Every read and write on a caller's behalf has this condition in
 * its WHERE or in another statement of the same transaction, so that a logout, ban or deletion takes effect with the
 * next statement.
 */
export function isSignedIn(deps: Pick<BuilderDeps, "now">, caller: CallerValues): SQL {
  return isSignedInAs(deps, caller);
}

/** A caller as `selectCaller` reads it. */
export interface CallerRow {
  role: Role;
  /** 1 if the caller's role needs a passkey, and none opened or proved the session; else 0. */
  lacksPasskey: number;
  /** 1 if the role needs a passkey for the most sensitive actions and none was used in the last 10 minutes; else 0. */
  lacksRecentPasskey: number;
}

type Role = (typeof users.$inferSelect)["role"];

/** Selects the signed-in caller's role and whether it lacks a passkey; no row if the session has ended. */
export function selectCaller(deps: Pick<Deps, "now" | "db" | "config">, caller: AccessClaims) {
  const lacks = (condition: SQL) => sql<number>`(users.role <> 'user' and not (${condition}))`;
  return deps.db
    .select({
      role: sql<Role>`users.role`,
      lacksPasskey: lacks(hasPasskey(deps)).as("lacks_passkey"),
      lacksRecentPasskey: lacks(hasRecentPasskey(deps)).as("lacks_recent_passkey"),
    })
    .from(WITH_USER)
    .where(isCallers(deps, caller));
}

type RuleDeps = Pick<Deps, "now" | "config">;

/** A passkey opened or proved the row of `sessions`; true where staff need none. */
export function hasPasskey({ config }: Pick<Deps, "config">): SQL {
  return config.requiresStaffPasskeys ? sql`sessions.passkey_at is not null` : sql`true`;
}

/** Like `hasPasskey`, during the last 10 minutes. */
export function hasRecentPasskey({ config, now }: RuleDeps): SQL {
  return config.requiresStaffPasskeys ? sql`coalesce(sessions.passkey_at, 0) > ${now() - PROOF_WINDOW_MS}` : sql`true`;
}

/**
 * Like `isSignedIn`, and the caller's row of `users` meets `role`, SQL that begins with ` and`. For authority.store.ts.
 */
export function isSignedInAs(deps: Pick<BuilderDeps, "now">, caller: CallerValues, role: SQL = sql``): SQL {
  return sql`exists (select 1 from ${WITH_USER} where ${isCallers(deps, caller)}${role})`;
}

const WITH_USER = sql`sessions inner join users on users.id = sessions.user_id`;

/**
 * Plain SQL text with four parameters, because every request uses it; building it from columns takes much more CPU
 * time.
 */
function isCallers(deps: Pick<BuilderDeps, "now">, { sessionId, userId }: CallerValues): SQL {
  const now = deps.now();
  return sql`sessions.id = ${sessionId} and sessions.user_id = ${userId} and sessions.revoked_at is null
    and sessions.idle_expires_at > ${now} and sessions.absolute_expires_at > ${now} and users.status = 'ACTIVE'`;
}

/** A FROM clause and a condition that select a user's live sessions that meet `which`, without reading ended ones. */
export function liveSessionsOf(userId: Value<string>, now: Value<number>, which?: SQL): SQL {
  return sql`from ${sessions} indexed by sessions_live
    where ${and(sql`${sessions.userId} = ${userId}`, isLive(now), which)}`;
}

/** Which live sessions of a user end, why, and who ends them. */
interface Ending {
  userId: string | SQL;
  which: SQL | undefined;
  reason: string;
  /** The member of staff who ends them; null for the operator, undefined for their own user. */
  staff?: AccessClaims | null;
  /** Id by which `selectEnded` finds the sessions; generated if absent. */
  endingId?: string;
}

/**
 * Ends live sessions of a user, with an audit row for each. The audit rows come first, by the same condition in the
 * same transaction, so that no index is needed to find the sessions that have just ended.
 */
export function endSessions(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  client: Pick<Client, "userAgent"> & { ip: string | null },
  { userId, which, reason, staff, endingId }: Ending,
) {
  const live = liveSessionsOf(userId, deps.now(), which);
  const id = endingId ?? deps.newId();
  return {
    endedAudit: insertFrom(
      deps,
      auditLogs,
      {
        id: idForEachRow({ newId: () => id }),
        userId: sql`${sessions.userId}`,
        action: "LOGOUT",
        entityType: "session",
        entityId: sql`${sessions.id}`,
        newValues: sql`json_object('reason', ${reason})`,
        actorId: staff === undefined ? sql`${sessions.userId}` : (staff?.userId ?? null),
        byStaff: staff !== undefined,
        ip: client.ip,
        userAgent: client.userAgent,
        sessionId: staff === undefined ? sql`${sessions.id}` : (staff?.sessionId ?? null),
        createdAt: instantOf(deps.now()),
      },
      live,
    ),
    endedSessions: deps.db
      .update(sessions)
      .set({ revokedAt: instantOf(deps.now()), revokedReason: reason, revokedBy: deps.invocationId })
      .where(and(sql`${sessions.userId} = ${userId}`, sql`${sessions.id} in (select ${sessions.id} ${live})`))
      .returning({ id: sessions.id }),
  };
}

/** Selects the user's sessions that `endSessions` has ended under the id: their audit rows lie side by side. */
export function selectEnded(deps: Pick<Deps, "db">, userId: string, endingId: string) {
  const prefix = sql`substr(${endingId}, 1, 24)`;
  return deps.db
    .select({ id: auditLogs.entityId })
    .from(auditLogs)
    .where(
      sql`user_id = ${userId} and id > ${prefix} and id < ${prefix} || 'g' and action = 'LOGOUT' and entity_type = 'session'`,
    );
}

/**
 * The caller's effective role: `user` for staff whose session lacks the passkey that their role needs. Undefined unless
 * the session is live and the user active.
 */
export async function findSignedInRole(deps: Pick<Deps, "db" | "now" | "log" | "config">, caller: AccessClaims) {
  const { found } = await runBatch(deps, { found: selectCaller(deps, caller) });
  const [row] = found;
  return row && (row.lacksPasskey === 1 ? "user" : row.role);
}

type EndDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** Ends the caller's session. @returns its id; empty if it had already ended. */
export async function endOwnSession(deps: EndDeps, client: Client, caller: AccessClaims): Promise<string[]> {
  const { ended } = await endOwn(deps, client, caller, "logout", eq(sessions.id, caller.sessionId));
  return ended;
}

/** Ends one live session of the caller, if the caller is signed in. */
export function endSessionById(deps: EndDeps, client: Client, caller: AccessClaims, sessionId: string) {
  const which = and(eq(sessions.id, sessionId), isSignedIn(deps, caller));
  return endOwn(deps, client, caller, "ended_by_user", which);
}

/** Ends all live sessions of the caller except the calling one, if the caller is signed in. */
export function endOtherSessions(deps: EndDeps, client: Client, caller: AccessClaims) {
  const which = and(ne(sessions.id, caller.sessionId), isSignedIn(deps, caller));
  return endOwn(deps, client, caller, "ended_by_user", which);
}

async function endOwn(
  deps: EndDeps,
  client: Client,
  caller: AccessClaims,
  reason: string,
  which: SQL | undefined,
): Promise<{ ended: string[]; isSignedIn: boolean }> {
  const endingId = deps.newId();
  const writes = mergeStatements(
    {
      signedIn: deps.db
        .select({ one: sql<number>`1` })
        .from(users)
        .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller))),
    },
    endSessions(deps, client, { userId: caller.userId, which, reason, endingId }),
  );
  const reads = { ended: selectEnded(deps, caller.userId, endingId) };
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

/** The columns as SQL, because Drizzle rejects plain columns if the FROM clause is SQL text. */
const sessionColumns = Object.fromEntries(
  Object.entries(getTableColumns(sessions)).map(([name, column]) => [name, sql`${column}`.mapWith(column)]),
) as unknown as ReturnType<typeof getTableColumns<typeof sessions>>;

/** Selects a user's live sessions, newest first, if `condition` holds. */
export function selectLiveSessions(deps: Pick<Deps, "db" | "now">, userId: string | SQL, condition?: SQL) {
  return deps.db
    .select(sessionColumns)
    .from(sql`${sessions} indexed by sessions_live`)
    .where(and(sql`${sessions.userId} = ${userId}`, isLive(deps.now()), condition))
    .orderBy(desc(sessions.createdAt), desc(sessions.id))
    .limit(MAX_SESSIONS);
}
