import { base64url } from "jose";
import { keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Identifier } from "../../users/identifier.ts";

/**
 * HMAC of a code under the server's pepper, bound to challenge and identifier (ASVS 6.5.2, 6.6.2), base64url; undefined
 * when the secret has been retired.
 */
export async function hashCode(
  deps: Pick<Deps, "keyring">,
  secretId: string,
  cid: string,
  identifier: Identifier,
  code: string,
): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(secretId)?.otp;
  return key && base64url.encode(await keyedHash(key, cid, identifier.value, code));
}
