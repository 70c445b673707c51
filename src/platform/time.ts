/** Units of time, in milliseconds. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A time (epoch ms) as ISO 8601 text in UTC; null for null. */
export function isoTime<T extends number | null>(at: T): T extends number ? string : string | null;
export function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
