import { base64url } from "jose";
import { z } from "zod";
import { equalInConstantTime, randomDigits, sha256 } from "../../platform/crypto.ts";
import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { decryptEphemeral } from "../../platform/sealed.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { mintTokens, type TokenPair } from "../../sessions/refresh.service.ts";
import type { UserRow } from "../../users/user.store.ts";
import { defaultUsernames } from "../../users/username.ts";
import { REPEAT_WINDOW_MS } from "../account/account.service.ts";
import type { NewAccount } from "../account/new-account.store.ts";
import { generateAccountIds } from "../account/new-account.ts";
import { hashIdentifier, hashProviderAccount } from "../deletion/former-identity.ts";
import type { CredentialUse } from "./social-credential.store.ts";
import { findCredentialRow, invalidateUnusedCode } from "./social-flow.store.ts";
import { identityKey, type ProviderToken, readProviderToken } from "./social-id-token.service.ts";
import { type SocialIdentity, socialIdentity } from "./social-identity.ts";
import type { ProviderName } from "./social-provider.ts";
import { type SealedRefreshToken, sealedRefreshToken } from "./social-refresh-token.ts";
import { previewSignIn, type SocialOutcome, signInByIdentity } from "./social-sign-in.store.ts";

/** The tokens of a sign-in, and the user. */
interface SocialSignIn extends TokenPair {
  user: UserRow;
}

/**
 * Signs in with an ID token from a provider's SDK. The token works once; repeating the call within 180 seconds, or with
 * the same key, returns the same session until that session is refreshed.
 *
 * @throws AppError `social_auth_failed`, `id_token_stale`, `link_required`, `identifier_replaced`, `account_inactive`,
 *   `idempotency_key_reused`, `not_found`, `validation_error`; `service_unavailable` when the provider does not respond
 *   or no username is free.
 */
export async function signInByIdToken(
  deps: Deps,
  client: Client,
  name: ProviderName,
  token: ProviderToken,
): Promise<SocialSignIn> {
  const { identity, credentialHash, isStale, exchange } = await readProviderToken(deps, name, token, {
    acceptsStale: true,
  });
  const call = await identifyCall(deps, client.idempotencyKey, `${name}/token`, identityKey(identity), { ...token });
  const redemption = { kind: "id_token", credentialHash, sessionId: deps.newId() } as const;
  const identityHash = await hashProviderAccount(deps, identity);
  const account = await newAccountFor(deps, client, identity, identityHash);
  if (!isStale && !exchange) {
    const social = { identity, identityHash, refreshToken: undefined };
    const outcome = await signInByIdentity(deps, client, redemption, social, account, call);
    return completeSignIn(deps, redemption, identity, outcome, call);
  }
  const preview = await previewSignIn(deps, redemption, identity, account, call);
  if (isStale) return completeSignIn(deps, redemption, identity, { ...preview, isStale }, call);
  // An authorization code works once, so it is exchanged only if the sign-in is allowed.
  if (!preview.isAllowed || !exchange) return completeSignIn(deps, redemption, identity, preview, call);
  let refreshToken: SealedRefreshToken | undefined;
  try {
    refreshToken = await exchange();
  } catch (error) {
    // A parallel repetition of this call may have exchanged the code and opened the session.
    const current = await previewSignIn(deps, redemption, identity, account, call);
    if (!current.credential) throw error;
    return completeSignIn(deps, redemption, identity, current, call);
  }
  const social = { identity, identityHash, refreshToken };
  const outcome = await signInByIdentity(deps, client, redemption, social, account, call);
  return completeSignIn(deps, redemption, identity, outcome, call);
}

const sealedContent = z.object({ identity: socialIdentity, refreshToken: sealedRefreshToken.optional() });

/** How the caller shows that it started the flow: by the secrets in its cookies or by the code verifier (RFC 7636). */
export type FlowCredential = { secrets: readonly string[] } | { codeVerifier: string };

/**
 * Exchanges a flow's one-time code for a session. A wrong flow credential invalidates an unused code. Repeating the
 * call within 180 seconds returns the same session until that session is refreshed.
 *
 * @throws AppError `social_auth_failed`, `link_required`, `identifier_replaced`, `account_inactive`;
 *   `service_unavailable` if no username is free.
 */
export async function signInByCode(
  deps: Deps,
  client: Client,
  code: string,
  flowCredential: FlowCredential,
): Promise<SocialSignIn> {
  const credentialHash = await sha256(code);
  const row = await findCredentialRow(deps, credentialHash);
  if (!row || row.sealedIdentity === null) throw failed("no such code");
  if (!(await isFlowOwner(row, flowCredential))) {
    if (row.usedBy === null) await invalidateUnusedCode(deps, credentialHash);
    throw failed("wrong flow credential");
  }
  const content = sealedContent.safeParse(await decryptEphemeral(deps, "social identity", row.sealedIdentity));
  if (!content.success) throw failed("key retired");
  const { identity, refreshToken } = content.data;
  const redemption = { kind: "code", credentialHash, sessionId: deps.newId() } as const;
  const identityHash = await hashProviderAccount(deps, identity);
  const account = await newAccountFor(deps, client, identity, identityHash);
  const social = { identity, identityHash, refreshToken };
  const outcome = await signInByIdentity(deps, client, redemption, social, account, undefined);
  return completeSignIn(deps, redemption, identity, outcome, undefined);
}

async function isFlowOwner(
  row: { flowHash: string | null; codeChallenge: string | null },
  credential: FlowCredential,
): Promise<boolean> {
  const isHashOf = async (text: string, hash: string | null) =>
    hash !== null && equalInConstantTime(base64url.decode(await sha256(text)), base64url.decode(hash));
  if ("codeVerifier" in credential) return isHashOf(credential.codeVerifier, row.codeChallenge);
  const matches = await Promise.all(credential.secrets.map((secret) => isHashOf(secret, row.flowHash)));
  return matches.includes(true);
}

/** The account to create if the identity turns out to have none. */
async function newAccountFor(
  deps: Deps,
  client: Client,
  identity: SocialIdentity,
  identityHash: string,
): Promise<NewAccount> {
  const email = identity.isEmailAuthoritative ? identity.email : null;
  // Without such an address the username is `user_` and four random digits.
  const basis =
    email === null
      ? { kind: "phone" as const, value: randomDigits(deps.randomBytes, 4) }
      : { kind: "email" as const, value: email };
  const identities = [...(email === null ? [] : [await hashIdentifier(deps, email)]), identityHash];
  return generateAccountIds(deps, client, defaultUsernames(deps.randomBytes, basis), undefined, identities);
}

/**
 * Mints tokens for the session that was opened by this call or by the call that it repeats.
 *
 * @throws AppError for the reason why there is none.
 */
async function completeSignIn(
  deps: Deps,
  redemption: CredentialUse,
  identity: SocialIdentity,
  outcome: SocialOutcome & { isStale?: boolean },
  call: IdempotentCall | undefined,
): Promise<SocialSignIn> {
  if (call && outcome.binding && outcome.binding.bodyHash !== call.bodyHash) {
    throw new AppError("idempotency_key_reused");
  }
  const isRedeemedHere = outcome.credential?.usedBy === deps.invocationId;
  if (isRedeemedHere && outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
  const { user } = outcome;
  const session = isRedeemedHere ? outcome.session : findEarlierSession(deps, outcome);
  // A repeated call fails if the identity has been linked to another user since.
  if (user && session?.userId === user.id) {
    const tokens = await mintTokens(deps, session);
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return { ...tokens, user };
  }
  if (outcome.isStale) throw new AppError("id_token_stale", { reason: "issued too long ago" });
  throw describeRefusal(deps, redemption, identity, outcome);
}

/** The session that an earlier call with the same credential or key opened, unless it was refreshed or has ended. */
function findEarlierSession(deps: Deps, { credential, session, binding, boundSession }: SocialOutcome) {
  const isInWindow = credential?.usedAt != null && credential.usedAt > deps.now() - REPEAT_WINDOW_MS;
  const earlier = binding ? boundSession : isInWindow ? session : undefined;
  const isUnused = earlier?.counter === 0 && earlier.revokedAt === null && earlier.idleExpiresAt > deps.now();
  return isUnused ? earlier : undefined;
}

function describeRefusal(
  deps: Deps,
  redemption: CredentialUse,
  { isEmailAuthoritative }: SocialIdentity,
  { credential, user, holder, isReserved }: SocialOutcome,
): AppError {
  const isLive = credential
    ? credential.usedBy === null && !credential.isBurned && credential.expiresAt > deps.now()
    : redemption.kind === "id_token";
  if (!isLive && redemption.kind === "id_token") return new AppError("id_token_stale", { reason: "used" });
  if (!isLive) return failed("used, invalidated or expired");
  if (user) return new AppError("account_inactive");
  // The caller owns the address, so it may learn the account's state, as after a one-time code.
  if (holder && isEmailAuthoritative && holder.maySignIn === 0) return new AppError("account_inactive");
  if (holder) return new AppError("link_required");
  if (isReserved) return new AppError("identifier_replaced");
  return new AppError("service_unavailable", { reason: "no free username drawn", retryAfterSeconds: 1 });
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason });
