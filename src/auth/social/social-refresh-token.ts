import { z } from "zod";
import { open, seal } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";

/** Apple's refresh token as stored. It is kept only so that it can be revoked, which may be years later. */
export const sealedRefreshToken = z.object({ sealed: z.string(), keyId: z.string(), clientId: z.string() });
export type SealedRefreshToken = z.infer<typeof sealedRefreshToken>;

const CONTEXT = "apple refresh token";

/** Encrypts the token for storage; undefined if there is none. */
export async function sealRefreshToken(
  deps: Pick<Deps, "keyring" | "randomBytes">,
  token: string | undefined,
  clientId: string,
): Promise<SealedRefreshToken | undefined> {
  if (token === undefined) return undefined;
  const { kid: keyId, keys } = deps.keyring.appleRefreshToken;
  const key = keys.get(keyId);
  if (!key) throw new Error("the current data secret is not in the keyring");
  return { sealed: await seal(key, deps.randomBytes, token, CONTEXT), keyId, clientId };
}

/** Decrypts the token; undefined if its key has been removed. */
export async function openRefreshToken(
  deps: Pick<Deps, "keyring">,
  { sealed, keyId }: SealedRefreshToken,
): Promise<string | undefined> {
  const key = deps.keyring.appleRefreshToken.keys.get(keyId);
  return key && open(key, sealed, CONTEXT);
}
