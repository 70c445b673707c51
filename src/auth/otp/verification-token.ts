import { base64url } from "jose";
import { equalInConstantTime, keyedHash, randomId, sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import type { NewVerificationToken } from "./otp-verify.store.ts";

// A verification token is an id of 128 random bits, that of its challenge, a dot, and the HMAC-SHA-256 of the id, both base64url. So it can be made
// again for who lost it but never from the database, and what is none of ours is refused without asking the database.

type TokenDeps = Pick<Deps, "keyring">;

/** A new token, and what is kept of it. @param id the cid of the challenge that it is traded for; random where absent. */
export async function newVerificationToken(
  deps: TokenDeps & Pick<Deps, "randomBytes">,
  id = randomId(deps.randomBytes),
): Promise<NewVerificationToken & { value: string }> {
  const secretId = deps.keyring.currentSecretId;
  const value = await mintVerificationToken(deps, id, secretId);
  if (value === undefined) throw new Error("the current secret is not in the keyring");
  return { id, secretId, value, tokenHash: await sha256(value) };
}

/** The token with this id; undefined when its secret has been retired. */
export async function mintVerificationToken(
  deps: TokenDeps,
  id: string,
  secretId: string,
): Promise<string | undefined> {
  const key = deps.keyring.secrets.get(secretId)?.verificationToken;
  return key ? `${id}.${base64url.encode(await keyedHash(key, id))}` : undefined;
}

const TOKEN = /^([\w-]{22})\.([\w-]{43})$/;

/** The hash that a token is found by; undefined for what none of our secrets has made, and where none is given. */
export async function hashVerificationToken(deps: TokenDeps, token: string | undefined): Promise<string | undefined> {
  const [, id, proof] = TOKEN.exec(token ?? "") ?? [];
  if (token === undefined || id === undefined || proof === undefined) return undefined;
  const given = base64url.decode(proof);
  for (const { verificationToken } of deps.keyring.secrets.values()) {
    if (equalInConstantTime(given, await keyedHash(verificationToken, id))) return sha256(token);
  }
  return undefined;
}
