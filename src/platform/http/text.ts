import type { FieldErrorCode } from "./field-errors.ts";

/**
 * Control characters other than tab, line feed, vertical tab, form feed and carriage return, which count as white
 * space.
 */
const CONTROLS = /[^\P{Cc}\t-\r]/u;
/**
 * White space and invisible characters: default-ignorable ones (zero-width, direction marks, variation selectors,
 * Hangul fillers, tags), other format characters, the empty Braille cell, the musical null notehead.
 */
const INVISIBLE = /^[\s\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u{1D159}]+$/u;

/**
 * Returns why a text is invalid for any field; undefined if it is valid. The empty string is valid because it counts as
 * absent.
 */
export function findUnfit(given: string): FieldErrorCode | undefined {
  if (!given.isWellFormed()) return "ill_formed";
  if (CONTROLS.test(given)) return "control_characters";
  return isBlank(given) ? "blank" : undefined;
}

/** Whether a text consists of white space and invisible characters only; false for the empty string. */
export const isBlank = (given: string): boolean => INVISIBLE.test(given);

/** Trims the text and replaces line and paragraph separators (U+2028, U+2029) with spaces. */
export const oneLine = (given: string): string => given.trim().replace(/[\u2028\u2029]/g, " ");

/** Trims the text and replaces each run of white space with one space. */
export const foldSpaces = (given: string): string => given.replace(/\s+/gu, " ").trim();

/** Normalises text written by a person: composed Unicode (NFC), single spaces. */
export const tidy = (given: string): string => foldSpaces(given.normalize("NFC"));

/** Truncates a text to `length` UTF-16 units without splitting a surrogate pair. */
export function cut(given: string, length: number): string {
  const start = given.slice(0, length);
  // A surrogate pair is split if its second unit is the first one removed.
  return start.isWellFormed() || !given.isWellFormed() ? start : start.slice(0, -1);
}

/** Makes a text storable: well-formed, each run of control characters replaced by a space, truncated to `length`. */
export const storable = (given: string, length: number): string =>
  cut(given.toWellFormed().replace(/\p{Cc}+/gu, " "), length);

/**
 * Cleans third-party text that cannot be refused with a field error (User-Agent, a provider's name): well-formed,
 * without control characters, truncated to `length`; null if nothing visible is left.
 */
export function salvage(given: string | undefined, length: number): string | null {
  const text = cut(tidy(storable(given ?? "", Number.POSITIVE_INFINITY)), length).trimEnd();
  return text === "" || isBlank(text) ? null : text;
}

/** Converts decimal digits of any script to ASCII digits, because Nepali, Arabic and other keyboards type their own. */
export function toAsciiDigits(given: string): string {
  return given.replace(/(?![0-9])\p{Nd}/gu, (digit) => String(digitValue(digit)));
}

/** Unicode encodes the ten digits of a script consecutively, starting at zero (Unicode Standard, section 4.6). */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let zero = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return (code - zero) % 10;
}

/**
 * Converts a pasted or typed code, address or number to plain characters: no full-width forms, invisible characters,
 * variation selectors or keycaps, one hyphen for every dash and minus sign, ASCII digits.
 */
export const cleanPasted = (given: string): string => toAsciiDigits(cleanMarks(given));

/** Like `cleanPasted`, but keeps digits of other scripts, which usernames may contain. */
export function cleanMarks(given: string): string {
  const seen = given.normalize("NFKC").replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]|\u20E3/gu, "");
  return seen.replace(/[\p{Pd}\u2212\u2043\u02D7\u2796]/gu, "-").trim();
}

/** Private, shared, reserved, multicast and documentation addresses (RFC 6890, RFC 5771). */
const PRIVATE_IPV4 =
  /^(?:0|10|127|22[4-9]|2[3-5]\d|192\.168|192\.0\.[02]|169\.254|198\.1[89]|198\.51\.100|203\.0\.113|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;
/** Global unicast (RFC 4291 section 2.4) without the addresses for documentation (RFC 3849, RFC 9637). */
const PUBLIC_IPV6 = /^\[(?!2001:db8:|3fff:[0-9a-f]{0,3}:)[23][0-9a-f]{3}:/;
/** Domains that public DNS does not resolve (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal). */
const PRIVATE_DOMAINS = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa|test|invalid|onion)$/;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const TOP_LABEL = /^[a-z][a-z0-9-]*[a-z0-9]$/;

/**
 * The canonical form of a URL (WHATWG URL); undefined unless it is https, without credentials, and its host can be
 * public.
 */
export function canonicalHttpsUrl(given: string): string | undefined {
  const url = URL.parse(given);
  if (url?.protocol !== "https:" || url.username !== "" || url.password !== "") return undefined;
  return isPublicHost(url.hostname) ? url.href : undefined;
}

/**
 * Whether the host can be public. @param host from a parsed URL: lower case, IDNA in ASCII, IPv4 in dotted decimals.
 */
function isPublicHost(host: string): boolean {
  if (host.startsWith("[")) return PUBLIC_IPV6.test(host);
  const labels = host.split(".");
  if (labels.length === 4 && labels.every((label) => /^\d+$/.test(label))) return !PRIVATE_IPV4.test(host);
  const isName = labels.length > 1 && host.length <= 253 && labels.every((label) => LABEL.test(label));
  return isName && TOP_LABEL.test(labels.at(-1) ?? "") && !PRIVATE_DOMAINS.test(host);
}
