import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

/** HMAC under the pepper, bound to its challenge and identifier: useless without the pepper, or elsewhere (ASVS 6.5.2, 6.6.2). */
export async function hashCode(deps: Deps, secretId: string, cid: string, identifier: Identifier, code: string) {
  const key = deps.keyring.secrets.get(secretId)?.otp;
  return key ? keyedHash(key, cid, identifier.value, code) : new Uint8Array();
}
