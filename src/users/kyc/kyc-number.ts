import { base64url } from "jose";
import { raiseAlert } from "../../platform/alerts.ts";
import { keyedHash, open, seal } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { toAsciiDigits } from "../../platform/http/fields.ts";

/** A document number as it rests: sealed for its owner's row alone, and a keyed hash that tells it again. */
export interface RestingNumber {
  sealed: string;
  keyId: string;
  index: string;
}

/**
 * The letters and digits of a number alone, in one case and one script of digits: separators, quotes and invisible
 * characters differ from one keyboard to another, and staff must see that two accounts have the same document.
 */
export function canonicalNumber(given: string): string {
  const folded = given.normalize("NFKC").toUpperCase().toLowerCase();
  return toAsciiDigits(folded).replace(/[^\p{L}\p{N}]/gu, "");
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

/**
 * The number; null where it cannot be opened, since DATA_SECRETS lacks its key or the row was altered: the log says so, and
 * one such row does not take a whole list with it.
 */
export async function openNumber(
  deps: Pick<Deps, "keyring" | "log">,
  row: { id: string; userId: string; documentNumberSealed: string; documentNumberKeyId: string },
): Promise<string | null> {
  const key = deps.keyring.documentNumber.keys.get(row.documentNumberKeyId);
  try {
    if (key) return await open(key, row.documentNumberSealed, row.userId);
  } catch {
    // What the runtime says of it may quote the row.
  }
  raiseAlert(deps, "document_number_lost", {
    kyc_id: row.id,
    key_id: row.documentNumberKeyId,
    has_key: key !== undefined,
  });
  return null;
}
