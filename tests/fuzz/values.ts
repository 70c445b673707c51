import fc from "fast-check";
import { newEmail, newPhone } from "../support/client.ts";
import { hostileTexts } from "./corpora.ts";
import type { FieldSchema } from "./operations.ts";

/** Makes a new value for every case, so that no two cases share an identifier. */
const fresh = <T>(make: () => T) => fc.constant(null).map(make);

const dates = fc
  .date({ min: new Date("1901-01-01"), max: new Date("2020-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));

const pictures = fc.webUrl({ validSchemes: ["https"], withQueryParameters: true }).map((url) => new URL(url).href);

/** Fields whose valid values are narrower than their schema. */
const byName: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  identifier: fc.oneof({ weight: 9, arbitrary: fresh(newEmail) }, { weight: 1, arbitrary: fresh(newPhone) }),
  email: fresh(newEmail),
  phone_number: fresh(newPhone),
  username: fc.tuple(fc.constantFrom("asha", "आशा", "Σ.", "a+b_"), fc.uuid()).map((parts) => parts.join("-")),
  date_of_birth: dates,
  start_date: dates,
  end_date: fc.constant("2031-01-01"),
  avatar_url: pictures,
  profile_picture: pictures,
  document_number: fc.stringMatching(/^[A-Z0-9]{5}[A-Z0-9 /-]{0,30}[0-9]$/),
  device_type: fc.constantFrom("ANDROID", "IOS", "WEB"),
  // Only the service can issue cursors and redirect addresses.
  cursor: fc.constant(undefined),
  redirect_uri: fc.constant(undefined),
  page: fc.integer({ min: 1, max: 20 }),
};

function textOf({ minLength = 1, maxLength = 60 }: FieldSchema): fc.Arbitrary<string> {
  // Counts characters, as JSON Schema does, not UTF-16 units.
  const isWithin = (length: number) => length >= minLength && length <= maxLength;
  const longest = Math.min(maxLength, 60);
  const words = fc
    .string({ unit: "grapheme", minLength, maxLength: longest })
    .map((text) => text.normalize("NFC").replace(/\s+/gu, " ").trim())
    .filter((text) => isWithin([...text].length) && !/\p{Cc}/u.test(text));
  const longestOnes = fc.constant("x".repeat(Math.min(maxLength, 4096)));
  return fc.oneof({ weight: 5, arbitrary: words }, { weight: 1, arbitrary: longestOnes });
}

const typesOf = ({ type }: FieldSchema) => [type ?? []].flat();

/** Whether the field accepts null. */
export const isNullable = (schema: FieldSchema) => typesOf(schema).includes("null");

/** A valid value of the field. */
export function anyValue(name: string, schema: FieldSchema): fc.Arbitrary<unknown> {
  const known = byName[name];
  if (known) return known;
  if (schema.enum) return fc.constantFrom(...schema.enum.filter((value) => value !== null));
  const types = typesOf(schema);
  if (types.includes("array") && schema.items) {
    const limits = { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 5, 5) };
    return fc.array(anyValue(name, schema.items), limits);
  }
  if (types.includes("boolean")) return fc.boolean();
  if (types.includes("integer")) return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000 });
  // The pattern of free text only excludes control characters.
  const isPlainPattern = schema.pattern !== undefined && !schema.pattern.includes("\\u0000");
  if (isPlainPattern) return fc.stringMatching(new RegExp(schema.pattern ?? ""));
  return textOf(schema);
}

/** Parameters of signed links and of the error page, which no schema reads. */
const UNREAD = ["exp", "sig", "error", "error_description"];

/** Whether the field is text, or is written as text, in every format. */
export const isTextField = (name: string, schema: FieldSchema) =>
  !UNREAD.includes(name) && schema.format !== "binary" && (typesOf(schema).includes("string") || Boolean(schema.anyOf));

/** Text that no field takes. */
const unfitTexts = [
  "a\u0000b",
  "\u0001x",
  "x\u007f",
  "x\u0085x",
  " ",
  "\t\r\n",
  "\u2028\u2029",
  "\u200b\u2060\ufeff",
  "\u3164\u115f",
  "\ufe0f",
  "\u202e",
];
export const halfPairs = ["\ud800", "a\udfff b", "\udc00\ud83d"];

/** Values that violate the length or format of the field's schema; each must be refused. */
export function misfitsOf(name: string, schema: FieldSchema): string[] {
  const found: string[] = isTextField(name, schema) ? [...unfitTexts] : [];
  if (schema.maxLength !== undefined) found.push("x".repeat(schema.maxLength + 1), "𝕏".repeat(schema.maxLength + 1));
  if ((schema.minLength ?? 0) > 1) found.push("x".repeat((schema.minLength ?? 0) - 1));
  if (schema.enum) found.push("NOPE", "x".repeat(1000), `${schema.enum[0]}x`, `${schema.enum[0]},${schema.enum[1]}`);
  // A single value counts as a list of one.
  if (typesOf(schema).includes("array")) found.push(...(schema.items?.enum ? ["NOPE"] : []), "x".repeat(1000));
  if (schema.format === "uuid") found.push("x", "0198c0de", "{0198c0de-0000-7000-8000-000000000000}");
  if (typesOf(schema).includes("integer"))
    found.push("x", "1.5", "1e400", "1e2", "0x2", "+1", " 1 ", "1.0", "Infinity", "one", "٣", "1,000", "0x");
  if (typesOf(schema).includes("boolean")) found.push("yess", "TRUE!", "2", "01", "n/a", "x".repeat(1000));
  if (schema.format === "date") found.push("2001-13-01", "2001-02-30", "01/02/2003", "0000-00-00", "2999-01-01", "now");
  if (schema.format === "uri")
    found.push(
      "http://example.com/a",
      "javascript:alert(1)",
      "//example.com",
      "x",
      "https://",
      "https://a:b@example.com/",
      "https://localhost/a.png",
      "https://example..com/a",
    );
  if (schema.anyOf) found.push("2001-13-01", "yesterday", "1e9", "2001-01-01T25:00:00Z");
  if (name === "identifier") found.push("x", "+1", "a@", "@b.c", "12345", "+9779841234567890", "a b@example.com");
  if (name === "otp") found.push("12345", "1234567", "abcdef");
  return found;
}

export const hostileText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...hostileTexts), fc.constantFrom(...hostileTexts))
      .map((parts) => parts.join("")),
  },
);
