import { importJWK, type CryptoKey as JoseKey, type JWK } from "jose";
import type { Config } from "./config.ts";
import { deriveHmacKey, deriveSealingKey } from "./crypto.ts";

/** The sub-keys of one entry of TOKEN_SECRETS, a purpose each. */
export interface SecretKeys {
  refreshToken: CryptoKey;
  verificationToken: CryptoKey;
  otp: CryptoKey;
  sealing: CryptoKey;
}

export interface Keyring {
  /** Key id of new refresh tokens, codes, verification tokens and sealed messages. */
  currentSecretId: string;
  /** By key id; older entries still verify, so a rotation signs nobody out. */
  secrets: ReadonlyMap<string, SecretKeys>;
  accessToken: { kid: string; signingKey: JoseKey; verifyingKeys: ReadonlyMap<string, JoseKey> };
  /** RFC 7517; public parts only. */
  jwks: { keys: JWK[] };
  /** Keyed hashes that rows are found by; not rotated with the token secrets. */
  lookup: CryptoKey;
}

/** Imports every key of the configuration once; the result is kept for the isolate's life. */
export async function buildKeyring(config: Config): Promise<Keyring> {
  const [current] = config.tokenSecrets;
  const [signing] = config.accessTokenKeys;
  if (!current || !signing) throw new Error("the configuration was not parsed");
  const secrets = await Promise.all(
    config.tokenSecrets.map(async ({ kid, secret }): Promise<[string, SecretKeys]> => {
      const [refreshToken, verificationToken, otp, sealing] = await Promise.all([
        deriveHmacKey(secret, "refresh-token"),
        deriveHmacKey(secret, "verification-token"),
        deriveHmacKey(secret, "otp"),
        deriveSealingKey(secret, "sealed-message"),
      ]);
      return [kid, { refreshToken, verificationToken, otp, sealing }];
    }),
  );
  const publicKeys = config.accessTokenKeys.map(({ kid, kty, crv, x }) => ({ kid, kty, crv, x }));
  const verifying = publicKeys.map(async (jwk): Promise<[string, JoseKey]> => [jwk.kid, await importKey(jwk)]);
  return {
    currentSecretId: current.kid,
    secrets: new Map(secrets),
    accessToken: {
      kid: signing.kid,
      signingKey: await importKey(signing),
      verifyingKeys: new Map(await Promise.all(verifying)),
    },
    jwks: { keys: publicKeys.map((jwk) => ({ ...jwk, use: "sig", alg: "EdDSA" })) },
    lookup: await deriveHmacKey(config.lookupSecret, "lookup"),
  };
}

async function importKey(jwk: JWK | { d?: string | undefined }): Promise<JoseKey> {
  const key = await importJWK(jwk as JWK, "EdDSA");
  if (key instanceof Uint8Array) throw new Error("an access token key is not an Ed25519 key");
  return key;
}

/** The keys of the current secret. */
export function currentSecret(keyring: Keyring): SecretKeys {
  const keys = keyring.secrets.get(keyring.currentSecretId);
  if (!keys) throw new Error("the current secret is not in the keyring");
  return keys;
}
