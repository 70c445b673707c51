import { and, eq, type SQL, sql } from "drizzle-orm";
import { otpChallenges } from "../../db/sign-in-schema.ts";
import type { Deps } from "../../platform/deps.ts";
import { isProvedRecently } from "../../sessions/recent-proof.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { hasLiveToken, isOwnIdentifier } from "../otp/verification-token.store.ts";

/**
 * The caller signed in or proved the session during the last 10 minutes, or one of the caller's identifiers has a
 * live verification token with this challenge id, as `readVerificationToken` returns it (ASVS 7.5.1). It does not check
 * that the session is live or the user active; combine it with `isSignedIn`.
 */
export function isReauthenticated(
  deps: Pick<Deps, "db" | "now">,
  caller: AccessClaims,
  verifiedCid: string | undefined,
): SQL {
  const isRecent = isProvedRecently(deps, caller);
  if (verifiedCid === undefined) return isRecent;
  const live = deps.db
    .select({ one: sql`1` })
    .from(otpChallenges)
    .where(isLiveToken(deps, caller, verifiedCid));
  return sql`(${isRecent} or exists ${live})`;
}

/**
 * Redeems the caller's verification token if `isDone` holds. It belongs in the batch of the effect, after the marker
 * that `isDone` reads, so that the token serves exactly one effect and stays valid if there is none. A live token is
 * redeemed even if the sign-in was recent enough.
 */
export function spendReauthentication(
  deps: Pick<Deps, "db" | "now" | "invocationId">,
  caller: AccessClaims,
  verifiedCid: string | undefined,
  isDone: SQL,
) {
  if (verifiedCid === undefined) return undefined;
  return deps.db
    .update(otpChallenges)
    .set({ usedBy: deps.invocationId, usedAt: deps.now(), usedFor: "REAUTHENTICATION" })
    .where(and(isLiveToken(deps, caller, verifiedCid), isDone));
}

/** The row of `otp_challenges` has this token, which is live and belongs to one of the caller's identifiers. */
function isLiveToken(deps: Pick<Deps, "now">, caller: AccessClaims, verifiedCid: string) {
  return and(eq(otpChallenges.cid, verifiedCid), hasLiveToken(deps), isOwnIdentifier(caller.userId));
}
