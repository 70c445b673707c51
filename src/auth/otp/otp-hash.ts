import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

/**
 * HMAC of a code under the server's pepper, bound to challenge and identifier (ASVS 6.5.2, 6.6.2). Empty, and so equal
 * to no hash, when the secret has been retired.
 */
export async function hashCode(deps: Deps, secretId: string, cid: string, identifier: Identifier, code: string) {
  const key = deps.keyring.secrets.get(secretId)?.otp;
  return key ? keyedHash(key, cid, identifier.value, code) : new Uint8Array();
}
