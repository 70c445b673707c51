import { base64url } from "jose";
import { raiseAlert } from "../../platform/alerts.ts";
import { keyedHash, open, seal } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { toAsciiDigits } from "../../platform/http/text.ts";

/**
 * A document number as stored: encrypted for its owner's row, with a keyed hash by which equal numbers are found.
 */
export interface StoredNumber {
  sealed: string;
  keyId: string;
  index: string;
}

/**
 * Only the letters and digits of a number, in lower case and ASCII digits. Separators, quotes and invisible characters
 * differ between keyboards, but staff must see that two accounts have the same document.
 */
export function canonicalNumber(given: string): string {
  const folded = given.normalize("NFKC").toUpperCase().toLowerCase();
  return toAsciiDigits(folded).replace(/[^\p{L}\p{N}]/gu, "");
}

/** Fewest letters and digits of a text that is looked up as a document number. */
const MIN_INDEXED = 4;

/** The keyed hash by which users with the number are found; undefined for a text too short to be looked up. */
export async function indexNumber(deps: Pick<Deps, "keyring">, number: string): Promise<string | undefined> {
  const canonical = canonicalNumber(number);
  if (canonical.length < MIN_INDEXED) return undefined;
  return base64url.encode(await keyedHash(deps.keyring.documentNumberIndex, canonical));
}

/** Encrypts the number with the user as associated data, so that it decrypts in no other user's row (ASVS 14.2). */
export async function sealNumber(
  deps: Pick<Deps, "keyring" | "randomBytes">,
  userId: string,
  number: string,
): Promise<StoredNumber> {
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
 * Decrypts the number. Null if DATA_SECRETS lacks the key or the row was altered; this raises an alert, and one such
 * row does not fail a whole list.
 */
export async function openNumber(
  deps: Pick<Deps, "keyring" | "log">,
  row: { id: string; userId: string; documentNumberSealed: string; documentNumberKeyId: string },
): Promise<string | null> {
  const key = deps.keyring.documentNumber.keys.get(row.documentNumberKeyId);
  try {
    if (key) return await open(key, row.documentNumberSealed, row.userId);
  } catch {
    // The runtime's error message may quote the row.
  }
  raiseAlert(deps, "document_number_lost", {
    kyc_id: row.id,
    key_id: row.documentNumberKeyId,
    has_key: key !== undefined,
  });
  return null;
}
