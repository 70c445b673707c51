import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/relay.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import { mintTokens, type TokenPair } from "../../sessions/refresh.service.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { type Identifier, parseIdentifier } from "../../users/identifier.ts";
import { findSignedInUser, type UserRow } from "../../users/user.store.ts";
import { defaultUsernames, withKey } from "../../users/username.ts";
import { hashIdentities } from "../deletion/former-identity.ts";
import { findTestCode } from "../otp/test-identifiers.ts";
import type { TokenRedemption } from "../otp/verification-token.store.ts";
import { hashVerificationToken } from "../otp/verification-token.ts";
import { signIn } from "./login.store.ts";
import { generateAccountIds } from "./new-account.ts";
import { insertAccount } from "./register.store.ts";
import { isKeyReused, type SignInOutcome } from "./sign-in.store.ts";

/** How long a register or login may be repeated without a key, as after a lost answer. */
export const REPEAT_WINDOW_MS = 180_000;

export interface SignedIn extends TokenPair {
  user: UserRow;
  /** Whether somebody's referral code was accepted when the account was made. */
  referralApplied: boolean;
}

/**
 * Makes an account for a verified identifier and signs it in. The verification token is used up only when that commits.
 *
 * @throws AppError `invalid_token`, `user_already_exists`, `username_taken`, `idempotency_key_reused`; none of them uses
 *   the token up.
 */
export async function registerUser(
  deps: Deps,
  client: Client,
  request: {
    identifier: string;
    verification_token: string;
    username?: string | undefined;
    referral_code?: string | undefined;
  },
): Promise<SignedIn> {
  const identifier = parseIdentifier(deps, request.identifier);
  const call = await identifyCall(deps, client.idempotencyKey, "register", identifier.value, {
    ...request,
    identifier: identifier.value,
  });
  const use = await useOf(deps, call, identifier, request.verification_token, "REGISTER");
  const usernames =
    request.username === undefined ? defaultUsernames(deps.randomBytes, identifier) : [withKey(request.username)];
  const identities = await hashIdentities(deps, [identifier.value]);
  const account = generateAccountIds(deps, client, usernames, request.referral_code, identities);
  const outcome = await insertAccount(deps, client, use, account, call, findTestCode(deps, identifier) !== undefined);
  const authenticated = await answerSignIn(deps, use, call, outcome);
  if (authenticated) return authenticated;
  if (outcome.user) throw new AppError("user_already_exists");
  if (outcome.isUsernameTaken) throw new AppError("username_taken");
  throw new AppError("service_unavailable", {
    reason: "no free username or referral code drawn",
    retryAfterSeconds: 1,
  });
}

/**
 * Signs a verified identifier in.
 *
 * @throws AppError `invalid_token`, `user_not_found`, `account_inactive`, `idempotency_key_reused`; none of them uses the
 *   verification token up.
 */
export async function loginUser(
  deps: Deps,
  client: Client,
  request: { identifier: string; verification_token: string },
): Promise<SignedIn> {
  const identifier = parseIdentifier(deps, request.identifier);
  const call = await identifyCall(deps, client.idempotencyKey, "login", identifier.value, {
    ...request,
    identifier: identifier.value,
  });
  const use = await useOf(deps, call, identifier, request.verification_token, "LOGIN");
  const isTest = findTestCode(deps, identifier) !== undefined;
  const outcome = await signIn(deps, client, use, call, isTest, await hashIdentities(deps, [identifier.value]));
  const authenticated = await answerSignIn(deps, use, call, outcome);
  if (authenticated) return authenticated;
  throw outcome.user ? new AppError("account_inactive") : new AppError("user_not_found");
}

/**
 * @throws AppError for what was never a token of ours: `idempotency_key_reused` where its key says more, else
 *   `invalid_token`, without a question to the database where no key was sent.
 */
async function useOf(
  deps: Deps,
  call: IdempotentCall | undefined,
  identifier: Identifier,
  verificationToken: string,
  usedFor: TokenRedemption["usedFor"],
): Promise<TokenRedemption> {
  const tokenHash = await hashVerificationToken(deps, verificationToken);
  if (tokenHash === undefined) {
    if (call && (await isKeyReused(deps, call))) throw new AppError("idempotency_key_reused");
    throw new AppError("invalid_token", { reason: "not ours" });
  }
  return { tokenHash, identifier, usedFor, sessionId: deps.newId() };
}

/**
 * The tokens of the session that this call, or the call that it repeats, has opened. Undefined when the token is live
 * but was not accepted: then the account decides what to say.
 */
async function answerSignIn(
  deps: Deps,
  use: TokenRedemption,
  call: IdempotentCall | undefined,
  outcome: SignInOutcome,
): Promise<SignedIn | undefined> {
  const { token, session, user, binding } = outcome;
  if (call && binding && binding.bodyHash !== call.bodyHash) throw new AppError("idempotency_key_reused");
  const isOwn = token?.usedBy === deps.invocationId;
  if (isOwn && outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
  if (user && session && (isOwn || mayRepeat(deps, use, outcome))) {
    const tokens = await mintTokens(deps, session);
    // Begun last, so that the queue has no part in what the client waits for.
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return {
      ...tokens,
      user,
      referralApplied: use.usedFor === "REGISTER" && outcome.hasReferral,
    };
  }
  if (!token || token.usedBy !== null || token.expiresAt <= deps.now()) throw new AppError("invalid_token");
  return undefined;
}

/** Whether this call repeats one whose session nobody has used yet: by its key, or soon after with the same token. */
function mayRepeat(deps: Deps, use: TokenRedemption, { token, session, binding }: SignInOutcome): boolean {
  if (!token || !session || token.usedFor !== use.usedFor || token.usedAt === null) return false;
  const isUntouched = session.counter === 0 && session.revokedAt === null && session.idleExpiresAt > deps.now();
  const isSoon = token.usedAt > deps.now() - REPEAT_WINDOW_MS;
  return isUntouched && (isSoon || binding?.resultId === session.id);
}

/** The caller's own account. @throws AppError `token_not_valid` when the session has ended or the user may not act. */
export async function getOwnAccount(deps: Deps, caller: AccessClaims): Promise<UserRow> {
  const user = await findSignedInUser(deps, caller);
  if (!user) throw sessionEnded();
  return user;
}
