import { and, eq, type SQL, sql } from "drizzle-orm";
import { passkeys } from "../../db/identity-schema.ts";
import { users } from "../../db/user-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import { DAY_MS } from "../../platform/time.ts";
import { firstIdInWindow } from "../../platform/uuid.ts";
import { isPasskeyProvedRecently, isProvedRecently } from "../../sessions/recent-proof.ts";
import { isSignedIn } from "../../sessions/session.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";

export type OwnDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log" | "config">;

/** Maximum number of passkeys of a user. */
export const MAX_PASSKEYS = 10;
/** How often a user may add a passkey; each addition sends messages. */
export const passkeyAddsPerDay = { count: 10, windowMs: DAY_MS } as const;

const shown = {
  id: passkeys.id,
  name: passkeys.name,
  credentialId: passkeys.credentialId,
  aaguid: passkeys.aaguid,
  isSynced: passkeys.isSynced,
  createdAt: passkeys.createdAt,
  lastUsedAt: passkeys.lastUsedAt,
};

/** The row of `users` is staff without a passkey proof in the last 10 minutes, and `unless` does not hold. */
export const needsPasskey = (deps: OwnDeps, caller: AccessClaims, unless: SQL = sql`false`): SQL =>
  deps.config.requiresStaffPasskeys
    ? sql`(users.role <> 'user' and not (${isPasskeyProvedRecently(deps, caller)} or ${unless}))`
    : sql`false`;

const isEnrolmentOpen = (deps: OwnDeps) => sql`coalesce(users.passkey_enrolment_until, 0) > ${deps.now()}`;

/** The FROM and WHERE clauses of the user's additions in the last day. */
const recentAdds = (deps: OwnDeps, userId: string) =>
  sql`from audit_logs where user_id = ${userId} and id > ${firstIdInWindow(deps.now(), passkeyAddsPerDay.windowMs)}
    and entity_type = 'passkey' and action = 'CREATE'`;

/** The first reason why the caller, the row of `users`, may not add a passkey; NULL if there is none. */
export function obstacleToAdd(deps: OwnDeps, caller: AccessClaims): SQL<ErrorCode | null> {
  const { userId } = caller;
  return sql`(case when not ${isProvedRecently(deps, caller)} then 'reauthentication_required'
    when ${needsPasskey(deps, caller, isEnrolmentOpen(deps))} then 'passkey_required'
    when (select count(*) from passkeys where user_id = ${userId}) >= ${MAX_PASSKEYS} then 'conflict'
    when (select count(*) ${recentAdds(deps, userId)}) >= ${passkeyAddsPerDay.count} then 'rate_limit_exceeded' end)`;
}

const limitEndsAt = (deps: OwnDeps, userId: string) =>
  sql<number>`coalesce((select created_at + ${passkeyAddsPerDay.windowMs} ${recentAdds(deps, userId)}
    order by id desc limit 1 offset ${passkeyAddsPerDay.count - 1}), 0)`;

/**
 * Selects the first obstacle, and when the next addition is possible if the daily limit is reached; no row if the
 * session has ended.
 */
export const selectState = (deps: OwnDeps, caller: AccessClaims, obstacle: SQL<ErrorCode | null>) =>
  deps.db
    .select({ obstacle: obstacle.as("obstacle"), limitEndsAt: limitEndsAt(deps, caller.userId).as("limit_ends_at") })
    .from(users)
    .where(and(eq(users.id, caller.userId), isSignedIn(deps, caller)));

/** Selects the caller's passkey that meets `which`. */
export const selectOwnPasskey = (deps: OwnDeps, caller: AccessClaims, which: SQL) =>
  deps.db
    .select(shown)
    .from(passkeys)
    .where(and(eq(passkeys.userId, caller.userId), which, isSignedIn(deps, caller)));
