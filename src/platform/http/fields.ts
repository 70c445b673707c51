import { z } from "zod";
import { as } from "./field-errors.ts";
import { canonicalHttpsUrl, oneLine } from "./text.ts";

// `parseFields` has already checked that all texts of a request are well-formed, without control characters and not
// blank. Fields only decide about tabs and line breaks, which some of them convert to spaces.

// Without Unicode classes, because the OpenAPI document shows the pattern, and many tools compile it without flags.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it refuses them
export const NO_CONTROLS = /^[^\u0000-\u001f\u007f-\u009f]*$/;

/** Converts a JSON number to its digits, because some clients send numbers for text. */
function asText(given: unknown): unknown {
  return typeof given === "number" && Number.isSafeInteger(given) && given >= 0 ? String(given) : given;
}

/**
 * Required text; the empty string counts as absent. The text is trimmed and rewritten by `canonical` before `schema`
 * checks it. Tabs and line breaks that remain are refused.
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

/** Optional text; null and the empty string count as absent. */
export function optionalText<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.optional(), canonical);
  return z.preprocess((given) => (given === null || given === "" ? undefined : given), present).optional();
}

/** A field that null clears: the empty string counts as absent, null stays null. */
export function clearable<T extends z.ZodType>(schema: T, canonical?: (given: string) => string) {
  const present = text(schema.nullable().optional(), canonical);
  return z.preprocess((given) => (given === "" ? undefined : given), present).optional();
}

/** A version as text; JSON numbers such as `14.5` and `14` are accepted too. */
export function optionalVersion(schema: z.ZodString) {
  return z
    .preprocess((given) => {
      const digits = typeof given === "number" ? String(given) : "";
      return /^\d+\.\d+$/.test(digits) ? digits : given;
    }, optionalText(schema))
    .optional();
}

/**
 * An id of a path or a query. Ids are stored in lower case, but a UUID is case-insensitive on input (RFC 9562 section 4).
 */
export const idField = z.uuid().toLowerCase();

/** As `idField`; an id that is no UUID is not refused, because it is the id of nothing. */
export const anyIdField = z.string().max(64).toLowerCase();

/** A token of any kind and length. A token that was not issued here is refused later, with its own error. */
export const tokenField = z.string().trim();

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "t", "yes", "on", "1"].map((word) => [word, true] as const),
  ...["false", "f", "no", "off", "0"].map((word) => [word, false] as const),
]);

/** Optional boolean, also as one of the words and digits that forms and query libraries send, in any letter case. */
export const optionalFlag = z
  .preprocess((given) => {
    if (given === null || given === "") return undefined;
    const isWord = typeof given === "string" || typeof given === "number";
    return isWord ? (FLAGS.get(String(given).trim().toLowerCase()) ?? given) : given;
  }, z.boolean().optional())
  .optional();

/**
 * A whole number: a JSON number or ASCII decimal digits, as in forms and queries. Leading zeros are ignored. Signs,
 * exponents, fractions, white space and digits of other scripts are refused, because programs write these fields, not
 * people.
 */
export function wholeNumber<T extends z.ZodType>(schema: T) {
  return z.preprocess((given) => {
    if (given === null || given === "") return undefined;
    return typeof given === "string" && /^\d{1,30}$/.test(given) ? Number(given) : given;
  }, schema);
}

const MAX_URL_LENGTH = 2048;
const https = z
  .url({ protocol: /^https$/ })
  .max(MAX_URL_LENGTH)
  .meta({ pattern: "^https://" });

/** The URL to store; null if it is not acceptable or too long. */
export const storableHttpsUrl = (given: string | undefined): string | null => {
  const url = given === undefined ? undefined : canonicalHttpsUrl(given);
  return url !== undefined && url.length <= MAX_URL_LENGTH ? url : null;
};

/** An https URL of a public host in canonical form; the server does not fetch it. */
const httpsUrl = https.refine((given) => canonicalHttpsUrl(given) === given, {
  error: as("not_https_url"),
  when: ({ issues }) => issues.length === 0,
});

/** The canonical form, or the unchanged text if it has none, so that `httpsUrl` refuses it. */
const canonicalUrl = (given: string): string => canonicalHttpsUrl(given) ?? given;

/** A field for an `httpsUrl`, converted to its canonical form; null clears it. */
export const clearableUrl = clearable(httpsUrl, canonicalUrl).meta({
  id: "PublicUrl",
  description:
    "An https URL of a public host, without credentials. It is kept in the canonical form of the URL standard.",
});

/** Adds the check for control characters to a schema. */
export const withoutControls = (schema: z.ZodString) => schema.regex(NO_CONTROLS, as("control_characters"));

/** A list: an array, or, as forms send it, one text with commas between the values. */
export const listField = <T extends z.ZodType>(schema: T) =>
  z.preprocess(
    (given) => (typeof given === "string" && given !== "" ? given.split(",").map((each) => each.trim()) : given),
    schema,
  );

const MAX_PAGE_SIZE = 100;

/** Page size, 1 to 100; 20 if absent. */
export const pageSizeField = wholeNumber(z.number().int().min(1).max(MAX_PAGE_SIZE).default(20)).meta({
  description: "Number of results per page.",
});

/** `next_cursor` of the previous page; `readCursor` decodes it. */
export const cursorField = z
  .string()
  .optional()
  .meta({ description: "`next_cursor` of the previous page, with the same other parameters." });

/**
 * `when` of a check that compares fields: it also runs if another field is invalid, so that one response names every
 * error. The check sees the values of invalid fields as they were sent.
 */
export const besideErrors = ({ value }: { value: unknown }): boolean => typeof value === "object" && value !== null;
