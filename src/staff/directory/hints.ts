import { parsePhoneNumberFromString } from "libphonenumber-js/max";

/** Stands for the characters that a hint leaves out. */
const HIDDEN = "•";
/** Digits of a national number that a hint shows at each end, and the fewest that it hides. */
const PHONE = { first: 2, last: 3, hidden: 2 };
/** Characters of an address before the `@` that a hint shows. */
const EMAIL_FIRST = 2;

/**
 * The first two and the last three digits of a national number, which tell people apart: `98•••••001`. A short number
 * shows fewer. Null for null.
 */
export function phoneHint(phoneNumber: string | null): string | null {
  if (phoneNumber === null) return null;
  const digits = parsePhoneNumberFromString(phoneNumber)?.nationalNumber ?? phoneNumber.replace(/\D/g, "");
  const first = Math.min(PHONE.first, Math.max(0, digits.length - PHONE.last - PHONE.hidden));
  const last = Math.min(PHONE.last, Math.max(0, digits.length - PHONE.hidden));
  return digits.slice(0, first) + HIDDEN.repeat(digits.length - first - last) + digits.slice(digits.length - last);
}

/** The first two characters of an address and its domain, `as•••@example.com`; hides at least one. Null for null. */
export function emailHint(email: string | null): string | null {
  if (email === null) return null;
  const at = email.lastIndexOf("@");
  const local = [...email.slice(0, at)];
  return local.slice(0, Math.min(EMAIL_FIRST, local.length - 1)).join("") + HIDDEN.repeat(3) + email.slice(at);
}
