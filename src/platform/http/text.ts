import type { FieldErrorCode } from "./field-errors.ts";

/** Control characters but tab, line feed, vertical tab, form feed and carriage return, which are white space. */
const CONTROLS = /[^\P{Cc}\t-\r]/u;
/**
 * White space and characters that nobody sees: default-ignorable ones (zero-width, direction marks, variation selectors,
 * Hangul fillers, tags), other format characters, the empty Braille cell, the musical null note head.
 */
const INVISIBLE = /^[\s\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u{1D159}]+$/u;

/** What makes a text unfit for any field; undefined where nothing does. The empty string fits: it counts as absent. */
export function findUnfit(given: string): FieldErrorCode | undefined {
  if (!given.isWellFormed()) return "ill_formed";
  if (CONTROLS.test(given)) return "control_characters";
  return isBlank(given) ? "blank" : undefined;
}

/** Whether a text is white space and invisible characters alone; false for the empty string. */
export const isBlank = (given: string): boolean => INVISIBLE.test(given);

/** The text without white space around it; line and paragraph separators (U+2028, U+2029) inside it become spaces. */
export const oneLine = (given: string): string => given.trim().replace(/[\u2028\u2029]/g, " ");

/** The text with one space for each run of white space inside it, and none around it. */
export const foldSpaces = (given: string): string => given.replace(/\s+/gu, " ").trim();

/** A person's text in composed Unicode; white space counts as one space. */
export const tidy = (given: string): string => foldSpaces(given.normalize("NFC"));

/** The beginning of a text, at most `length` UTF-16 units; never half of a surrogate pair. */
export function cut(given: string, length: number): string {
  const start = given.slice(0, length);
  // A pair is cut in half where its second unit is the first one left out.
  return start.isWellFormed() || !given.isWellFormed() ? start : start.slice(0, -1);
}

/**
 * Text that others wrote and that no field's error can refuse (User-Agent, a provider's name): well-formed, without control
 * characters, cut to `length`; null where nothing visible is left.
 */
export function salvage(given: string | undefined, length: number): string | null {
  const text = cut(tidy((given ?? "").toWellFormed().replace(/\p{Cc}+/gu, " ")), length).trimEnd();
  return text === "" || isBlank(text) ? null : text;
}

/** Decimal digits of any script as ASCII digits: Nepali, Arabic and other keyboards write their own. */
export function toAsciiDigits(given: string): string {
  return given.replace(/(?![0-9])\p{Nd}/gu, (digit) => String(digitValue(digit)));
}

/** Unicode encodes the ten digits of a script one after another, from zero on (Unicode Standard, section 4.6). */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  let zero = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return (code - zero) % 10;
}

/**
 * A code, an address or a number as people paste and type it, in plain characters: no full-width forms, no invisible
 * characters or variation selectors, no keycaps, one hyphen for every dash and minus sign, ASCII digits.
 */
export const cleanPasted = (given: string): string => toAsciiDigits(cleanMarks(given));

/** As `cleanPasted`, with the digits of their own script, which usernames may have. */
export function cleanMarks(given: string): string {
  const seen = given.normalize("NFKC").replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]|\u20E3/gu, "");
  return seen.replace(/[\p{Pd}\u2212\u2043\u02D7\u2796]/gu, "-").trim();
}

const PRIVATE_IPV4 =
  /^(?:0|10|127|2[2-5]\d|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;
/** Global unicast (RFC 4291 section 2.4). */
const PUBLIC_IPV6 = /^\[[23][0-9a-f]{3}:/;
/** Names that no public DNS answers (RFC 6761, RFC 6762, and ICANN's .internal). */
const PRIVATE_DOMAINS = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|invalid|onion)$/;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const TOP_LABEL = /^[a-z][a-z0-9-]*[a-z0-9]$/;

/** The URL in its one canonical form (WHATWG URL); undefined unless it is https, without credentials, of a host that can exist. */
export function canonicalHttpsUrl(given: string): string | undefined {
  const url = URL.parse(given);
  if (url?.protocol !== "https:" || url.username !== "" || url.password !== "") return undefined;
  return isPublicHost(url.hostname) ? url.href : undefined;
}

/** @param host as a parsed URL gives it: lower case, IDNA in ASCII, an IPv4 address in dotted decimals. */
function isPublicHost(host: string): boolean {
  if (host.startsWith("[")) return PUBLIC_IPV6.test(host);
  const labels = host.split(".");
  if (labels.length === 4 && labels.every((label) => /^\d+$/.test(label))) return !PRIVATE_IPV4.test(host);
  const isName = labels.length > 1 && host.length <= 253 && labels.every((label) => LABEL.test(label));
  return isName && TOP_LABEL.test(labels.at(-1) ?? "") && !PRIVATE_DOMAINS.test(host);
}
