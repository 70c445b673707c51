import { z } from "zod";
import { parseJson } from "../json.ts";

/** Whether a variable or secret is absent; an empty string counts as absent. */
export const isUnset = (value: unknown) => value === undefined || (typeof value === "string" && value.trim() === "");

/** An optional setting. */
export const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (isUnset(value) ? undefined : value), schema.optional());

const HAS_CREDENTIALS = /^[a-z]+:\/\/[^/?#]*@/i;

/** A URL without credentials. */
export const url = (protocol: RegExp) =>
  z
    .url({ protocol, error: "must be a URL" })
    .refine((text) => !HAS_CREDENTIALS.test(text), "must not contain credentials");

/** Comma-separated values; white space around them is ignored. */
export const list = z.string().transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean),
);

/** JSON text of a value that matches the schema. */
export const json = <T extends z.ZodType>(schema: T, message = "must be JSON") =>
  z
    .string()
    .transform((text, context): unknown => {
      const value = parseJson(text);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    })
    .pipe(schema);

/** No two entries have the same key. */
export function areDistinct<T>(entries: readonly T[], key: (entry: T) => string): boolean {
  return new Set(entries.map(key)).size === entries.length;
}
