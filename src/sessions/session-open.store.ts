import { type SQL, sql } from "drizzle-orm";
import { sessions } from "../db/sign-in-schema.ts";
import { insertWhere, instantOf, mergeStatements } from "../platform/data/database.ts";
import type { StatementDeps } from "../platform/data/prepared.ts";
import type { Client } from "../platform/http/client.ts";
import { DAY_MS, HOUR_MS } from "../platform/time.ts";
import { endSessions, liveSessionsOf, MAX_SESSIONS } from "./session.store.ts";

/** Lifetime of a session: absolute since sign-in, idle since the last refresh. */
export const LIFE_MS = {
  user: { absolute: 90 * DAY_MS, idle: 60 * DAY_MS },
  staff: { absolute: 24 * HOUR_MS, idle: 12 * HOUR_MS },
};

/** A session to open. */
export interface NewSession {
  id: string;
  /** The user's id, or a scalar subquery for it. */
  userId: string | SQL;
  method: (typeof sessions.$inferInsert)["method"];
}

/** Opens a session if `condition` holds, and ends the least recently used one if the user then has too many. */
export function openSession(deps: StatementDeps, client: Client, session: NewSession, condition: SQL) {
  const now = deps.now();
  const isStaff = sql`(select role from users where id = ${session.userId}) in ('staff', 'admin')`;
  const lifeMs = (kind: "absolute" | "idle") =>
    sql`case when ${isStaff} then ${LIFE_MS.staff[kind]} else ${LIFE_MS.user[kind]} end`;
  const kept = sql`select ${sessions.id} ${liveSessionsOf(session.userId, now)}
    order by ${sessions.id} = ${session.id} desc, max(${sessions.lastUsedAt}, coalesce(${sessions.activityAt}, 0)) desc,
    ${sessions.createdAt} desc, ${sessions.id} desc limit ${sql.raw(String(MAX_SESSIONS))}`;
  return mergeStatements(
    {
      openedSession: insertWhere(
        deps,
        sessions,
        {
          id: session.id,
          userId: session.userId,
          createdAt: now,
          lastUsedAt: now,
          activityAt: now,
          counter: 0,
          refreshKeyId: deps.keyring.currentSecretId,
          rotatedAt: now,
          rotatedBy: deps.invocationId,
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
    },
    endSessions(deps, client, {
      userId: session.userId,
      which: sql`${sessions.id} not in (${kept}) and ${condition}`,
      reason: "session_limit",
    }),
  );
}
