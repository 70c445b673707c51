import { publishCoalesced } from "../../platform/data/relay.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import { denySessions } from "../../sessions/denylist.store.ts";
import { sessionEnded } from "../../sessions/guard.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { hashVerificationToken } from "../otp/verification-token.ts";
import { type ProviderToken, readProviderToken } from "./social-id-token.service.ts";
import { type LinkObstacles, linkIdentity, previewLink, unlinkIdentity } from "./social-link.store.ts";
import type { ProviderName } from "./social-provider.ts";

/**
 * Links the caller's account to a provider's. Linking what is linked already changes nothing.
 *
 * @throws AppError `social_auth_failed` for a token that fails, `id_token_stale` for one that was used or is too old,
 *   `reauthentication_required`, `conflict` where the provider's account is linked to another user,
 *   `provider_already_linked` where the caller has another one there, `token_not_valid`.
 */
export async function linkSocialAccount(
  deps: Deps,
  client: Client,
  caller: AccessClaims,
  name: ProviderName,
  request: ProviderToken & { verification_token?: string | undefined },
): Promise<void> {
  const { identity, proofHash, trade } = await readProviderToken(deps, name, request);
  const tokenHash = await hashVerificationToken(deps, request.verification_token);
  if (trade) {
    // A code works once: it is traded only for a link that will be made.
    const foreseen = await previewLink(deps, caller, identity, proofHash, tokenHash);
    if (refuseLink(caller, foreseen) === "linked already") return;
  }
  const social = { identity, refreshToken: await trade?.() };
  const outcome = await linkIdentity(deps, client, caller, social, proofHash, tokenHash);
  if (outcome.isLinked) deps.afterResponse(publishCoalesced(deps, outcome.events));
  else if (refuseLink(caller, outcome) === undefined) throw new AppError("conflict");
}

/** @throws AppError for what stands in the way of a link; undefined where nothing does. */
function refuseLink(caller: AccessClaims, found: LinkObstacles): "linked already" | undefined {
  if (!found.caller) throw sessionEnded();
  // First, since a repetition after a lost answer shows a verification token that its first call has used up.
  if (found.holderId === caller.userId) return "linked already";
  if (found.caller.isReauthenticated === 0) throw new AppError("reauthentication_required");
  if (found.holderId !== undefined)
    throw new AppError("conflict", {
      message: { en: "This account is linked to another user.", ne: "यो खाता अर्को प्रयोगकर्तासँग जोडिएको छ।" },
    });
  if (found.isTokenUsed) throw new AppError("id_token_stale", { reason: "ID token used" });
  if (found.hasAnother) throw new AppError("provider_already_linked");
  return undefined;
}

/**
 * Removes a link, never the last verified way in, and ends the other sessions that were opened by it.
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
  const tokenHash = await hashVerificationToken(deps, verificationToken);
  const outcome = await unlinkIdentity(deps, client, caller, provider, tokenHash);
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
