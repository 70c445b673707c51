import { base64url } from "jose";
import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";

// One-time bonuses and rate limits must outlive the account that they apply to, so they are kept under keyed hashes
// (LOOKUP_SECRET). Each purpose has its own label, so that hashes of different tables cannot be correlated.

type HashDeps = Pick<Deps, "keyring">;

async function hash(deps: HashDeps, ...parts: string[]): Promise<string> {
  return base64url.encode(await keyedHash(deps.keyring.lookup, ...parts));
}

/** The hash that replaces a deleted user's identifier in the OTP tables. @param identifier canonical. */
export function hashForOtpLimits(deps: HashDeps, identifier: string): Promise<string> {
  return hash(deps, "former-otp-identifier", identifier);
}

/** An account at an identity provider: issuer and subject of OpenID Connect. */
export interface ProviderAccount {
  issuer: string;
  subject: string;
}

/** The hash of a canonical identifier for `former_identities`. */
export function hashIdentifier(deps: HashDeps, identifier: string): Promise<string> {
  return hash(deps, "former-identity", "identifier", identifier);
}

/** The hash of a provider account for `former_identities`. */
export function hashProviderAccount(deps: HashDeps, { issuer, subject }: ProviderAccount): Promise<string> {
  return hash(deps, "former-identity", "provider", issuer, subject);
}
