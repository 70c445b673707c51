import { DAY_MS, HOUR_MS, MINUTE_MS } from "./platform/time.ts";

/** The currency of every wallet (ISO 4217). */
export const CURRENCY = "NPR";

/** Nepal Time is UTC+05:45 all year (IANA Asia/Kathmandu, since 1986). */
const OFFSET_MS = (5 * 60 + 45) * MINUTE_MS;

/** The calendar day in Asia/Kathmandu at the given time (epoch ms), `YYYY-MM-DD`. */
export function dayOf(at: number): string {
  return new Date(at + OFFSET_MS).toISOString().slice(0, 10);
}

/** The hour of the day in Asia/Kathmandu at the given time (epoch ms), 0 to 23. */
export function hourOf(at: number): number {
  return new Date(at + OFFSET_MS).getUTCHours();
}

/** When the hour in Asia/Kathmandu at the given time began (epoch ms). */
export function hourStartsAt(at: number): number {
  return Math.floor((at + OFFSET_MS) / HOUR_MS) * HOUR_MS - OFFSET_MS;
}

/** When the day in Asia/Kathmandu at the given time ends (epoch ms). */
export function dayEndsAt(at: number): number {
  return (Math.floor((at + OFFSET_MS) / DAY_MS) + 1) * DAY_MS - OFFSET_MS;
}

/** The first and last millisecond of a calendar day in Asia/Kathmandu. @param day `YYYY-MM-DD` */
export function boundsOf(day: string): { first: number; last: number } {
  const first = Date.parse(`${day}T00:00:00Z`) - OFFSET_MS;
  return { first, last: first + DAY_MS - 1 };
}
