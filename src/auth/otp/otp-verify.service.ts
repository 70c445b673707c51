import { base64url } from "jose";
import { equalInConstantTime, sha256 } from "../../platform/crypto.ts";
import { identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import { type RateLimit, rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { findCodeHashes } from "./otp-code.store.ts";
import { consumeChallenge, hasAccount } from "./otp-consume.store.ts";
import type { OtpRequester } from "./otp-guard.store.ts";
import { hashCode } from "./otp-hash.ts";
import { otpLimits, type Purpose } from "./otp-limits.ts";
import { recordAttempt } from "./otp-verify.store.ts";
import { mintVerificationToken, newVerificationToken } from "./verification-token.ts";

export interface VerifiedIdentifier {
  verificationToken: string;
  /** The client's next step: LOGIN if the identifier has an account, else REGISTER. */
  purpose: Purpose;
  limit: RateLimit;
}

const failuresAllowed = otpLimits.lock.perNetwork;
const TOO_MANY: Text = {
  en: "Too many wrong codes. Wait before you try again.",
  ne: "धेरै पटक गलत कोड हालियो। केही बेर पर्खेर फेरि प्रयास गर्नुहोस्।",
};

const ALREADY_USED: Text = {
  en: "This code was already used. Continue with that sign-in, or request a new code.",
  ne: "यो कोड प्रयोग भइसक्यो। त्यही साइन इन जारी राख्नुहोस् वा नयाँ कोड माग्नुहोस्।",
};

/**
 * Exchanges a correct code for a verification token and consumes the code.
 *
 * @throws AppError `invalid_otp` when the code is wrong, expired, consumed or was never sent; the client cannot tell
 *   which, except that the message tells the network that verified a code when it sends the same code again.
 *   `rate_limit_exceeded` while locked. `idempotency_key_reused`.
 */
export async function verifyOtp(
  deps: Deps,
  client: Client,
  request: { identifier: string; otp: string; purpose?: Purpose | undefined },
): Promise<VerifiedIdentifier> {
  const identifier = parseIdentifier(deps, request.identifier);
  const { otp, purpose } = request;
  const requester: OtpRequester = { identifier: identifier.value, network: client.network };
  const call = await identifyCall(deps, client.idempotencyKey, "otp/verify", identifier.value, { otp, purpose });
  const attempt = await recordAttempt(deps, identifier, requester, call);
  const windowSeconds = failuresAllowed.windowMs / 1000;
  if (attempt.replayed) {
    const replay = await replayToken(deps, identifier, attempt.replayed);
    if (replay) return { ...replay, limit: { remaining: failuresAllowed.count, resetSeconds: windowSeconds } };
  }
  const cid = await findMatch(deps, identifier, otp, attempt.codes);
  const token = cid === undefined ? undefined : await newVerificationToken(deps, cid);
  const consumed = cid && token ? await consumeChallenge(deps, identifier, attempt, cid, token, call) : undefined;
  if (consumed && token) {
    const limit = { remaining: failuresAllowed.count, resetSeconds: windowSeconds };
    return { verificationToken: token.value, purpose: consumed.hasAccount ? "LOGIN" : "REGISTER", limit };
  }
  deps.afterResponse(publishCoalesced(deps, attempt.lockout));
  throw refuseAttempt(deps, attempt, await wasUsedHere(deps, identifier, otp, attempt.usedHere));
}

function refuseAttempt(deps: Deps, attempt: Awaited<ReturnType<typeof recordAttempt>>, wasUsed: boolean): AppError {
  const secondsUntil = (instant: number) => Math.ceil((instant - deps.now()) / 1000);
  const wasCharged = attempt.codes.length > 0;
  const lockSeconds = secondsUntil(attempt.blockedUntil);
  const refuse = (code: ErrorCode, reason: string, waitSeconds?: number) => {
    const isUnlocked = waitSeconds === undefined && lockSeconds <= 0;
    const remaining = isUnlocked ? Math.max(0, failuresAllowed.count - attempt.failures) : 0;
    const resetSeconds = waitSeconds ?? (lockSeconds > 0 ? lockSeconds : failuresAllowed.windowMs / 1000);
    const headers = rateLimitHeaders("otp-verify", failuresAllowed, { remaining, resetSeconds });
    const retry = waitSeconds === undefined ? {} : { retryAfterSeconds: waitSeconds, message: TOO_MANY };
    const used = code === "invalid_otp" && wasUsed ? { message: ALREADY_USED } : {};
    return new AppError(code, { headers, reason, ...retry, ...used });
  };
  // The attempt that sets the lock is itself still compared.
  if (!wasCharged && attempt.isLocked === 0 && lockSeconds > 0)
    return refuse("rate_limit_exceeded", "locked", lockSeconds);
  if (!attempt.isCounted && attempt.networkMayAttempt === 0) {
    return refuse("rate_limit_exceeded", "guesses of one network", secondsUntil(attempt.attemptWindowEndsAt));
  }
  if (attempt.isKeyReused === 1) return refuse("idempotency_key_reused", "key of another body");
  return refuse("invalid_otp", wasCharged ? "no match" : "no live code");
}

type Code = { cid: string; codeHash: string; secretId: string };

/**
 * Whether `otp` is the code that this network verified last. For a network that has verified none it makes the same
 * comparison, so that the response time reveals nothing.
 */
async function wasUsedHere(deps: Deps, identifier: Identifier, otp: string, code: Code | undefined): Promise<boolean> {
  const { cid, secretId } = code ?? { cid: "", secretId: deps.keyring.currentSecretId };
  const hash = await hashCode(deps, secretId, cid, identifier, otp);
  return code !== undefined && equalInConstantTime(base64url.decode(code.codeHash), hash);
}

/** The challenge whose code matches, among those that the attempt was charged to. Each comparison takes constant time. */
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

/** The token of the first call, for a call repeated under its key; undefined once it is used, expired or not derivable. */
async function replayToken(
  deps: Deps,
  identifier: Identifier,
  row: { id: string; secretId: string; tokenHash: string; usedBy: string | null; expiresAt: number },
): Promise<Omit<VerifiedIdentifier, "limit"> | undefined> {
  if (row.usedBy !== null || row.expiresAt <= deps.now()) return undefined;
  const verificationToken = await mintVerificationToken(deps, row.id, row.secretId);
  // The secret behind this id may have been replaced since.
  if (verificationToken === undefined || (await sha256(verificationToken)) !== row.tokenHash) return undefined;
  return { verificationToken, purpose: (await hasAccount(deps, identifier)) ? "LOGIN" : "REGISTER" };
}
