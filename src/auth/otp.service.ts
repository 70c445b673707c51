import { base64url } from "jose";
import { canDeliver } from "../delivery/providers.ts";
import type { Client } from "../platform/client.ts";
import { equalInConstantTime, keyedHash, randomDigits, randomId, seal, sha256 } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { type IdempotentCall, identifyCall } from "../platform/idempotency.ts";
import { currentSecret } from "../platform/keyring.ts";
import { relay } from "../platform/outbox.ts";
import { type Identifier, parseIdentifier } from "../users/identifier.ts";
import {
  chargeGuess,
  consumeChallenge,
  findCodeHashes,
  hasAccount,
  insertChallenge,
  recordLockout,
  storeCodeHash,
} from "./otp.store.ts";
import type { Party } from "./otp-guard.store.ts";
import { otpLimits } from "./otp-limits.ts";
import { findTestCode } from "./test-identifiers.ts";

export type Purpose = "REGISTER" | "LOGIN";

/** A limit as the client may see it: attempts left, and seconds until there are more. */
export interface RateLimit {
  remaining: number;
  resetSeconds: number;
}

export interface SentCode {
  /** Seconds until the next code may be requested. */
  resendInSeconds: number;
  limit: RateLimit;
}

/**
 * Makes a code and sends it to its owner. Answer, statements and binding calls are the same whether or not there is an
 * account (ASVS 6.3.8).
 *
 * @throws AppError `validation_error`, `rate_limit_exceeded` with the seconds to wait, `idempotency_key_reused`.
 */
export async function generateOtp(
  deps: Deps,
  client: Client,
  request: { identifier: string; purpose?: Purpose | undefined },
): Promise<SentCode> {
  const identifier = parseIdentifier(deps, request.identifier);
  const testCode = findTestCode(deps, identifier);
  if (testCode === undefined && !canDeliver(deps, identifier.kind)) {
    throw new AppError("service_unavailable", { reason: "no provider for this channel", retryAfterSeconds: 60 });
  }
  const call = await identifyCall(deps, client.idempotencyKey, "otp/request", identifier.value, {
    purpose: request.purpose,
  });
  const code = testCode ?? randomDigits(deps.randomBytes, otpLimits.digits);
  const cid = randomId(deps.randomBytes);
  const secretId = deps.keyring.currentSecretId;
  const codeHash = base64url.encode(await hashCode(deps, secretId, cid, identifier, code));
  const payload = testCode === undefined ? await sealMessage(deps, identifier, cid, code) : undefined;
  const party = { identifier: identifier.value, network: client.network };
  const outcome = await insertChallenge(
    deps,
    identifier,
    party,
    { cid, codeHash, secretId, message: payload ? { payload, locale: client.locale } : undefined },
    call,
  );
  if (!outcome.created) return answerWithoutCode(deps, call, outcome);
  deps.afterResponse(storeCodeHash(deps, cid, codeHash).then(() => relay(deps, outcome.events)));
  return describeSend(deps, outcome.nextSendAt, outcome.sentByNetwork);
}

type Outcome = Awaited<ReturnType<typeof insertChallenge>>;

/** A repeated call gets the first one's answer; any other is told how long to wait. */
function answerWithoutCode(deps: Deps, call: IdempotentCall | undefined, outcome: Outcome): SentCode {
  const { binding } = outcome;
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  const sent = describeSend(deps, outcome.nextSendAt, outcome.sentByNetwork);
  if (call && binding) return { ...sent, resendInSeconds: binding.resultNumber ?? sent.resendInSeconds };
  throw new AppError("rate_limit_exceeded", {
    message: "A code was sent or tried too often. Wait before you request another one.",
    retryAfterSeconds: sent.resendInSeconds,
    headers: rateLimitHeaders("otp-request", otpLimits.send.perNetwork, { ...sent.limit, remaining: 0 }),
  });
}

function describeSend(deps: Deps, nextSendAt: number, sentByNetwork: number): SentCode {
  const resendInSeconds = Math.max(0, Math.ceil((nextSendAt - deps.now()) / 1000));
  const remaining = Math.max(0, otpLimits.send.perNetwork.count - sentByNetwork);
  return { resendInSeconds, limit: { remaining, resetSeconds: resendInSeconds } };
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). */
export function rateLimitHeaders(
  name: string,
  policy: { count: number; windowMs: number },
  { remaining, resetSeconds }: RateLimit,
): Record<string, string> {
  return {
    "RateLimit-Policy": `"${name}";q=${policy.count};w=${policy.windowMs / 1000}`,
    RateLimit: `"${name}";r=${remaining};t=${resetSeconds}`,
  };
}

/** HMAC under the pepper, bound to its challenge and identifier: useless without the pepper, or elsewhere (ASVS 6.5.2, 6.6.2). */
async function hashCode(deps: Deps, secretId: string, cid: string, identifier: Identifier, code: string) {
  const key = deps.keyring.secrets.get(secretId)?.otp;
  return key ? keyedHash(key, cid, identifier.value, code) : new Uint8Array();
}

async function sealMessage(deps: Deps, identifier: Identifier, cid: string, code: string): Promise<string> {
  return JSON.stringify({
    cid,
    sealed_code: await seal(currentSecret(deps.keyring).sealing, deps.randomBytes, code, cid),
    secret_id: deps.keyring.currentSecretId,
    channel: identifier.kind === "phone" ? "sms" : "email",
    to: identifier.value,
    expires_at: deps.now() + otpLimits.ttlMs,
  });
}

export interface VerifiedIdentifier {
  verificationToken: string;
  /** The step that fits: LOGIN where there is an account, else REGISTER. */
  purpose: Purpose;
  limit: RateLimit;
}

const failuresAllowed = otpLimits.lock.perNetwork;

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
  const party: Party = { identifier: identifier.value, network: client.network };
  const call = await identifyCall(deps, client.idempotencyKey, "otp/verify", identifier.value, { otp, purpose });
  const charge = await chargeGuess(deps, party, call);
  const windowSeconds = failuresAllowed.windowMs / 1000;
  if (charge.replayed) {
    const replay = await replayToken(deps, identifier, charge.replayed);
    if (replay) return { ...replay, limit: { remaining: failuresAllowed.count, resetSeconds: windowSeconds } };
  }
  const cid = await findMatch(deps, identifier, otp, charge.codes);
  const token = cid === undefined ? undefined : await newVerificationToken(deps);
  const consumed =
    cid && token ? await consumeChallenge(deps, identifier, charge.networkClass, cid, token, call) : undefined;
  if (consumed && token) {
    const limit = { remaining: failuresAllowed.count, resetSeconds: windowSeconds };
    return { verificationToken: token.value, purpose: consumed.hasAccount ? "LOGIN" : "REGISTER", limit };
  }
  if (charge.isLocked === 1) await recordLockout(deps, identifier, party);
  throw refuseGuess(deps, charge);
}

function refuseGuess(deps: Deps, charge: Awaited<ReturnType<typeof chargeGuess>>): AppError {
  const now = deps.now();
  const waitSeconds = Math.ceil((charge.blockedUntil - now) / 1000);
  const remaining = charge.isLocked === 1 ? 0 : Math.max(0, failuresAllowed.count - charge.failures);
  const resetSeconds = waitSeconds > 0 ? waitSeconds : failuresAllowed.windowMs / 1000;
  const headers = rateLimitHeaders("otp-verify", failuresAllowed, { remaining, resetSeconds });
  const wasCharged = charge.codes.length > 0;
  if (!wasCharged && charge.isLocked === 0 && waitSeconds > 0) {
    const message = "Too many wrong codes. Wait before you try again.";
    return new AppError("rate_limit_exceeded", { message, retryAfterSeconds: waitSeconds, headers, reason: "locked" });
  }
  if (charge.guessesOfNetwork > otpLimits.guessesPerNetwork.count) {
    const retryAfterSeconds = otpLimits.guessesPerNetwork.windowMs / 1000;
    return new AppError("rate_limit_exceeded", { retryAfterSeconds, headers, reason: "guesses of one network" });
  }
  if (charge.isKeyOfOtherBody === 1) return new AppError("idempotency_key_reused", { headers });
  return new AppError("invalid_otp", { headers, reason: wasCharged ? "no match" : "no live code" });
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

/** The token is derived from a random id, so that it can be derived again but never read from the database. */
async function deriveToken(deps: Deps, id: string, secretId: string): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(secretId)?.verificationToken;
  return key ? base64url.encode(await keyedHash(key, id)) : undefined;
}

async function newVerificationToken(deps: Deps) {
  const id = randomId(deps.randomBytes);
  const secretId = deps.keyring.currentSecretId;
  const value = await deriveToken(deps, id, secretId);
  if (value === undefined) throw new Error("the current secret is not in the keyring");
  return { id, secretId, value, tokenHash: await sha256(value) };
}

/** The same token again, for a repeated call; undefined once it was used, has expired or cannot be derived. */
async function replayToken(
  deps: Deps,
  identifier: Identifier,
  row: { id: string; secretId: string; usedBy: string | null; expiresAt: number },
): Promise<Omit<VerifiedIdentifier, "limit"> | undefined> {
  if (row.usedBy !== null || row.expiresAt <= deps.now()) return undefined;
  const verificationToken = await deriveToken(deps, row.id, row.secretId);
  if (verificationToken === undefined) return undefined;
  return { verificationToken, purpose: (await hasAccount(deps, identifier)) ? "LOGIN" : "REGISTER" };
}
