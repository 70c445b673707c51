import { type CountryCode, getCountryCallingCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import type { Deps } from "../../platform/deps.ts";
import { cleanMarks, toAsciiDigits } from "../../platform/http/text.ts";
import { asciiDomain } from "../../users/email-address.ts";
import { withKey } from "../../users/username.ts";
import { COMMON, commonnessOf, isMobile, trigramsOf } from "./common-text.ts";

/**
 * Separates the fields of a searched text and the words of the name, so that no pattern spans two of them and the
 * beginning of each has trigrams even for patterns of fewer than three characters.
 */
const MARK = "\n\n";
/** Characters per trigram. */
const TRIGRAM = 3;
/** Maximum number of trigrams in an index query. */
const MAX_TRIGRAMS = 3;

const AND = " AND ";
/** Few of a million users share this many consecutive digits; one more if they can begin a mobile number. */
const SHARED_DIGITS = 6;
/** A text of this length rarely fills a page. */
const LONG = 6;

/** The searched fields of a user. */
export interface Searched {
  usernameKey: string;
  email: string | null;
  /** E.164. */
  phoneNumber: string | null;
  fullName: string | null;
}

/** The text by which a user is found: username, email address, national number, and each word of the full name. */
export function searchTextOf({ usernameKey, email, phoneNumber, fullName }: Searched): string {
  const national = phoneNumber === null ? null : parsePhoneNumberFromString(phoneNumber)?.nationalNumber;
  return [usernameKey, email, national, ...nameWords(fullName)].map((field) => (field ? MARK + field : "")).join("");
}

/** The words of a full name, normalized like a username key. */
const nameWords = (fullName: string | null): string[] =>
  fullName === null ? [] : wordsOf(withKey(cleanMarks(fullName)).key);

const wordsOf = (text: string): string[] => [...new Set(text.split(/\s+/).filter(Boolean))];

/**
 * A parsed search. An entry matches if its text contains one of the parts or all of the words, or if its phone number
 * begins with one of the numbers.
 */
export interface SearchPattern {
  /** The text as typed, normalized like a username key. */
  text: string;
  /** FTS5 query whose results include all matches; undefined if nothing narrows the search. */
  match: string | undefined;
  /** Whether matches are probably few and the index scan is expensive, so that one scan goes to its end. */
  isRare: boolean;
  /** Texts, one of which an entry's text contains. */
  parts: string[];
  /** Two or more words, all of which an entry's text contains; empty for one word. */
  words: string[];
  /** Prefixes of an entry's number in E.164. */
  numbers: string[];
  /** Whether only the beginnings of fields are searched, because the pattern is too short. */
  isShort: boolean;
}

/**
 * Parses the text of a search: part of a username, an email address or a number, or words of a full name in any order.
 * Case is ignored. A number may have a country code and separators.
 */
export function readPattern({ config }: Pick<Deps, "config">, typed: string): SearchPattern {
  const text = withKey(cleanMarks(typed.toWellFormed())).key;
  const { parts, national, numbers } = readDigits(toAsciiDigits(text), config.smsCountries);
  const isNumber = parts.length + national.length > 0;
  const words = isNumber ? [] : wordsOf(text);
  const isName = words.length > 1;
  // Separated digits and words occur in no field as they were typed.
  const asWritten = isName || (isNumber && /[\s()]/.test(text)) ? [] : [text];
  const texts = [...new Set([...asWritten, ...parts, ...addressParts(text)])];
  const queries = [...texts, ...national].map(queryOf);
  if (isName) queries.push(queryOfAll(words));
  return {
    text,
    match: queries.includes("") ? undefined : [...new Set(queries)].join(" OR "),
    isRare: queries.some((query) => query.includes(AND)) && (isName ? words.some(isRare) : isRare(text)),
    parts: texts.map(begun),
    words: isName ? words.map(begun) : [],
    numbers,
    isShort: (isName ? words : [text]).every((each) => [...each].length < TRIGRAM),
  };
}

/** A text of fewer than three characters is searched at the beginning of fields and words. */
const begun = (text: string): string => ([...text].length < TRIGRAM ? MARK + text : text);

/** The text with an international domain converted to the stored form; empty for any other text. */
function addressParts(text: string): string[] {
  const at = text.lastIndexOf("@") + 1;
  const typed = text.slice(at);
  const domain = asciiDomain(typed);
  return domain === undefined || domain === typed ? [] : [text.slice(0, at) + domain];
}

/** The numbers that a text of digits and separators can mean. */
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
    // The first digits of a country code match every number of the country.
    const isBegun = code === undefined && codes.some((each) => each.startsWith(full));
    return isBegun ? { parts: [], national: [""], numbers: [`+${full}`] } : { parts: [], ...international };
  }
  const withoutTrunk = digits.replace(/^0+/, "");
  const isCodeAlone = international.national[0] === "";
  return { parts: [digits, withoutTrunk].filter(Boolean), ...(isCodeAlone ? none : international) };
}

/**
 * The index query: the trigrams of a part that probably occur for the fewest users. FTS5 scans the list of every
 * trigram in a query; a frequent one costs more than it narrows, and a phrase also costs its positions. The entries
 * found are then checked for the complete part.
 */
function queryOf(part: string): string {
  return part === "" ? "" : rarestOf(part).slice(0, MAX_TRIGRAMS).map(quote).join(AND);
}

/** The index query for entries with all of the words: at most `MAX_TRIGRAMS` of the words' rarest trigrams. */
function queryOfAll(words: readonly string[]): string {
  const rarest = words.map(rarestOf);
  const ranked = [...rarest.map(([first]) => first), ...rarest.map(([, second]) => second)];
  const chosen = ranked.filter((each) => each !== undefined);
  // Of many words, those that fewest users have.
  if (words.length > MAX_TRIGRAMS) chosen.sort((a, b) => commonnessOf(a) - commonnessOf(b));
  return [...new Set(chosen)].slice(0, MAX_TRIGRAMS).map(quote).join(AND);
}

/** The distinct trigrams of a text, by how much they probably narrow a search. */
function rarestOf(part: string): string[] {
  const characters = [...part];
  // The trigram at the beginning of a field or word.
  if (characters.length < TRIGRAM) return [MARK.slice(characters.length - 1) + part];
  const ranked = trigramsOf(part)
    .map((trigram, at) => ({ trigram, at, commonness: commonnessOf(trigram) }))
    .sort((a, b) => a.commonness - b.commonness || b.at - a.at);
  const telling = ranked.filter(({ commonness }) => commonness < COMMON);
  // If all trigrams are common, most entries with one of them match.
  const [first, ...others] = telling.length > 0 ? telling : ranked.slice(0, 1);
  // A trigram that does not overlap the rarest one narrows the search more than one that does.
  const apart = others.find(({ at }) => Math.abs(at - (first?.at ?? 0)) >= TRIGRAM);
  const chosen = [first, apart, ...others].flatMap((each) => (each ? [each.trigram] : []));
  return [...new Set(chosen)];
}

/**
 * Whether the text ends in more digits than many users share, or is long and has a trigram that no common name
 * contains.
 */
function isRare(text: string): boolean {
  const digits = /[\d\s().\p{Pd}]*$/u.exec(text)?.[0].replace(/\D/g, "") ?? "";
  if (digits.length >= (isMobile(digits) ? SHARED_DIGITS + 1 : SHARED_DIGITS)) return true;
  return text.length > LONG && trigramsOf(text).some((each) => commonnessOf(each) === 0);
}

/** An FTS5 string (section 3.1 of its documentation), in which no text is an operator. */
function quote(phrase: string): string {
  return `"${phrase.replaceAll('"', '""')}"`;
}
