import { base64url } from "jose";
import { equalInConstantTime, sha256 } from "../../platform/crypto.ts";
import { identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/relay.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import { type RateLimit, rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { findCodeHashes } from "./otp-code.store.ts";
import type { OtpRequester } from "./otp-guard.store.ts";
import { hashCode } from "./otp-hash.ts";
import { otpLimits, type Purpose } from "./otp-limits.ts";
import { consumeChallenge, hasAccount, recordAttempt } from "./otp-verify.store.ts";
import { mintVerificationToken, newVerificationToken } from "./verification-token.ts";

export interface VerifiedIdentifier {
  verificationToken: string;
  /** The step that fits: LOGIN where there is an account, else REGISTER. */
  purpose: Purpose;
  limit: RateLimit;
}

const failuresAllowed = otpLimits.lock.perNetwork;
const TOO_MANY: Text = {
  en: "Too many wrong codes. Wait before you try again.",
  ne: "धेरै पटक गलत कोड हालियो। केही बेर पर्खेर फेरि प्रयास गर्नुहोस्।",
};

/**
 * Trades a correct code for a verification token and burns the code.
 *
 * @throws AppError `invalid_otp` when the code is wrong, expired, used up or absent: the client is not told which, so
 *   that nothing can be probed. `rate_limit_exceeded` while locked, `idempotency_key_reused`.
 */
export async function verifyOtp(
  deps: Deps,
  client: Client,
  attempt: { identifier: string; otp: string; purpose?: Purpose | undefined },
): Promise<VerifiedIdentifier> {
  const identifier = parseIdentifier(deps, attempt.identifier);
  const { otp, purpose } = attempt;
  const party: OtpRequester = { identifier: identifier.value, network: client.network };
  const call = await identifyCall(deps, client.idempotencyKey, "otp/verify", identifier.value, { otp, purpose });
  const charge = await recordAttempt(deps, identifier, party, call);
  const windowSeconds = failuresAllowed.windowMs / 1000;
  if (charge.replayed) {
    const replay = await replayToken(deps, identifier, charge.replayed);
    if (replay) return { ...replay, limit: { remaining: failuresAllowed.count, resetSeconds: windowSeconds } };
  }
  const cid = await findMatch(deps, identifier, otp, charge.codes);
  const token = cid === undefined ? undefined : await newVerificationToken(deps, cid);
  const consumed = cid && token ? await consumeChallenge(deps, identifier, charge, cid, token, call) : undefined;
  if (consumed && token) {
    const limit = { remaining: failuresAllowed.count, resetSeconds: windowSeconds };
    return { verificationToken: token.value, purpose: consumed.hasAccount ? "LOGIN" : "REGISTER", limit };
  }
  deps.afterResponse(publishCoalesced(deps, charge.lockout));
  throw refuseGuess(deps, charge);
}

function refuseGuess(deps: Deps, charge: Awaited<ReturnType<typeof recordAttempt>>): AppError {
  const secondsUntil = (instant: number) => Math.ceil((instant - deps.now()) / 1000);
  const wasCharged = charge.codes.length > 0;
  const lockSeconds = secondsUntil(charge.blockedUntil);
  const refuse = (code: ErrorCode, reason: string, waitSeconds?: number) => {
    const isFree = waitSeconds === undefined && lockSeconds <= 0;
    const remaining = isFree ? Math.max(0, failuresAllowed.count - charge.failures) : 0;
    const resetSeconds = waitSeconds ?? (lockSeconds > 0 ? lockSeconds : failuresAllowed.windowMs / 1000);
    const headers = rateLimitHeaders("otp-verify", failuresAllowed, { remaining, resetSeconds });
    const retry = waitSeconds === undefined ? {} : { retryAfterSeconds: waitSeconds, message: TOO_MANY };
    return new AppError(code, { headers, reason, ...retry });
  };
  // The guess that sets the lock was still compared.
  if (!wasCharged && charge.isLocked === 0 && lockSeconds > 0)
    return refuse("rate_limit_exceeded", "locked", lockSeconds);
  if (!charge.isCounted && charge.mayNetworkGuess === 0) {
    return refuse("rate_limit_exceeded", "guesses of one network", secondsUntil(charge.guessWindowEndsAt));
  }
  if (charge.isKeyOfOtherBody === 1) return refuse("idempotency_key_reused", "key of another body");
  return refuse("invalid_otp", wasCharged ? "no match" : "no live code");
}

type Code = { cid: string; codeHash: string; secretId: string };

/** Compares the guess with every code it paid for; each comparison takes the same time. */
async function findMatch(deps: Deps, identifier: Identifier, otp: string, codes: Code[]): Promise<string | undefined> {
  if (codes.length === 0) return undefined;
  const hashes = await findCodeHashes(
    deps,
    codes.map(({ cid }) => cid),
  );
  let match: string | undefined;
  for (const { cid, codeHash, secretId } of codes) {
    const expected = base64url.decode(hashes.get(cid) ?? codeHash);
    if (equalInConstantTime(expected, await hashCode(deps, secretId, cid, identifier, otp))) match = cid;
  }
  return match;
}

/** The same token again, for a repeated call; undefined once it was used, has expired or cannot be derived. */
async function replayToken(
  deps: Deps,
  identifier: Identifier,
  row: { id: string; secretId: string; tokenHash: string; usedBy: string | null; expiresAt: number },
): Promise<Omit<VerifiedIdentifier, "limit"> | undefined> {
  if (row.usedBy !== null || row.expiresAt <= deps.now()) return undefined;
  const verificationToken = await mintVerificationToken(deps, row.id, row.secretId);
  // A key id may have been given another secret meanwhile.
  if (verificationToken === undefined || (await sha256(verificationToken)) !== row.tokenHash) return undefined;
  return { verificationToken, purpose: (await hasAccount(deps, identifier)) ? "LOGIN" : "REGISTER" };
}
