import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import { mintTokens, type TokenPair } from "../../sessions/refresh.service.ts";
import { type AccessClaims, verifyRefreshToken } from "../../sessions/tokens.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { findSignedInUser, type UserRow } from "../../users/user.store.ts";
import { defaultUsernames, withKey } from "../../users/username.ts";
import { hashIdentifier } from "../deletion/former-identity.ts";
import { findTestCode } from "../otp/test-identifiers.ts";
import type { TokenRedemption } from "../otp/verification-token.store.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import type { SecondProof } from "./dormant-number.store.ts";
import { signIn } from "./login.store.ts";
import { generateAccountIds } from "./new-account.ts";
import { insertAccount } from "./register.store.ts";
import { isKeyReused, type SignInOutcome } from "./sign-in.store.ts";

/** How long a client that lost the response may repeat a register or login without an Idempotency-Key. */
export const REPEAT_WINDOW_MS = 180_000;

export interface SignedIn extends TokenPair {
  user: UserRow;
  /** Whether the account was created with a valid referral code. */
  referralApplied: boolean;
}

/**
 * Creates an account for a verified identifier and signs it in, in the transaction that redeems the verification token.
 *
 * @throws AppError `invalid_token`, `user_already_exists`, `identifier_replaced`, `username_taken`,
 *   `idempotency_key_reused`; `service_unavailable` if no generated username is free. A failed call does not redeem the
 *   token.
 */
export async function registerUser(
  deps: Deps,
  client: Client,
  request: {
    identifier: string;
    verification_token: string;
    username?: string | undefined;
    referral_code?: string | undefined;
    start_over?: boolean | undefined;
  },
): Promise<SignedIn> {
  const identifier = parseIdentifier(deps, request.identifier);
  const call = await identifyCall(deps, client.idempotencyKey, "register", identifier.value, {
    ...request,
    identifier: identifier.value,
  });
  const redemption = await prepareRedemption(deps, call, identifier, request.verification_token, "REGISTER");
  const usernames =
    request.username === undefined ? defaultUsernames(deps.randomBytes, identifier) : [withKey(request.username)];
  const identities = [await hashIdentifier(deps, identifier.value)];
  const account = generateAccountIds(deps, client, usernames, request.referral_code, identities);
  const outcome = await insertAccount(
    deps,
    client,
    redemption,
    account,
    call,
    findTestCode(deps, identifier) !== undefined,
    request.start_over === true,
  );
  const signedIn = await completeSignIn(deps, redemption, call, outcome);
  if (signedIn) return signedIn;
  if (outcome.user) throw new AppError("user_already_exists");
  if (outcome.isReserved) throw new AppError("identifier_replaced");
  if (outcome.isUsernameTaken) throw new AppError("username_taken");
  throw new AppError("service_unavailable", { reason: "no free username drawn", retryAfterSeconds: 1 });
}

/**
 * Signs a verified identifier in.
 *
 * @param usedFor `CONSOLE` opens a session of the staff console, for staff only.
 * @throws AppError `invalid_token`, `user_not_found`, `identifier_replaced`, `number_dormant`, `account_inactive`,
 *   `idempotency_key_reused`; `permission_denied` if the console's user is not staff. A failed call does not redeem the
 *   verification token.
 */
export async function loginUser(
  deps: Deps,
  client: Client,
  request: {
    identifier: string;
    verification_token: string;
    second_token?: string | undefined;
    old_refresh_token?: string | undefined;
  },
  usedFor: "LOGIN" | "CONSOLE" = "LOGIN",
): Promise<SignedIn> {
  const identifier = parseIdentifier(deps, request.identifier);
  const call = await identifyCall(deps, client.idempotencyKey, "login", identifier.value, {
    ...request,
    identifier: identifier.value,
  });
  const redemption = await prepareRedemption(deps, call, identifier, request.verification_token, usedFor);
  const isTest = findTestCode(deps, identifier) !== undefined;
  const identities = [await hashIdentifier(deps, identifier.value)];
  const secondProof = await readSecondProof(deps, request);
  const outcome = await signIn(deps, client, redemption, call, isTest, identities, secondProof);
  const signedIn = await completeSignIn(deps, redemption, call, outcome);
  if (signedIn) return signedIn;
  if (!outcome.user) throw new AppError(outcome.isReserved ? "identifier_replaced" : "user_not_found");
  if (usedFor === "CONSOLE" && outcome.user.role === "user") throw new AppError("permission_denied");
  throw new AppError(outcome.isDormant ? "number_dormant" : "account_inactive");
}

/** Reads the second proof for a sleeping account. A forged token counts as absent. */
async function readSecondProof(
  deps: Deps,
  given: { second_token?: string | undefined; old_refresh_token?: string | undefined },
): Promise<SecondProof> {
  const emailCid = (await readVerificationToken(deps, given.second_token)) ?? "";
  if (given.old_refresh_token === undefined) return { emailCid, oldSession: undefined };
  const verified = await verifyRefreshToken(deps, given.old_refresh_token);
  return { emailCid, oldSession: verified.state === "invalid" ? undefined : verified.claims };
}

/**
 * Checks the token's HMAC without I/O and describes its redemption by a new session.
 *
 * @throws AppError `invalid_token` when this service did not issue the token; `idempotency_key_reused` when, in
 *   addition, the call's key is bound to another body.
 */
async function prepareRedemption(
  deps: Deps,
  call: IdempotentCall | undefined,
  identifier: Identifier,
  verificationToken: string,
  usedFor: TokenRedemption["usedFor"],
): Promise<TokenRedemption> {
  const cid = await readVerificationToken(deps, verificationToken);
  if (cid === undefined) {
    if (call && (await isKeyReused(deps, call))) throw new AppError("idempotency_key_reused");
    throw new AppError("invalid_token", { reason: "not issued by this service" });
  }
  return { cid, identifier, usedFor, sessionId: deps.newId() };
}

/**
 * Mints tokens for the session that was opened by this call or by the call that it repeats. Undefined when the token is
 * still live because the account did not allow the sign-in; the caller then reports why.
 */
async function completeSignIn(
  deps: Deps,
  redemption: TokenRedemption,
  call: IdempotentCall | undefined,
  outcome: SignInOutcome,
): Promise<SignedIn | undefined> {
  const { token, session, user, binding } = outcome;
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  const isRedeemedHere = token?.usedBy === deps.invocationId;
  if (isRedeemedHere && outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
  if (user && session && (isRedeemedHere || isReplay(deps, redemption, outcome))) {
    const tokens = await mintTokens(deps, session);
    // Starts after minting, so that the client does not wait for the queue.
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return {
      ...tokens,
      user,
      referralApplied: redemption.usedFor === "REGISTER" && outcome.hasReferral,
    };
  }
  if (!token || token.usedBy !== null || token.expiresAt <= deps.now()) throw new AppError("invalid_token");
  return undefined;
}

/** Whether this call repeats an earlier one, by key or within the window, whose session has not been used since. */
function isReplay(deps: Deps, redemption: TokenRedemption, { token, session, binding }: SignInOutcome): boolean {
  if (!token || !session || token.usedFor !== redemption.usedFor || token.usedAt === null) return false;
  const isUnused = session.counter === 0 && session.revokedAt === null && session.idleExpiresAt > deps.now();
  const isInWindow = token.usedAt > deps.now() - REPEAT_WINDOW_MS;
  return isUnused && (isInWindow || binding?.resultId === session.id);
}

/** The caller's account. @throws AppError `token_not_valid` when the session has ended or the user is not active. */
export async function getOwnAccount(deps: Deps, caller: AccessClaims): Promise<UserRow> {
  const user = await findSignedInUser(deps, caller);
  if (!user) throw sessionEnded();
  return user;
}
