import { importJWK, importPKCS8, type CryptoKey as JoseKey, type JWK } from "jose";
import { deriveHmacKey, deriveSealingKey } from "../crypto.ts";
import { type AccessTokenKey, type Config, ConfigError } from "./config.ts";

/** Keys derived from one entry of TOKEN_SECRETS, one per purpose. */
export interface SecretKeys {
  refreshToken: CryptoKey;
  verificationToken: CryptoKey;
  otp: CryptoKey;
  sealing: CryptoKey;
  documentLink: CryptoKey;
}

/** Keys for long-lived encrypted data: the id of the current key, and all keys by id. */
export interface DataKeys {
  kid: string;
  keys: ReadonlyMap<string, CryptoKey>;
}

export interface Keyring {
  /** Id of the key for new refresh tokens, codes, verification tokens and sealed messages. */
  currentSecretId: string;
  /** By key id. Older entries still verify, so that a rotation signs nobody out. */
  secrets: ReadonlyMap<string, SecretKeys>;
  /** Encrypts document numbers. */
  documentNumber: DataKeys;
  /** Encrypts Apple's refresh tokens. */
  appleRefreshToken: DataKeys;
  accessToken: { kid: string; signingKey: JoseKey; verifyingKeys: ReadonlyMap<string, JoseKey> };
  /** JSON Web Key Set (RFC 7517) with the public keys only. */
  jwks: { keys: JWK[] };
  /** Key for lookup hashes; not rotated with the token secrets. */
  lookup: CryptoKey;
  /** Key for hashes that recognise equal document numbers. */
  documentNumberIndex: CryptoKey;
  /** Signs the cursors of lists. */
  cursor: CryptoKey;
  /** Private key of the FCM service account; undefined if none is configured. */
  fcm: JoseKey | undefined;
  /** Private key that signs the client secrets for Apple; undefined if Apple is not configured. */
  apple: JoseKey | undefined;
}

/**
 * Imports all keys of the configuration. The caller caches the result for the lifetime of the isolate.
 *
 * @throws ConfigError naming the invalid key.
 */
export async function buildKeyring(config: Config): Promise<Keyring> {
  const [current] = config.tokenSecrets;
  const [signing] = config.accessTokenKeys;
  const [data] = config.dataSecrets;
  if (!current || !signing || !data) throw new Error("the configuration was not parsed");
  const secrets = await Promise.all(
    config.tokenSecrets.map(async ({ kid, secret }): Promise<[string, SecretKeys]> => {
      const [refreshToken, verificationToken, otp, sealing, documentLink] = await Promise.all([
        deriveHmacKey(secret, "refresh-token"),
        deriveHmacKey(secret, "verification-token"),
        deriveHmacKey(secret, "otp"),
        deriveSealingKey(secret, "sealed-message"),
        deriveSealingKey(secret, "document-link"),
      ]);
      return [kid, { refreshToken, verificationToken, otp, sealing, documentLink }];
    }),
  );
  const dataKeys = async (purpose: string): Promise<DataKeys> => {
    const keys = config.dataSecrets.map(
      async ({ kid, secret }): Promise<[string, CryptoKey]> => [kid, await deriveSealingKey(secret, purpose)],
    );
    return { kid: data.kid, keys: new Map(await Promise.all(keys)) };
  };
  const publicKeys = config.accessTokenKeys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x }));
  const verifying = publicKeys.map(async (jwk): Promise<[string, JoseKey]> => [jwk.kid, await importKey(jwk)]);
  const verifyingKeys = new Map(await Promise.all(verifying));
  const signingKey = await importKey(signing);
  await checkKeyPair(signing.kid, signingKey, verifyingKeys.get(signing.kid) ?? signingKey);
  return {
    currentSecretId: current.kid,
    secrets: new Map(secrets),
    documentNumber: await dataKeys("document-number"),
    appleRefreshToken: await dataKeys("apple-refresh-token"),
    accessToken: { kid: signing.kid, signingKey, verifyingKeys },
    jwks: { keys: publicKeys.map((jwk) => ({ ...jwk, use: "sig", alg: "EdDSA" })) },
    lookup: await deriveHmacKey(config.lookupSecret, "lookup"),
    documentNumberIndex: await deriveHmacKey(config.lookupSecret, "document-number"),
    cursor: await deriveHmacKey(config.lookupSecret, "cursor"),
    fcm: await importPrivateKey(
      config.providers.fcm?.privateKey,
      "RS256",
      "FCM_SERVICE_ACCOUNT: private_key is not an RSA key",
    ),
    apple: await importPrivateKey(config.social.apple?.privateKey, "ES256", "APPLE_PRIVATE_KEY: not a P-256 key"),
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

async function importPrivateKey(
  pem: string | undefined,
  algorithm: "RS256" | "ES256",
  refusal: string,
): Promise<JoseKey | undefined> {
  if (pem === undefined) return undefined;
  try {
    // A key pasted on one line contains `\n` as two characters instead of line breaks.
    return await importPKCS8(pem.replaceAll("\\n", "\n"), algorithm);
  } catch {
    throw new ConfigError(refusal);
  }
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
