import { base64url } from "jose";
import { sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError, fieldError } from "../../platform/http/errors.ts";
import { verifyIdToken } from "./id-token.ts";
import type { SocialIdentity } from "./social-identity.ts";
import { findProvider, type ProviderName } from "./social-provider.ts";
import { type SealedRefreshToken, sealRefreshToken } from "./social-refresh-token.ts";
import { exchangeCode } from "./social-token.ts";

/** What a provider's SDK gives an app. */
export interface ProviderToken {
  id_token: string;
  nonce?: string | undefined;
  /** Apple's. */
  authorization_code?: string | undefined;
  /** Apple gives it the first time only. */
  name?: string | undefined;
}

/** The identity's own key, as one text. */
export const identityKey = ({ issuer, subject }: SocialIdentity) => `${issuer} ${subject}`;

/**
 * What a use of the token is remembered by. Not the signature: it can be spelt in several ways that all verify, while what
 * is signed cannot.
 */
const proofHashOf = (idToken: string) => sha256(idToken.slice(0, idToken.lastIndexOf(".")));

/**
 * Checks a provider's ID token: signature, issuer, audience, times and nonce. Apple's `trade` then exchanges the
 * authorization code, which works once, for the refresh token that its revocation needs, and refuses a code that does not
 * belong to the ID token (OpenID Connect Core 1.0 section 3.3.2.10); Google has none. A token that `isStale`, where that is
 * accepted, signs nobody in any more.
 *
 * @throws AppError `social_auth_failed`, `id_token_stale`, `not_found`, `validation_error` where Apple's nonce or code is
 *   missing, `service_unavailable`.
 */
export async function readProviderToken(
  deps: Deps,
  name: ProviderName,
  token: ProviderToken,
  { acceptsStale = false } = {},
) {
  const provider = findProvider(deps.config, name);
  const { nonce, authorization_code: code } = token;
  if (name === "apple" && nonce === undefined) throw fieldError("nonce", "required");
  if (name === "apple" && code === undefined) throw fieldError("authorization_code", "required");
  const verified = await verifyIdToken(deps, provider, token.id_token, {
    nonce: async (claim) => {
      if (nonce === undefined) return true;
      if (claim === undefined) return false;
      // Apple's SDK is given the hash, Google's either (OpenID Connect Core 1.0 section 15.5.2).
      return (
        claim === (await hexSha256(nonce)) || claim === (await sha256(nonce)) || (name === "google" && claim === nonce)
      );
    },
    givenName: token.name,
    acceptsStale,
  });
  const { identity, clientId, codeHash, isStale } = verified;
  const trade = async (): Promise<SealedRefreshToken | undefined> => {
    if (codeHash !== undefined && codeHash !== (await leftHalfOfSha256(code ?? ""))) throw otherCode("c_hash");
    const exchanged = await exchangeCode(deps, provider, { code: code ?? "", clientId });
    const other = await verifyIdToken(deps, provider, exchanged.idToken, { nonce: () => true });
    // The issuer is the provider's in both. A code of somebody else's would bring their grant into this account.
    if (other.identity.subject !== identity.subject) throw otherCode("sub");
    if (other.clientId !== clientId) throw otherCode("aud");
    return sealRefreshToken(deps, exchanged.refreshToken, clientId);
  };
  const proofHash = await proofHashOf(token.id_token);
  return { identity, proofHash, isStale, trade: name === "apple" ? trade : undefined };
}

const otherCode = (reason: string) =>
  new AppError("social_auth_failed", { reason: `authorization code of another ID token: ${reason}` });

/** `c_hash` of a code under RS256 (OpenID Connect Core 1.0 section 3.3.2.11). */
async function leftHalfOfSha256(code: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code)));
  return base64url.encode(digest.subarray(0, digest.length / 2));
}

async function hexSha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
