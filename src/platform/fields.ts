import { z } from "zod";

/** Text as clients of every age send it: a JSON number counts as its digits. */
export function text(maxLength: number) {
  return z
    .union([z.string(), z.number().int().nonnegative().transform(String)], { error: "Must be text." })
    .pipe(z.string().trim().min(1, "Must not be empty.").max(maxLength, `Must have at most ${maxLength} characters.`));
}

/** Optional text: null and the empty string count as absent. */
export function optionalText(maxLength: number) {
  const value = z.union([z.string(), z.number().int().nonnegative().transform(String)], { error: "Must be text." });
  return value
    .pipe(z.string().trim().max(maxLength, `Must have at most ${maxLength} characters.`))
    .nullish()
    .transform((given) => given || undefined);
}

/** Digits of the Devanagari script (U+0966 to U+096F) as ASCII digits; Nepali keyboards write them. */
export function toAsciiDigits(given: string): string {
  return given.replace(/[\u0966-\u096f]/g, (digit) => String(digit.charCodeAt(0) - 0x0966));
}
