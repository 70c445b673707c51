import { base64url } from "jose";
import { sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError, fieldError } from "../../platform/http/errors.ts";
import { verifyIdToken } from "./id-token.ts";
import type { SocialIdentity } from "./social-identity.ts";
import { findProvider, type ProviderName } from "./social-provider.ts";
import { type SealedRefreshToken, sealRefreshToken } from "./social-refresh-token.ts";
import { exchangeCode } from "./social-token.ts";

/** The fields that an app gets from a provider's SDK. */
export interface ProviderToken {
  id_token: string;
  nonce?: string | undefined;
  /** Only from Apple. */
  authorization_code?: string | undefined;
  /** Apple sends it only the first time. */
  name?: string | undefined;
}

/** Issuer and subject as one string. */
export const identityKey = ({ issuer, subject }: SocialIdentity) => `${issuer} ${subject}`;

/**
 * The hash under which a use of the token is recorded. It leaves out the signature, which has several valid encodings;
 * the signed part has only one.
 */
const credentialHashOf = (idToken: string) => sha256(idToken.slice(0, idToken.lastIndexOf(".")));

/**
 * Verifies a provider's ID token: signature, issuer, audience, times and nonce.
 *
 * @returns for Apple also `exchange`, which exchanges the single-use authorization code for the refresh token that a
 *   later revocation needs, and rejects a code that does not belong to the ID token (OpenID Connect Core 1.0 section
 *   3.3.2.10). `isStale` is true only with `acceptsStale`; such a token may only get a repeated call's first result.
 * @throws AppError `social_auth_failed`, `id_token_stale`, `not_found`, `validation_error` if Apple's nonce or code is
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
      // Google's SDKs may add a nonce that the app does not know.
      if (nonce === undefined) return true;
      if (claim === undefined) return false;
      // Apps pass the nonce's hash to Apple's SDK and either form to Google's (OpenID Connect Core 1.0 section 15.5.2).
      return (
        claim === (await hexSha256(nonce)) || claim === (await sha256(nonce)) || (name === "google" && claim === nonce)
      );
    },
    givenName: token.name,
    acceptsStale,
  });
  const { identity, clientId, codeHash, isStale } = verified;
  const exchange = async (): Promise<SealedRefreshToken | undefined> => {
    if (codeHash !== undefined && codeHash !== (await leftHalfOfSha256(code ?? ""))) throw mismatchedCode("c_hash");
    const exchanged = await exchangeCode(deps, provider, { code: code ?? "", clientId });
    const other = await verifyIdToken(deps, provider, exchanged.idToken, { nonce: () => true });
    // Somebody else's code would attach their grant to this account. The issuer is the same in both tokens.
    if (other.identity.subject !== identity.subject) throw mismatchedCode("sub");
    if (other.clientId !== clientId) throw mismatchedCode("aud");
    return sealRefreshToken(deps, exchanged.refreshToken, clientId);
  };
  const credentialHash = await credentialHashOf(token.id_token);
  return { identity, credentialHash, isStale, exchange: name === "apple" ? exchange : undefined };
}

const mismatchedCode = (reason: string) =>
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
