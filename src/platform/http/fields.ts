import { z } from "zod";
import { as } from "./field-errors.ts";

/** Text as clients of every age send it: a JSON number counts as its digits; white space around it does not count. */
function asText(given: unknown): unknown {
  if (typeof given === "number" && Number.isSafeInteger(given) && given >= 0) return String(given);
  return typeof given === "string" ? given.trim() : given;
}

/** Required text, where the empty string counts as absent; `canonical` rewrites it before `schema` looks. */
export function text<T extends z.ZodType>(schema: T, canonical = (given: string) => given) {
  return z.preprocess((given) => {
    const value = given === "" ? undefined : asText(given);
    return typeof value === "string" ? canonical(value) : value;
  }, schema);
}

/** Optional text: null and the empty string count as absent. */
export function optionalText<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.optional(), canonical);
  return z.preprocess((given) => (given === null || asText(given) === "" ? undefined : given), present).optional();
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

/** A token of any kind and length: what is none of ours is refused as that, by its own error. */
export const tokenField = z.string().trim();

/** A field that null clears: absent and the empty string are undefined, null stays null. */
export function clearable<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.nullable().optional(), canonical);
  return z.preprocess((given) => (asText(given) === "" ? undefined : given), present).optional();
}

/** Optional yes or no; forms write it as a word or a digit. */
export const optionalFlag = z
  .preprocess((given) => {
    if (given === null || given === "") return undefined;
    if (given === "true" || given === "1" || given === 1) return true;
    return given === "false" || given === "0" || given === 0 ? false : given;
  }, z.boolean().optional())
  .optional();

/** A person's text in composed Unicode; white space counts as one space. */
export const tidy = (given: string) => given.normalize("NFC").replace(/\s+/gu, " ").trim();
const NO_CONTROLS = /^\P{Cc}*$/u;

/** The same text, without control characters. */
export const withoutControls = (schema: z.ZodString) =>
  schema
    .regex(NO_CONTROLS, as("control_characters"))
    // JSON Schema patterns are always Unicode ones and carry no flags.
    .meta({ pattern: NO_CONTROLS.source });

const MAX_PAGE_SIZE = 100;

/** Rows of a page, 1 to 100; 20 when absent. */
export const pageSizeField = z.coerce.number().int().min(1).max(MAX_PAGE_SIZE).default(20);

/** Where the next page begins, as the last one said; `readCursor` tells what it means. */
export const cursorField = z.string().optional().meta({ description: "next_cursor of the page before" });
