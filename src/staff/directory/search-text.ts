import { type CountryCode, getCountryCallingCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import type { Deps } from "../../platform/deps.ts";
import { cleanMarks, toAsciiDigits } from "../../platform/http/text.ts";
import { asciiDomain } from "../../users/email-address.ts";
import { withKey } from "../../users/username.ts";
import { COMMON, commonnessOf, isMobile, trigramsOf } from "./common-text.ts";

/**
 * Stands before each field of a searched text, so that no pattern reaches from one field into the next, and so that the
 * beginning of a field has trigrams even where a pattern has fewer than three characters.
 */
const MARK = "\n\n";
/** Characters of a trigram. */
const TRIGRAM = 3;
/** The index is asked for so many trigrams at most. */
const MAX_TRIGRAMS = 3;

const AND = " AND ";
/** So many digits in a row few of a million people share; one more where a mobile number begins with them. */
const SHARED_DIGITS = 6;
/** Characters of a text that rarely fills a page. */
const LONG = 6;

/** What of a user is searched. */
export interface Searched {
  usernameKey: string;
  email: string | null;
  /** E.164. */
  phoneNumber: string | null;
}

/** The text that a user is found by. */
export function searchTextOf({ usernameKey, email, phoneNumber }: Searched): string {
  const national = phoneNumber === null ? null : parsePhoneNumberFromString(phoneNumber)?.nationalNumber;
  return [usernameKey, email, national].map((field) => (field ? MARK + field : "")).join("");
}

/** What a search asks for: an entry is found where one of the parts or numbers fits it. */
export interface SearchPattern {
  /** As the person wrote it, in the form that keys have. */
  text: string;
  /** FTS5 query whose entries include all that fit; undefined where nothing narrows the search. */
  match: string | undefined;
  /** Whether the walk of the index is dear and few are likely to fit, so that it goes to its end. */
  isRare: boolean;
  /** Texts that an entry's text holds. */
  parts: string[];
  /** Beginnings of an entry's number in E.164. */
  numbers: string[];
  /** Only the beginnings of fields were searched, since the pattern has too few characters. */
  isShort: boolean;
}

/**
 * Reads what a person typed into a search: part of a username, an e-mail address or a number, in any case; a number with
 * or without its country code, and with whatever stands between its digits.
 */
export function readPattern({ config }: Pick<Deps, "config">, typed: string): SearchPattern {
  const text = withKey(cleanMarks(typed.toWellFormed())).key;
  const { parts, national, numbers } = readDigits(toAsciiDigits(text), config.smsCountries);
  // As it stands it is in no field, where the digits are set apart.
  const asWritten = parts.length + national.length > 0 && /[\s()]/.test(text) ? [] : [text];
  const texts = [...new Set([...asWritten, ...parts, ...addressParts(text)])];
  const queries = [...texts, ...national].map(queryOf);
  return {
    text,
    match: queries.includes("") ? undefined : [...new Set(queries)].join(" OR "),
    isRare: queries.some((query) => query.includes(AND)) && isRare(text),
    parts: texts.map((part) => ([...part].length < TRIGRAM ? MARK + part : part)),
    numbers,
    isShort: [...text].length < TRIGRAM,
  };
}

/** A text that holds an international domain, with the domain as addresses have it; nothing for any other text. */
function addressParts(text: string): string[] {
  const at = text.lastIndexOf("@") + 1;
  const typed = text.slice(at);
  const domain = asciiDomain(typed);
  return domain === undefined || domain === typed ? [] : [text.slice(0, at) + domain];
}

/** The meanings that a text of digits and what stands between them has as a number. */
function readDigits(text: string, countries: readonly string[]) {
  const none = { parts: [], national: [], numbers: [] };
  if (!/^\+?[\d\s().\p{Pd}]*$/u.test(text)) return none;
  const digits = text.replace(/\D/g, "");
  if (digits === "") return none;
  const isInternational = text.startsWith("+") || digits.startsWith("00");
  const full = isInternational ? digits.replace(/^00/, "") : digits;
  const codes = countries.map((country) => getCountryCallingCode(country as CountryCode));
  const code = codes.find((each) => full.startsWith(each));
  const international =
    code === undefined ? { national: [], numbers: [] } : { national: [full.slice(code.length)], numbers: [`+${full}`] };
  if (isInternational) {
    // The first digits of a country code: everybody there.
    const isBegun = code === undefined && codes.some((each) => each.startsWith(full));
    return isBegun ? { parts: [], national: [""], numbers: [`+${full}`] } : { parts: [], ...international };
  }
  const withoutTrunk = digits.replace(/^0+/, "");
  const isCodeAlone = international.national[0] === "";
  return { parts: [digits, withoutTrunk].filter(Boolean), ...(isCodeAlone ? none : international) };
}

/**
 * What the index is asked for: the trigrams of a part that are likely to be in the fewest users. FTS5 walks the list of every
 * trigram that it is given, and of a frequent one that costs more than it narrows; a phrase costs their positions, too.
 * Whether the whole part is there is seen in the entries found.
 */
function queryOf(part: string): string {
  if (part === "") return "";
  const characters = [...part];
  // The trigrams that begin a field.
  if (characters.length < TRIGRAM) return quote(MARK.slice(characters.length - 1) + part);
  const ranked = trigramsOf(part)
    .map((trigram, at) => ({ trigram, at, commonness: commonnessOf(trigram) }))
    .sort((a, b) => a.commonness - b.commonness || b.at - a.at);
  const telling = ranked.filter(({ commonness }) => commonness < COMMON);
  // Where all are common, most of those who have one fit.
  const [first, ...others] = telling.length > 0 ? telling : ranked.slice(0, 1);
  // One that shares no character with the rarest tells more than its neighbours.
  const apart = others.find(({ at }) => Math.abs(at - (first?.at ?? 0)) >= TRIGRAM);
  const chosen = [first, apart, ...others].flatMap((each) => (each ? [each.trigram] : []));
  return [...new Set(chosen)].slice(0, MAX_TRIGRAMS).map(quote).join(AND);
}

/** A text that ends in more digits than many people share, or a longer one with a trigram that no common name has. */
function isRare(text: string): boolean {
  const digits = /[\d\s().\p{Pd}]*$/u.exec(text)?.[0].replace(/\D/g, "") ?? "";
  if (digits.length >= (isMobile(digits) ? SHARED_DIGITS + 1 : SHARED_DIGITS)) return true;
  return text.length > LONG && trigramsOf(text).some((each) => commonnessOf(each) === 0);
}

/** A string of FTS5's query syntax (section 3.1 of its manual): no text inside it is an operator. */
function quote(phrase: string): string {
  return `"${phrase.replaceAll('"', '""')}"`;
}
