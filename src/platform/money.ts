/**
 * Converts a decimal string with at most 13 digits before the point and 2 after it to minor units; undefined for any
 * other string.
 */
export function parseMinor(text: string): number | undefined {
  const [, sign, units, cents = ""] = /^(-?)(0|[1-9]\d{0,12})(?:\.(\d{1,2}))?$/.exec(text) ?? [];
  if (units === undefined) return undefined;
  const minor = Number(units) * 100 + Number(cents.padEnd(2, "0"));
  return sign && minor > 0 ? -minor : minor;
}

/**
 * Formats minor units as a decimal string with two places: -5 is `-0.05`.
 *
 * @throws RangeError if `minor` is not a safe integer.
 */
export function formatMinor(minor: number): string {
  if (!Number.isSafeInteger(minor)) throw new RangeError("an amount must be a safe integer");
  const digits = String(Math.abs(minor)).padStart(3, "0");
  return `${minor < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
