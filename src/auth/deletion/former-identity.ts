import { base64url } from "jose";
import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";

// One-time bonuses and rate limits must survive the deletion of an account, so they are kept under keyed hashes
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

/** Hashes for `former_identities`: one per canonical identifier and one per provider account. */
export function hashIdentities(
  deps: HashDeps,
  identifiers: readonly string[],
  accounts: readonly ProviderAccount[] = [],
): Promise<string[]> {
  return Promise.all([
    ...identifiers.map((identifier) => hash(deps, "former-identity", "identifier", identifier)),
    ...accounts.map(({ issuer, subject }) => hash(deps, "former-identity", "provider", issuer, subject)),
  ]);
}
