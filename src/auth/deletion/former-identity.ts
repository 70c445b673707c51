import { base64url } from "jose";
import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";

// What a person may have once, or n times per window, outlives their account under keyed hashes (LOOKUP_SECRET). Each use
// has a label of its own, so that hashes of one table cannot be matched with those of another.

type HashDeps = Pick<Deps, "keyring">;

async function hash(deps: HashDeps, ...parts: string[]): Promise<string> {
  return base64url.encode(await keyedHash(deps.keyring.lookup, ...parts));
}

/** Replaces the identifier in the OTP ledger and guards once its user is deleted. @param identifier canonical. */
export function hashForOtpLimits(deps: HashDeps, identifier: string): Promise<string> {
  return hash(deps, "former-otp-identifier", identifier);
}

/** An account at a provider, by OpenID Connect's issuer and subject. */
export interface ProviderAccount {
  issuer: string;
  subject: string;
}

/** Hashes for `former_identities`, one per identifier (canonical) and provider account. */
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
