import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { hashProviderAccount } from "../deletion/former-identity.ts";
import { readVerificationToken } from "../otp/verification-token.ts";
import { type ProviderToken, readProviderToken } from "./social-id-token.service.ts";
import { type LinkObstacles, linkIdentity, previewLink, unlinkIdentity } from "./social-link.store.ts";
import type { ProviderName } from "./social-provider.ts";

/**
 * Links the caller to an account at a provider. Does nothing if that link already exists, unless its consent was
 * withdrawn at the provider: then it becomes a way to sign in again.
 *
 * @throws AppError `social_auth_failed` for an invalid ID token; `id_token_stale` for one that was used or is too old;
 *   `reauthentication_required`; `conflict` if another user has that provider account; `provider_already_linked` if the
 *   caller has another account at the provider; `token_not_valid`.
 */
export async function linkSocialAccount(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  name: ProviderName,
  request: ProviderToken & { verification_token?: string | undefined },
): Promise<void> {
  const { identity, credentialHash, exchange } = await readProviderToken(deps, name, request);
  const verifiedCid = await readVerificationToken(deps, request.verification_token);
  if (exchange) {
    // An authorization code works once, so it is exchanged only if the link can be made.
    const preview = await previewLink(deps, caller, identity, credentialHash, verifiedCid);
    if (refuseLink(caller, preview) === "linked already") return;
  }
  const identityHash = await hashProviderAccount(deps, identity);
  const social = { identity, identityHash, refreshToken: await exchange?.() };
  const outcome = await linkIdentity(deps, client, caller, social, credentialHash, verifiedCid);
  if (outcome.isLinked) deps.afterResponse(publishCoalesced(deps, outcome.events));
  else if (refuseLink(caller, outcome) === undefined) throw new AppError("conflict");
}

/** Undefined when the link can be made. @throws AppError for the first obstacle. */
function refuseLink(caller: AccessClaims, obstacles: LinkObstacles): "linked already" | undefined {
  if (!obstacles.caller) throw sessionEnded();
  // Comes before re-authentication, because a retry after a lost response sends a token that is already redeemed.
  const isOwn = obstacles.holderId === caller.userId;
  if (isOwn && !obstacles.isWithdrawn) return "linked already";
  if (obstacles.caller.isReauthenticated === 0) throw new AppError("reauthentication_required");
  if (obstacles.holderId !== undefined && !isOwn)
    throw new AppError("conflict", {
      message: { en: "This account is linked to another user.", ne: "यो खाता अर्को प्रयोगकर्तासँग जोडिएको छ।" },
    });
  if (obstacles.isTokenUsed) throw new AppError("id_token_stale", { reason: "ID token used" });
  if (obstacles.hasAnother && !isOwn) throw new AppError("provider_already_linked");
  return undefined;
}

/**
 * Removes a link, unless it is the last verified way to sign in, and ends the caller's other sessions opened by it.
 *
 * @throws AppError `reauthentication_required`, `last_sign_in_method`, `not_found`, `token_not_valid`.
 */
export async function unlinkSocialAccount(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  name: ProviderName,
  verificationToken: string | undefined,
): Promise<void> {
  const provider = name === "google" ? "GOOGLE" : "APPLE";
  const verifiedCid = await readVerificationToken(deps, verificationToken);
  const outcome = await unlinkIdentity(deps, client, caller, provider, verifiedCid);
  if (outcome.isUnlinked) {
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    if (outcome.endedSessions.length > 0) deps.afterResponse(denySessions(deps, outcome.endedSessions));
    return;
  }
  if (!outcome.caller) throw sessionEnded();
  if (!outcome.hasAccount)
    throw new AppError("not_found", {
      message: { en: "No account of this provider is linked.", ne: "यस सेवाको खाता जोडिएको छैन।" },
    });
  if (outcome.caller.isReauthenticated === 0) throw new AppError("reauthentication_required");
  throw new AppError("last_sign_in_method");
}
