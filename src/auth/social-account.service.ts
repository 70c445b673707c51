import type { Client } from "../platform/client.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { relayTogether } from "../platform/relay.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { type ProviderToken, readProviderToken } from "./social-id-token.service.ts";
import { foreseeLink, type LinkObstacles, linkIdentity, unlinkIdentity } from "./social-link.store.ts";
import type { ProviderName } from "./social-provider.ts";
import { hashVerificationToken } from "./verification-token.ts";

/**
 * Links the caller's account to a provider's. Linking what is linked already changes nothing.
 *
 * @throws AppError `social_auth_failed` for a token that fails or was used, `reauthentication_required`, `conflict` where
 *   the provider's account is somebody else's or the caller has another one there, `token_not_valid`.
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
    const foreseen = await foreseeLink(deps, caller, identity, proofHash, tokenHash);
    if (refuseLink(caller, foreseen) === "linked already") return;
  }
  const social = { identity, refreshToken: await trade?.() };
  const outcome = await linkIdentity(deps, client, caller, social, proofHash, tokenHash);
  if (outcome.isLinked) deps.afterResponse(relayTogether(deps, outcome.events));
  else if (refuseLink(caller, outcome) === undefined) throw conflict("This cannot be linked now.");
}

/** @throws AppError for what stands in the way of a link; undefined where nothing does. */
function refuseLink(caller: AccessClaims, found: LinkObstacles): "linked already" | undefined {
  if (!found.caller) throw sessionEnded();
  if (found.caller.isReauthenticated === 0) throw new AppError("reauthentication_required");
  if (found.holderId === caller.userId) return "linked already";
  if (found.holderId !== undefined) throw conflict("This account is linked to somebody else already.");
  if (found.isTokenUsed) throw new AppError("social_auth_failed", { reason: "ID token used" });
  if (found.hasAnother) throw conflict("You have another account of this provider linked. Unlink that one first.");
  return undefined;
}

/**
 * Takes a link away, never the last verified way in.
 *
 * @throws AppError `reauthentication_required`, `conflict` where it is the last way in, `not_found`, `token_not_valid`.
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
    deps.afterResponse(relayTogether(deps, outcome.events));
    return;
  }
  if (!outcome.caller) throw sessionEnded();
  if (outcome.caller.isReauthenticated === 0) throw new AppError("reauthentication_required");
  if (!outcome.hasAccount) throw new AppError("not_found", { message: "No account of this provider is linked." });
  throw conflict("This is your only way to sign in. Add another one first.");
}

const conflict = (message: string) => new AppError("conflict", { message });
