import { eq, type SQL } from "drizzle-orm";
import { type CountryCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { z } from "zod";
import { users } from "../db/user-schema.ts";
import type { Value } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { AppError, fieldError } from "../platform/http/errors.ts";
import type { FieldErrors } from "../platform/http/field-errors.ts";
import { optionalText, text } from "../platform/http/fields.ts";
import { cleanMarks, foldSpaces, toAsciiDigits } from "../platform/http/text.ts";
import { canonicalEmail, MAX_EMAIL_LENGTH } from "./email-address.ts";

/** An email address or a mobile number in canonical form: each address or number has exactly one. */
export interface Identifier {
  kind: "email" | "phone";
  /** An address as `canonicalEmail` returns it, or a number in E.164. */
  value: string;
}

/** Country of numbers without a country code. */
export const DEFAULT_COUNTRY: CountryCode = "NP";

/** As in `(+977) 98…`. */
const COUNTRY_CODE_IN_BRACKETS = /^[([]\s*(\+\s*\d{1,3})\s*[)\]]/;

const IDENTIFIER =
  "An email address, or a mobile number of a supported country in any usual notation; without a country code it is " +
  "one of Nepal.";

/** The request field; `parseIdentifier` validates and canonicalizes the value. */
export const identifierField = text(z.string().min(1).max(MAX_EMAIL_LENGTH), foldSpaces).meta({
  id: "Identifier",
  description: IDENTIFIER,
});
/** As `identifierField`; null and the empty string count as absent. */
export const optionalIdentifierField = optionalText(z.string().min(1).max(MAX_EMAIL_LENGTH), foldSpaces).meta({
  description: IDENTIFIER,
});

/** The request field that errors name, and the required kind if only one kind is accepted. */
interface Expected {
  field: string;
  kind?: Identifier["kind"];
}

/**
 * Canonicalizes an identifier as a person typed it, so that every spelling of an address or number gives the same user.
 *
 * @throws AppError `validation_error` on the field, with the reason.
 */
export function parseIdentifier(
  deps: Pick<Deps, "config">,
  given: string,
  expected: Expected = { field: "identifier" },
): Identifier {
  // Text copied from contact apps and pages contains invisible direction marks, or is a link (RFC 3966, RFC 6068).
  const typed = cleanMarks(given).replace(/^(?:tel|mailto):/i, "");
  const kind = expected.kind ?? (typed.includes("@") ? "email" : "phone");
  return kind === "email" ? parseEmail(typed, expected) : parsePhone(typed, deps.config.smsCountries, expected);
}

/** Returns what is wrong with an identifier, for the `check` of a route; an absent one has no errors. */
export function checkIdentifier(
  deps: Pick<Deps, "config">,
  given: string | null | undefined,
  expected?: Expected,
): FieldErrors {
  try {
    if (given) parseIdentifier(deps, given, expected);
  } catch (error) {
    if (error instanceof AppError) return error.options.fields ?? {};
    throw error;
  }
  return {};
}

/** As `parseIdentifier`; undefined if the text is not a valid identifier. */
export function readIdentifier(deps: Pick<Deps, "config">, given: string): Identifier | undefined {
  try {
    return parseIdentifier(deps, given);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function parseEmail(typed: string, { field }: Expected): Identifier {
  const at = typed.lastIndexOf("@");
  // Digits of other scripts in the local part come from the keyboard; in a domain they make a different name.
  const value = at < 1 ? undefined : canonicalEmail(toAsciiDigits(typed.slice(0, at)) + typed.slice(at));
  if (value === undefined) throw fieldError(field, "not_email");
  return { kind: "email", value };
}

function parsePhone(typed: string, smsCountries: string[], { field, kind }: Expected): Identifier {
  // libphonenumber does not recognise a country code in brackets.
  const plain = toAsciiDigits(typed).replace(COUNTRY_CODE_IN_BRACKETS, "$1 ");
  const number = parsePhoneNumberFromString(plain, { defaultCountry: DEFAULT_COUNTRY, extract: false });
  if (!number || number.ext !== undefined) {
    throw fieldError(field, kind ? "not_phone" : "not_identifier");
  }
  if (!number.isValid()) throw fieldError(field, "unknown_phone");
  if (number.country === undefined || !smsCountries.includes(number.country)) {
    throw fieldError(field, "country_not_supported");
  }
  const type = number.getType();
  if (type !== "MOBILE" && type !== "FIXED_LINE_OR_MOBILE") {
    throw fieldError(field, "not_mobile");
  }
  return { kind: "phone", value: number.number };
}

/** The user has this identifier. */
export function isIdentifiedBy(identifier: { kind: Identifier["kind"]; value: Value<string> }): SQL {
  return eq(identifier.kind === "email" ? users.email : users.phoneNumber, identifier.value);
}
