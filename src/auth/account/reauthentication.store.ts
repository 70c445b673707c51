import { and, eq, gt, isNull, type SQL, sql } from "drizzle-orm";
import { verificationTokens } from "../../db/sign-in-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";

/** How long a sign-in counts as a proof that it is still the same person, in milliseconds. */
const RECENT_MS = 10 * 60_000;

/**
 * Holds where the caller's session began by a sign-in during the last 10 minutes (refreshing does not count), or where
 * the token is a live one of an identifier of theirs (ASVS 7.5.1). It asks neither for the session's life nor for the
 * user's state: `isSignedIn` does.
 */
export function isReauthenticated(
  deps: Pick<Deps, "db" | "now">,
  caller: AccessClaims,
  tokenHash: string | undefined,
): SQL {
  const isRecent = sql`exists (select 1 from sessions where id = ${caller.sessionId} and user_id = ${caller.userId}
    and created_at > ${deps.now() - RECENT_MS})`;
  if (tokenHash === undefined) return isRecent;
  const live = deps.db
    .select({ one: sql`1` })
    .from(verificationTokens)
    .where(isLiveToken(deps, caller, tokenHash));
  return sql`(${isRecent} or exists ${live})`;
}

/**
 * The statement that uses up the token that a caller has shown, where `isDone` holds: in the batch of the effect, after
 * its marker, so that the token lives where nothing else happens and serves one effect alone. A live token of the
 * caller's is used up even where a recent sign-in would have been proof enough.
 */
export function spendReauthentication(
  deps: Pick<Deps, "db" | "now" | "invocationId">,
  caller: AccessClaims,
  tokenHash: string | undefined,
  isDone: SQL,
) {
  if (tokenHash === undefined) return undefined;
  return deps.db
    .update(verificationTokens)
    .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: "REAUTHENTICATION" })
    .where(and(isLiveToken(deps, caller, tokenHash), isDone));
}

/** Holds for a row of `verification_tokens` that is this token, live, and of an identifier of the caller's. */
function isLiveToken(deps: Pick<Deps, "now">, caller: AccessClaims, tokenHash: string) {
  return and(
    eq(verificationTokens.tokenHash, tokenHash),
    isNull(verificationTokens.usedBy),
    gt(verificationTokens.expiresAt, deps.now()),
    sql`${verificationTokens.identifier} in (select value from users u, json_each(json_array(u.email, u.phone_number))
      where u.id = ${caller.userId} and value is not null)`,
  );
}
