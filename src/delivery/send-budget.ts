/** Percent of a day's budget kept for recipients that belong to an account. */
const RESERVED_PERCENT = 30;
/** One hour may spend this part of the open calls of a day. */
const OPEN_HOURS = 8;

/** Channels whose messages have a daily budget. */
export type BudgetChannel = "sms" | "email";

/** Calls of a day that any recipient may cause; beyond it only one that belongs to an account. */
export function openCalls(budget: number): number {
  return Math.floor((budget * (100 - RESERVED_PERCENT)) / 100);
}

/** SMS calls of one hour that numbers without an account may cause: an eighth of the open calls, rounded down, at least 1. */
export function openCallsAnHour(budget: number): number {
  return Math.max(1, Math.floor(openCalls(budget) / OPEN_HOURS));
}
