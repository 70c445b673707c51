import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { DEFAULT_COUNTRY } from "./identifier.ts";

/** Somebody at somewhere, whether or not the address could exist. */
const EMAIL = /^[^@]+@[^@]+$/u;
/** RFC 9562 section 4, with or without its hyphens. */
const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i;

/**
 * Whether a username reads as an e-mail address, a phone number or a user's id: then a search for the one would find the
 * other. A number counts in every form that `parseIdentifier` takes and of every country, in digits of any script, and
 * with `_`, `.` or `-` between them.
 *
 * @param username in NFKC.
 */
export function readsAsIdentifier(username: string): boolean {
  return EMAIL.test(username) || UUID.test(username) || readsAsPhone(username);
}

function readsAsPhone(username: string): boolean {
  const typed = username.replace(/\p{Nd}/gu, digitValue).replaceAll("_", "-");
  const number = parsePhoneNumberFromString(typed, { defaultCountry: DEFAULT_COUNTRY, extract: false });
  return number?.isValid() === true;
}

/** The value of a decimal digit: Unicode keeps the ten of a script next to each other, in their order. */
function digitValue(digit: string): string {
  const codePoint = digit.codePointAt(0) ?? 0;
  let zero = codePoint;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String((codePoint - zero) % 10);
}
