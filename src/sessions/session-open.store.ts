import { type SQL, sql } from "drizzle-orm";
import { sessions } from "../db/sign-in-schema.ts";
import { insertWhere, instantOf, mergeStatements } from "../platform/data/database.ts";
import type { BuilderDeps, StatementDeps, Value } from "../platform/data/prepared.ts";
import type { Client } from "../platform/http/client.ts";
import { DAY_MS, HOUR_MS } from "../platform/time.ts";
import { endSessions, liveSessionsOf, MAX_SESSIONS } from "./session.store.ts";

/** Lifetime of a session: absolute since sign-in, idle since the last refresh. */
export const LIFE_MS = {
  user: { absolute: 90 * DAY_MS, idle: 60 * DAY_MS },
  staff: { absolute: 24 * HOUR_MS, idle: 12 * HOUR_MS },
  console: { absolute: 12 * HOUR_MS, idle: HOUR_MS },
};

/** A session to open. */
export interface NewSession {
  id: Value<string>;
  /** The user's id, or a scalar subquery for it. */
  userId: Value<string>;
  method: (typeof sessions.$inferInsert)["method"];
  /** The session belongs to the staff console in a browser. */
  isConsole?: boolean;
  /** The passkey that opens it. */
  passkeyId?: string;
}

/** `device_name` of the sessions of the staff console. */
const CONSOLE_DEVICE = "Console";

/** The session's user has fewer live sessions than the limit. */
export function hasSessionLeft(deps: Pick<BuilderDeps, "now">, userId: Value<string>): SQL {
  return sql`(select count(*) ${liveSessionsOf(userId, deps.now())}) < ${sql.raw(String(MAX_SESSIONS))}`;
}

/**
 * Inserts a session if `condition` holds.
 *
 * @param secretId id of the key that signs its refresh token.
 */
export function insertSession(
  deps: Pick<BuilderDeps, "db" | "now" | "invocationId">,
  client: { ip: Value<string>; userAgent: Value<string | null> },
  session: NewSession,
  secretId: Value<string>,
  condition: SQL,
) {
  const now = deps.now();
  const isStaff = sql`(select role from users where id = ${session.userId}) in ('staff', 'admin')`;
  const lifeMs = (kind: "absolute" | "idle") =>
    session.isConsole
      ? instantOf(LIFE_MS.console[kind])
      : sql`case when ${isStaff} then ${LIFE_MS.staff[kind]} else ${LIFE_MS.user[kind]} end`;
  return insertWhere(
    deps,
    sessions,
    {
      id: session.id,
      userId: session.userId,
      createdAt: now,
      lastUsedAt: now,
      activityAt: now,
      counter: 0,
      refreshKeyId: secretId,
      rotatedAt: now,
      rotatedBy: deps.invocationId,
      replays: 0,
      idleTtlMs: lifeMs("idle"),
      idleExpiresAt: sql`${instantOf(now)} + ${lifeMs("idle")}`,
      absoluteExpiresAt: sql`${instantOf(now)} + ${lifeMs("absolute")}`,
      ip: client.ip,
      userAgent: client.userAgent,
      deviceName: session.isConsole ? CONSOLE_DEVICE : null,
      method: session.method,
      passkeyAt: session.passkeyId === undefined ? null : now,
      passkeyId: session.passkeyId ?? null,
    },
    condition,
  ).returning();
}

/** Opens a session if `condition` holds, and ends the least recently used one if the user then has too many. */
export function openSession(deps: StatementDeps, client: Client, session: NewSession, condition: SQL) {
  const now = deps.now();
  const kept = sql`select ${sessions.id} ${liveSessionsOf(session.userId, now)}
    order by ${sessions.id} = ${session.id} desc, max(${sessions.lastUsedAt}, coalesce(${sessions.activityAt}, 0)) desc,
    ${sessions.createdAt} desc, ${sessions.id} desc limit ${sql.raw(String(MAX_SESSIONS))}`;
  return mergeStatements(
    {
      openedSession: insertSession(deps, client, session, deps.keyring.currentSecretId, condition),
    },
    endSessions(deps, client, {
      userId: session.userId,
      which: sql`${sessions.id} not in (${kept}) and ${condition}`,
      reason: "session_limit",
    }),
  );
}
