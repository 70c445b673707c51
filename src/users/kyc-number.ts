import { base64url } from "jose";
import { keyedHash, open, seal } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError } from "../platform/errors.ts";
import { toAsciiDigits } from "../platform/fields.ts";

/** A document number as it rests: sealed for its owner's row alone, and a keyed hash that tells it again. */
export interface RestingNumber {
  sealed: string;
  keyId: string;
  index: string;
}

/** One way to write a number, whatever the keyboard: staff see that two accounts have the same. */
export function canonicalNumber(given: string): string {
  return toAsciiDigits(given.normalize("NFKC"))
    .replace(/[\s\p{Pd}\p{Cf}]/gu, "")
    .toUpperCase();
}

/** Seals the number with the user as associated data, so that it opens in no other user's row (ASVS 14.2). */
export async function sealNumber(
  deps: Pick<Deps, "keyring" | "randomBytes">,
  userId: string,
  number: string,
): Promise<RestingNumber> {
  const { kid, keys } = deps.keyring.documentNumber;
  const key = keys.get(kid);
  if (!key) throw new Error("the current data secret is not in the keyring");
  const [sealed, index] = await Promise.all([
    seal(key, deps.randomBytes, number, userId),
    keyedHash(deps.keyring.documentNumberIndex, canonicalNumber(number)),
  ]);
  return { sealed, keyId: kid, index: base64url.encode(index) };
}

/** @throws AppError `service_unavailable` when DATA_SECRETS lacks the key that it was sealed with. */
export async function openNumber(
  deps: Pick<Deps, "keyring">,
  row: { userId: string; documentNumberSealed: string; documentNumberKeyId: string },
): Promise<string> {
  const key = deps.keyring.documentNumber.keys.get(row.documentNumberKeyId);
  if (!key) {
    const reason = `DATA_SECRETS lacks ${row.documentNumberKeyId}`;
    throw new AppError("service_unavailable", { reason, retryAfterSeconds: 60 });
  }
  return open(key, row.documentNumberSealed, row.userId);
}
