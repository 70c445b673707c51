/** What `readInstant` reads. */
export const INSTANT = "a date (2026-11-01) or an instant (2026-11-01T12:00:00Z)";

/** Epoch milliseconds of a date (midnight UTC) or an instant with a time zone; undefined for any other text. */
export function readInstant(text: string): number | undefined {
  const isIso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const instant = isIso ? Date.parse(text) : Number.NaN;
  return Number.isNaN(instant) ? undefined : instant;
}
