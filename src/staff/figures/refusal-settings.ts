import { z } from "zod";
import { optional } from "../../platform/config/settings.ts";
import { MINUTE_MS } from "../../platform/time.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    /** Minimum time between two writes of an isolate's refusal counts, in milliseconds; 0 if nothing is counted. */
    refusalFlushMs: number;
  }
}

/** The time between two writes unless REFUSAL_FLUSH_MS is set. */
export const REFUSAL_FLUSH_MS = MINUTE_MS;

/** Setting of the counts of refusals. */
export const refusalSettings = {
  REFUSAL_FLUSH_MS: optional(
    z.coerce
      .number()
      .int()
      .min(0)
      .max(60 * MINUTE_MS),
  ),
};
