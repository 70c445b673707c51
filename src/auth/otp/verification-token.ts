import { base64url } from "jose";
import { equalInConstantTime, keyedHash, randomId, sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { NewVerificationToken } from "./otp-consume.store.ts";

// A verification token is the 128-bit id of its challenge, a dot, and the HMAC-SHA-256 of that id, both base64url.
// It can therefore be minted again for a client that lost it, cannot be forged from a copy of the database, and is
// rejected without I/O if this service did not issue it.

type TokenDeps = Pick<Deps, "keyring">;

/** A new token and the fields that are stored of it. @param id the challenge's `cid`; random by default. */
export async function newVerificationToken(
  deps: TokenDeps & Pick<Deps, "randomBytes">,
  id = randomId(deps.randomBytes),
): Promise<NewVerificationToken & { value: string }> {
  const secretId = deps.keyring.currentSecretId;
  const value = await mintVerificationToken(deps, id, secretId);
  if (value === undefined) throw new Error("the current secret is not in the keyring");
  return { id, secretId, value, tokenHash: await sha256(value) };
}

/** The token of this id; undefined when its secret has been retired. */
export async function mintVerificationToken(
  deps: TokenDeps,
  id: string,
  secretId: string,
): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(secretId)?.verificationToken;
  return key ? `${id}.${base64url.encode(await keyedHash(key, id))}` : undefined;
}

const TOKEN = /^([\w-]{22})\.([\w-]{43})$/;

/** The hash by which the database knows a token; undefined when there is no token or no current secret signed it. */
export async function hashVerificationToken(deps: TokenDeps, token: string | undefined): Promise<string | undefined> {
  const [, id, signature] = TOKEN.exec(token ?? "") ?? [];
  if (token === undefined || id === undefined || signature === undefined) return undefined;
  const mac = base64url.decode(signature);
  for (const { verificationToken } of deps.keyring.secrets.values()) {
    if (equalInConstantTime(mac, await keyedHash(verificationToken, id))) return sha256(token);
  }
  return undefined;
}
