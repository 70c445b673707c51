import { currentSecret } from "./config/keyring.ts";
import { open, seal } from "./crypto.ts";
import type { Deps } from "./deps.ts";

/**
 * Encrypts a short-lived value with the current token secret, so that it can travel through a browser. The result
 * starts with the id of the key.
 *
 * @param purpose must be passed to `decryptEphemeral` again; a value sealed for one purpose cannot be used for another.
 */
export async function encryptEphemeral(
  deps: Pick<Deps, "keyring" | "randomBytes">,
  purpose: string,
  value: unknown,
): Promise<string> {
  const { keyring, randomBytes } = deps;
  const text = JSON.stringify(value);
  return `${keyring.currentSecretId}.${await seal(currentSecret(keyring).sealing, randomBytes, text, purpose)}`;
}

/** Decrypts the value; undefined if it was altered, sealed for another purpose, or its key has been retired. */
export async function decryptEphemeral(deps: Pick<Deps, "keyring">, purpose: string, sealed: string): Promise<unknown> {
  const at = sealed.indexOf(".");
  const key = deps.keyring.secrets.get(sealed.slice(0, at))?.sealing;
  if (!key) return undefined;
  try {
    return JSON.parse(await open(key, sealed.slice(at + 1), purpose));
  } catch {
    return undefined;
  }
}
