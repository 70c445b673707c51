import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { DEFAULT_COUNTRY } from "./identifier.ts";

/** Anything of the form of an email address, whether or not the address can exist. */
const EMAIL = /^[^@]+@[^@]+$/u;
/** RFC 9562 section 4, with or without hyphens. */
const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i;

/**
 * Whether a username can be mistaken for an email address, a phone number or a user's id, so that a search for one
 * would find the other. A number counts in every form that `parseIdentifier` accepts, of every country, in digits of
 * any script, and with `_`, `.` or `-` between the digits.
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

/** The value of a decimal digit. Unicode encodes the ten digits of a script consecutively and in order. */
function digitValue(digit: string): string {
  const codePoint = digit.codePointAt(0) ?? 0;
  let zero = codePoint;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String((codePoint - zero) % 10);
}
