import { z } from "zod";
import { optional } from "../../platform/config/settings.ts";
import { DAY_MS } from "../../platform/time.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    /** Milliseconds without a sign-in after which a phone number may have a new owner; undefined if not checked. */
    recycledAfterMs: number | undefined;
  }
}

/** The values that RECYCLED_AFTER_DAYS may have. */
export const RECYCLED_AFTER_DAYS = { min: 30, max: 365 } as const;

const { min, max } = RECYCLED_AFTER_DAYS;
const days = z
  .string()
  .regex(/^\d{2,3}$/, `must be a number of days from ${min} to ${max}`)
  .transform(Number)
  .pipe(z.number().min(min).max(max));

/** Settings of accounts. */
export const accountSettings = { RECYCLED_AFTER_DAYS: optional(days) };

export function readAccountSettings(value: { RECYCLED_AFTER_DAYS?: number | undefined }) {
  const { RECYCLED_AFTER_DAYS: given } = value;
  return { recycledAfterMs: given === undefined ? undefined : given * DAY_MS };
}
