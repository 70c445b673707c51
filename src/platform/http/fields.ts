import { z } from "zod";
import { as } from "./field-errors.ts";
import { canonicalHttpsUrl, oneLine } from "./text.ts";

// Well-formed, without control characters, and not blank is every text of a request already: `parseFields` sees to that for
// all fields at once. What is left to a field are tabs and line breaks, which only some fields fold into spaces.

const NO_CONTROLS = /^\P{Cc}*$/u;

/** Text as clients of every age send it: a JSON number counts as its digits. */
function asText(given: unknown): unknown {
  return typeof given === "number" && Number.isSafeInteger(given) && given >= 0 ? String(given) : given;
}

/**
 * Required text, where the empty string counts as absent; `canonical` rewrites it before `schema` looks. White space around
 * it does not count; tabs and line breaks that `canonical` leaves in it are refused.
 */
export function text<T extends z.ZodType>(schema: T, canonical = oneLine) {
  return z.preprocess((given, context) => {
    const value = given === "" ? undefined : asText(given);
    if (typeof value !== "string") return value;
    const written = canonical(value.trim());
    if (!NO_CONTROLS.test(written)) context.addIssue({ code: "custom", message: as("control_characters") });
    return written;
  }, schema);
}

/** Optional text: null and the empty string count as absent. */
export function optionalText<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.optional(), canonical);
  return z.preprocess((given) => (given === null || given === "" ? undefined : given), present).optional();
}

/** A field that null clears: absent and the empty string are undefined, null stays null. */
export function clearable<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.nullable().optional(), canonical);
  return z.preprocess((given) => (given === "" ? undefined : given), present).optional();
}

/** A version as text; JSON may write it as a number, `14.5` and `14` alike. */
export function optionalVersion(schema: z.ZodString) {
  return z
    .preprocess((given) => {
      const digits = typeof given === "number" ? String(given) : "";
      return /^\d+\.\d+$/.test(digits) ? digits : given;
    }, optionalText(schema))
    .optional();
}

/** A token of any kind and length: what is none of ours is refused as that, by its own error. */
export const tokenField = z.string().trim();

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "t", "yes", "on", "1"].map((word) => [word, true] as const),
  ...["false", "f", "no", "off", "0"].map((word) => [word, false] as const),
]);

/** Optional yes or no: a boolean, or one of the words and digits that forms and query libraries write, in any case. */
export const optionalFlag = z
  .preprocess((given) => {
    if (given === null || given === "") return undefined;
    const isWord = typeof given === "string" || typeof given === "number";
    return isWord ? (FLAGS.get(String(given).trim().toLowerCase()) ?? given) : given;
  }, z.boolean().optional())
  .optional();

/**
 * A whole number: a JSON number, or ASCII decimal digits as forms and queries write it. Leading zeros do not count; signs,
 * exponents, fractions, white space and digits of other scripts are refused: programs write these fields, not people.
 */
export function wholeNumber<T extends z.ZodType>(schema: T) {
  return z.preprocess((given) => {
    if (given === null || given === "") return undefined;
    return typeof given === "string" && /^\d{1,30}$/.test(given) ? Number(given) : given;
  }, schema);
}

const MAX_URL_LENGTH = 2048;
const https = z.url({ protocol: /^https$/ }).max(MAX_URL_LENGTH);

/** The URL as it is stored; null where it is not acceptable or too long. */
export const storableHttpsUrl = (given: string | undefined): string | null => {
  const url = given === undefined ? undefined : canonicalHttpsUrl(given);
  return url !== undefined && url.length <= MAX_URL_LENGTH ? url : null;
};

/** An https URL of a public host, in its canonical form; nothing here fetches it. Give `canonicalUrl` to the field's `canonical`. */
export const httpsUrl = https.refine((given) => canonicalHttpsUrl(given) === given, {
  error: as("not_https_url"),
  when: ({ issues }) => issues.length === 0,
});

/** The canonical form, or the text as it was where it has none, for `httpsUrl` to refuse. */
export const canonicalUrl = (given: string): string => canonicalHttpsUrl(given) ?? given;

/** The same text, with what the document says of control characters. */
export const withoutControls = (schema: z.ZodString) =>
  schema
    .regex(NO_CONTROLS, as("control_characters"))
    // JSON Schema patterns are always Unicode ones and carry no flags.
    .meta({ pattern: NO_CONTROLS.source });

const MAX_PAGE_SIZE = 100;

/** Rows of a page, 1 to 100; 20 when absent. */
export const pageSizeField = wholeNumber(z.number().int().min(1).max(MAX_PAGE_SIZE).default(20));

/** Where the next page begins, as the last one said; `readCursor` tells what it means. */
export const cursorField = z.string().optional().meta({ description: "next_cursor of the page before" });
