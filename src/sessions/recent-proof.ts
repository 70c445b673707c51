import { type SQL, sql } from "drizzle-orm";
import type { ProofMethod } from "../db/sign-in-schema.ts";
import type { Deps } from "../platform/deps.ts";
import { MINUTE_MS } from "../platform/time.ts";
import type { AccessClaims } from "./tokens.ts";

/** How long a sign-in or a later proof allows sensitive changes, in milliseconds (ASVS 7.5.1). A refresh is neither. */
export const PROOF_WINDOW_MS = 10 * MINUTE_MS;

/** When the person last proved that the row of `sessions` is theirs (epoch ms): the sign-in or a later proof. */
export const provedAt: SQL<number> = sql.raw("coalesce(sessions.proved_at, sessions.created_at)") as SQL<number>;

/** How they proved it. */
export const provedBy: SQL<ProofMethod> = sql.raw(
  `coalesce(sessions.proved_by, case sessions.method when 'OTP_PHONE' then 'PHONE' when 'OTP_EMAIL' then 'EMAIL'
    else sessions.method end)`,
) as SQL<ProofMethod>;

/**
 * The caller signed in, or proved the session, during the last 10 minutes. It does not check that the session is live
 * or the user active; combine it with `isSignedIn`.
 */
export function isProvedRecently(deps: Pick<Deps, "now">, caller: AccessClaims): SQL {
  return ofSession(caller, sql`${provedAt} > ${deps.now() - PROOF_WINDOW_MS}`);
}

/** Like `isProvedRecently`, but only a passkey counts. */
export function isPasskeyProvedRecently(deps: Pick<Deps, "now">, caller: AccessClaims): SQL {
  return ofSession(caller, sql`sessions.passkey_at > ${deps.now() - PROOF_WINDOW_MS}`);
}

const ofSession = ({ sessionId, userId }: AccessClaims, condition: SQL) =>
  sql`exists (select 1 from sessions where sessions.id = ${sessionId} and sessions.user_id = ${userId} and ${condition})`;
