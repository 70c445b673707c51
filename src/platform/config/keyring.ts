import { importJWK, type CryptoKey as JoseKey, type JWK } from "jose";
import { deriveHmacKey, deriveSealingKey } from "../crypto.ts";
import { type AccessTokenKey, type Config, ConfigError } from "./config.ts";

/** Keys derived from one entry of TOKEN_SECRETS, one per purpose. */
export interface SecretKeys {
  refreshToken: CryptoKey;
  verificationToken: CryptoKey;
  otp: CryptoKey;
  sealing: CryptoKey;
  documentLink: CryptoKey;
  passkeyChallenge: CryptoKey;
}

/** The keys of the service. Other areas declare those that only they use. */
export interface Keyring {
  /** Id of the key for new refresh tokens, codes, verification tokens and sealed messages. */
  currentSecretId: string;
  /** By key id. Older entries still verify, so that a rotation signs nobody out. */
  secrets: ReadonlyMap<string, SecretKeys>;
  accessToken: { kid: string; signingKey: JoseKey; verifyingKeys: ReadonlyMap<string, JoseKey> };
  /** JSON Web Key Set (RFC 7517) with the public keys only. */
  jwks: { keys: JWK[] };
  /** Key for lookup hashes; not rotated with the token secrets. */
  lookup: CryptoKey;
  /** Signs the cursors of lists. */
  cursor: CryptoKey;
}

/** The keys that this area itself uses or that several areas share. */
type SharedKeys = Pick<Keyring, "currentSecretId" | "secrets" | "accessToken" | "jwks" | "lookup" | "cursor">;

/**
 * Imports the shared keys of the configuration. The caller caches the result for the lifetime of the isolate.
 *
 * @throws ConfigError naming the invalid key.
 */
export async function importSharedKeys(config: Config): Promise<SharedKeys> {
  const [current] = config.tokenSecrets;
  const [signing] = config.accessTokenKeys;
  if (!current || !signing) throw new Error("the configuration was not parsed");
  const secrets = await Promise.all(
    config.tokenSecrets.map(async ({ kid, secret }): Promise<[string, SecretKeys]> => {
      const [refreshToken, verificationToken, otp, sealing, documentLink, passkeyChallenge] = await Promise.all([
        deriveHmacKey(secret, "refresh-token"),
        deriveHmacKey(secret, "verification-token"),
        deriveHmacKey(secret, "otp"),
        deriveSealingKey(secret, "sealed-message"),
        deriveSealingKey(secret, "document-link"),
        deriveHmacKey(secret, "passkey-challenge"),
      ]);
      return [kid, { refreshToken, verificationToken, otp, sealing, documentLink, passkeyChallenge }];
    }),
  );
  const publicKeys = config.accessTokenKeys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x }));
  const verifying = publicKeys.map(async (jwk): Promise<[string, JoseKey]> => [jwk.kid, await importKey(jwk)]);
  const verifyingKeys = new Map(await Promise.all(verifying));
  const signingKey = await importKey(signing);
  await checkKeyPair(signing.kid, signingKey, verifyingKeys.get(signing.kid) ?? signingKey);
  return {
    currentSecretId: current.kid,
    secrets: new Map(secrets),
    accessToken: { kid: signing.kid, signingKey, verifyingKeys },
    jwks: { keys: publicKeys.map((jwk) => ({ ...jwk, use: "sig", alg: "EdDSA" })) },
    lookup: await deriveHmacKey(config.lookupSecret, "lookup"),
    cursor: await deriveHmacKey(config.lookupSecret, "cursor"),
  };
}

async function importKey(jwk: AccessTokenKey): Promise<JoseKey> {
  try {
    const key = await importJWK(jwk as JWK, "EdDSA");
    if (!(key instanceof Uint8Array)) return key;
  } catch {
    // The runtime's error message may quote the key.
  }
  throw new ConfigError(`ACCESS_TOKEN_KEYS: ${jwk.kid} is not an Ed25519 key`);
}

/**
 * Checks that the private and public key belong together; otherwise clients would be signed out. @throws ConfigError if
 * they do not.
 */
async function checkKeyPair(kid: string, signingKey: JoseKey, verifyingKey: JoseKey): Promise<void> {
  const probe = new TextEncoder().encode(kid);
  const signature = await crypto.subtle.sign("Ed25519", signingKey, probe);
  if (await crypto.subtle.verify("Ed25519", verifyingKey, signature, probe)) return;
  throw new ConfigError(`ACCESS_TOKEN_KEYS: the private and the public key of ${kid} do not match`);
}

/** Keys of the current secret. */
export function currentSecret(keyring: Keyring): SecretKeys {
  const keys = keyring.secrets.get(keyring.currentSecretId);
  if (!keys) throw new Error("the current secret is not in the keyring");
  return keys;
}
