import { base64url } from "jose";
import { equalInConstantTime, keyedHash } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";

// A verification token is the id of its challenge, a dot, and the HMAC-SHA-256 of that id in base64url. The HMAC is not
// stored, so the token can be minted again for a client that lost it, cannot be forged from a copy of the database, and
// is rejected without I/O if this service did not issue it.

type TokenDeps = Pick<Deps, "keyring">;

/**
 * The verification token of a challenge; undefined when the secret of the challenge has been retired.
 *
 * @param secretId the challenge's `secretId`.
 */
export async function mintVerificationToken(
  deps: TokenDeps,
  cid: string,
  secretId: string,
): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(secretId)?.verificationToken;
  return key ? `${cid}.${base64url.encode(await keyedHash(key, cid))}` : undefined;
}

const TOKEN = /^([\da-f]{12}[\w-]{22})\.([\w-]{43})$/;

/**
 * The challenge id in a token that this service issued; undefined when there is no token or none of the secrets in use
 * signed it.
 */
export async function readVerificationToken(deps: TokenDeps, token: string | undefined): Promise<string | undefined> {
  const [, cid, signature] = TOKEN.exec(token ?? "") ?? [];
  if (cid === undefined || signature === undefined) return undefined;
  const mac = base64url.decode(signature);
  for (const { verificationToken } of deps.keyring.secrets.values()) {
    if (equalInConstantTime(mac, await keyedHash(verificationToken, cid))) return cid;
  }
  return undefined;
}
