/** Percent of a day's budget kept for numbers that belong to an account. */
const RESERVED_PERCENT = 30;

/** Calls of a day that any number may cause; beyond it only one that belongs to an account. */
export function openCalls(budget: number): number {
  return Math.floor((budget * (100 - RESERVED_PERCENT)) / 100);
}
