import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import { cleanPasted } from "../platform/http/text.ts";
import { DEFAULT_COUNTRY } from "./identifier.ts";

/** Anything of the form of an email address, whether or not the address can exist. */
const EMAIL = /^[^@]+@[^@]+$/u;
/** RFC 9562 section 4, with or without hyphens. */
const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/i;

/**
 * Whether a username can be mistaken for an email address, a phone number or a user's id, so that a search for one
 * would find the other. A number counts in every form that `parseIdentifier` accepts, of every country, in digits of
 * any script, as keycaps, and with `_`, `.` or `-` between the digits.
 */
export function readsAsIdentifier(username: string): boolean {
  const typed = cleanPasted(username);
  return EMAIL.test(typed) || UUID.test(typed) || readsAsPhone(typed);
}

function readsAsPhone(typed: string): boolean {
  const number = parsePhoneNumberFromString(typed.replaceAll("_", "-"), {
    defaultCountry: DEFAULT_COUNTRY,
    extract: false,
  });
  return number?.isValid() === true;
}
