import { base64url } from "jose";
import { z } from "zod";
import { equalInConstantTime, randomDigits, sha256 } from "../../platform/crypto.ts";
import { type IdempotentCall, identifyCall } from "../../platform/data/idempotency.ts";
import { publishCoalesced } from "../../platform/data/relay.ts";
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
import { hashIdentities } from "../deletion/former-identity.ts";
import { findProofRow, invalidateUnusedCode } from "./social-flow.store.ts";
import { identityKey, type ProviderToken, readProviderToken } from "./social-id-token.service.ts";
import { type SocialIdentity, socialIdentity } from "./social-identity.ts";
import type { ProofUse } from "./social-proof.store.ts";
import type { ProviderName } from "./social-provider.ts";
import { type SealedRefreshToken, sealedRefreshToken } from "./social-refresh-token.ts";
import { previewSignIn, type SocialOutcome, signInByIdentity } from "./social-sign-in.store.ts";

export interface SocialSignIn extends TokenPair {
  user: UserRow;
}

/**
 * Signs in by an ID token of a provider's own SDK: it works once, and the same call again within 180 seconds, or with its
 * key, gives the same session while nobody used it.
 *
 * @throws AppError `social_auth_failed`, `id_token_stale`, `link_required`, `account_inactive`, `idempotency_key_reused`,
 *   `not_found`;
 *   `service_unavailable` when the provider does not answer.
 */
export async function signInByIdToken(
  deps: Deps,
  client: Client,
  name: ProviderName,
  token: ProviderToken,
): Promise<SocialSignIn> {
  const { identity, proofHash, isStale, trade } = await readProviderToken(deps, name, token, {
    acceptsStale: true,
  });
  const call = await identifyCall(deps, client.idempotencyKey, `${name}/token`, identityKey(identity), { ...token });
  const use = { kind: "id_token", proofHash, sessionId: deps.newId() } as const;
  const account = await accountOf(deps, client, identity);
  if (!isStale && !trade) {
    const outcome = await signInByIdentity(deps, client, use, { identity, refreshToken: undefined }, account, call);
    return answer(deps, use, identity, outcome, call);
  }
  const foresee = async () => previewSignIn(deps, use, identity, account, call);
  const foreseen = await foresee();
  if (isStale) return answer(deps, use, identity, { ...foreseen, isStale }, call);
  // A code is traded only for a sign-in that will be: a used one would be refused, a refused sign-in would use it up.
  if (!foreseen.isAllowed || !trade) return answer(deps, use, identity, foreseen, call);
  let refreshToken: SealedRefreshToken | undefined;
  try {
    refreshToken = await trade();
  } catch (error) {
    // The same call may have traded it meanwhile: then its session stands.
    const again = await foresee();
    if (!again.proof) throw error;
    return answer(deps, use, identity, again, call);
  }
  const outcome = await signInByIdentity(deps, client, use, { identity, refreshToken }, account, call);
  return answer(deps, use, identity, outcome, call);
}

const sealedContent = z.object({ identity: socialIdentity, refreshToken: sealedRefreshToken.optional() });

/** How the caller shows that the flow was theirs: its secret, among those of its cookies, or the verifier of its challenge. */
export type FlowProof = { secrets: readonly string[] } | { codeVerifier: string };

/**
 * Trades a flow's one-time code for a session. A wrong proof burns an unused code; the right one again within 180 seconds
 * gives the same session while nobody used it.
 *
 * @throws AppError `social_auth_failed`, `link_required`, `account_inactive`.
 */
export async function signInByCode(deps: Deps, client: Client, code: string, proof: FlowProof): Promise<SocialSignIn> {
  const proofHash = await sha256(code);
  const row = await findProofRow(deps, proofHash);
  if (!row || row.sealedIdentity === null) throw failed("no such code");
  if (!(await isProved(row, proof))) {
    if (row.usedBy === null) await invalidateUnusedCode(deps, proofHash);
    throw failed("wrong proof");
  }
  const content = sealedContent.safeParse(await decryptEphemeral(deps, "social identity", row.sealedIdentity));
  if (!content.success) throw failed("key retired");
  const { identity, refreshToken } = content.data;
  const use = { kind: "code", proofHash, sessionId: deps.newId() } as const;
  const account = await accountOf(deps, client, identity);
  const outcome = await signInByIdentity(deps, client, use, { identity, refreshToken }, account, undefined);
  return answer(deps, use, identity, outcome, undefined);
}

async function isProved(
  row: { flowHash: string | null; codeChallenge: string | null },
  proof: FlowProof,
): Promise<boolean> {
  const isHashOf = async (text: string, hash: string | null) =>
    hash !== null && equalInConstantTime(base64url.decode(await sha256(text)), base64url.decode(hash));
  if ("codeVerifier" in proof) return isHashOf(proof.codeVerifier, row.codeChallenge);
  const matches = await Promise.all(proof.secrets.map((secret) => isHashOf(secret, row.flowHash)));
  return matches.includes(true);
}

/** What the identity's account is made of, should it be a new one. */
async function accountOf(deps: Deps, client: Client, identity: SocialIdentity): Promise<NewAccount> {
  const email = identity.isEmailAuthoritative ? identity.email : null;
  const basis =
    email === null
      ? { kind: "phone" as const, value: randomDigits(deps.randomBytes, 4) }
      : { kind: "email" as const, value: email };
  const identities = await hashIdentities(deps, email === null ? [] : [email], [identity]);
  return generateAccountIds(deps, client, defaultUsernames(deps.randomBytes, basis), undefined, identities);
}

/** The tokens of the session that this call, or the one that it repeats, has opened; else why there is none. */
async function answer(
  deps: Deps,
  use: ProofUse,
  identity: SocialIdentity,
  outcome: SocialOutcome & { isStale?: boolean },
  call: IdempotentCall | undefined,
): Promise<SocialSignIn> {
  if (call && outcome.binding && outcome.binding.bodyHash !== call.bodyHash) {
    throw new AppError("idempotency_key_reused");
  }
  const isOwn = outcome.proof?.usedBy === deps.invocationId;
  if (isOwn && outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
  const { user } = outcome;
  const session = isOwn ? outcome.session : findRepeated(deps, outcome);
  // A repetition signs in whose session it opened, even where the identity is linked to another user since.
  if (user && session?.userId === user.id) {
    const tokens = await mintTokens(deps, session);
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return { ...tokens, user };
  }
  if (outcome.isStale) throw new AppError("id_token_stale", { reason: "issued too long ago" });
  throw refusalOf(deps, use, identity, outcome);
}

/** The session that an earlier call with the same proof, or the same key, has opened and nobody has used yet. */
function findRepeated(deps: Deps, { proof, session, binding, boundSession }: SocialOutcome) {
  const isSoon = proof?.usedAt != null && proof.usedAt > deps.now() - REPEAT_WINDOW_MS;
  const found = binding ? boundSession : isSoon ? session : undefined;
  const isUntouched = found?.counter === 0 && found.revokedAt === null && found.idleExpiresAt > deps.now();
  return isUntouched ? found : undefined;
}

function refusalOf(
  deps: Deps,
  use: ProofUse,
  { isEmailAuthoritative }: SocialIdentity,
  { proof, user, holder }: SocialOutcome,
): AppError {
  const isLive = proof
    ? proof.usedBy === null && !proof.isBurned && proof.expiresAt > deps.now()
    : use.kind === "id_token";
  if (!isLive && use.kind === "id_token") return new AppError("id_token_stale", { reason: "used" });
  if (!isLive) return failed("used, burned or expired");
  if (user) return new AppError("account_inactive");
  // Whose address is proved is told the truth about its account, as by a one-time code.
  if (holder && isEmailAuthoritative && holder.mayAct === 0) return new AppError("account_inactive");
  if (holder) return new AppError("link_required");
  return new AppError("service_unavailable", { reason: "no free username drawn", retryAfterSeconds: 1 });
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason });
