/** Percentage of the daily budget reserved for recipients that belong to an account. */
const RESERVED_PERCENT = 30;
/** One hour may spend at most this fraction (1/8) of the day's unreserved calls. */
const OPEN_HOURS = 8;

/** Channels with a daily budget. */
export type BudgetChannel = "sms" | "email";

/** Number of calls per day that are open to any recipient; the rest is reserved for recipients with an account. */
export function openCalls(budget: number): number {
  return Math.floor((budget * (100 - RESERVED_PERCENT)) / 100);
}

/**
 * Number of SMS calls per hour to numbers without an account: an eighth of the open calls, rounded down, at least 1.
 */
export function openCallsPerHour(budget: number): number {
  return Math.max(1, Math.floor(openCalls(budget) / OPEN_HOURS));
}
