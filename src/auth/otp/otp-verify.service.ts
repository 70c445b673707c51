import { base64url } from "jose";
import { equalInConstantTime } from "../../platform/crypto.ts";
import { identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import type { Text } from "../../platform/http/locale.ts";
import { type RateLimit, rateLimitHeaders } from "../../platform/http/rate-limit.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { findLiveCodes, type LiveCode } from "./live-codes.store.ts";
import type { Guess } from "./otp-attempt.store.ts";
import { hashCode } from "./otp-hash.ts";
import { otpLimits, type Purpose, type RequestedPurpose } from "./otp-limits.ts";
import { recordAttempt } from "./otp-verify.store.ts";
import { mintVerificationToken } from "./verification-token.ts";

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
 * @throws AppError `invalid_otp` when the code is wrong, expired, consumed or was never sent. The client cannot tell
 *   which; only the network that verified a code learns, for five minutes after its request, that it was already used.
 *   `rate_limit_exceeded` while locked or while the network has no attempts left. `idempotency_key_reused`.
 */
export async function verifyOtp(
  deps: Deps,
  client: Client,
  request: { identifier: string; otp: string; purpose?: RequestedPurpose | undefined },
): Promise<VerifiedIdentifier> {
  const identifier = parseIdentifier(deps, request.identifier);
  const { otp, purpose } = request;
  const call = await identifyCall(deps, client.idempotencyKey, "otp/verify", identifier.value, { otp, purpose });
  const compare = async (codes: LiveCode[], isNamed: boolean) => {
    const guess = { codes: await hashGuess(deps, identifier, otp, codes), isNamed };
    return recordAttempt(deps, { identifier, network: client.network, call, guess });
  };
  let attempt = await compare(await findLiveCodes(deps, identifier.value), false);
  if (attempt.isUndecided) attempt = await compare(attempt.liveCodes, true);
  const proven = attempt.verified ?? attempt.replayed;
  // Undefined for a repeated call if the secret of its token has been retired since the first call.
  const verificationToken = proven && (await mintVerificationToken(deps, proven.cid, proven.secretId));
  if (verificationToken !== undefined) {
    const limit = { remaining: failuresAllowed.count, resetSeconds: failuresAllowed.windowMs / 1000 };
    return { verificationToken, purpose: attempt.hasAccount ? "LOGIN" : "REGISTER", limit };
  }
  deps.afterResponse(publishCoalesced(deps, attempt.lockout));
  throw refuseAttempt(attempt, await wasUsedHere(deps, identifier, otp, attempt.usedHere));
}

function refuseAttempt(attempt: Awaited<ReturnType<typeof recordAttempt>>, wasUsed: boolean): AppError {
  const lockSeconds = Math.ceil(attempt.lockedForMs / 1000);
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
  if (!attempt.isCharged && attempt.isLocked === 0 && lockSeconds > 0)
    return refuse("rate_limit_exceeded", "locked", lockSeconds);
  if (!attempt.isCounted && attempt.networkMayAttempt === 0) {
    return refuse("rate_limit_exceeded", "guesses of one network", Math.ceil(attempt.attemptWindowEndsInMs / 1000));
  }
  if (attempt.isKeyReused === 1) return refuse("idempotency_key_reused", "key of another body");
  return refuse("invalid_otp", attempt.isCharged ? "no match" : "no live code");
}

type UsedCode = LiveCode & { codeHash: string };

/**
 * Whether `otp` is the code that this network verified last. For a network that has verified none it makes the same
 * comparison, so that the response time reveals nothing.
 */
async function wasUsedHere(
  deps: Deps,
  identifier: Identifier,
  otp: string,
  code: UsedCode | undefined,
): Promise<boolean> {
  const { cid, secretId } = code ?? { cid: "", secretId: deps.keyring.currentSecretId };
  const hash = await hashCode(deps, secretId, cid, identifier, otp);
  return (
    code !== undefined &&
    hash !== undefined &&
    equalInConstantTime(base64url.decode(code.codeHash), base64url.decode(hash))
  );
}

/** Adds to each code the hash of `otp` for it. */
function hashGuess(deps: Deps, identifier: Identifier, otp: string, codes: LiveCode[]): Promise<Guess["codes"]> {
  const hash = ({ cid, secretId }: LiveCode) => hashCode(deps, secretId, cid, identifier, otp);
  return Promise.all(codes.map(async (code) => ({ ...code, hash: await hash(code) })));
}
