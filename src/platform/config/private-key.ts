import { importPKCS8, type CryptoKey as JoseKey } from "jose";
import { ConfigError } from "./config.ts";

export type PrivateKey = JoseKey;

/**
 * Imports the private key of a setting (PKCS #8, PEM); undefined if it is absent.
 *
 * @throws ConfigError with the given message if it is malformed.
 */
export async function importPrivateKey(
  pem: string | undefined,
  algorithm: "RS256" | "ES256",
  refusal: string,
): Promise<PrivateKey | undefined> {
  if (pem === undefined) return undefined;
  try {
    // A key pasted on one line contains `\n` as two characters instead of line breaks.
    return await importPKCS8(pem.replaceAll("\\n", "\n"), algorithm);
  } catch {
    throw new ConfigError(refusal);
  }
}
