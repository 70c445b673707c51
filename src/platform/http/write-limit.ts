import type { Deps } from "../deps.ts";
import { MINUTE_MS } from "../time.ts";
import { isWithinLimit } from "./first-limiter.ts";
import { beyondLimit } from "./rate-limit.ts";

/** Write limit of a signed-in user, as configured for USER_RATE_LIMITER in wrangler.toml. */
export const writesPerMinute = { count: 60, windowMs: MINUTE_MS } as const;

/**
 * Counts a write towards the per-minute limit of a user or session, before the database is accessed. If the limiter
 * fails, the write is allowed.
 *
 * @throws AppError `rate_limit_exceeded`.
 */
export async function countWrite(deps: Pick<Deps, "userRateLimiter" | "log">, key: string): Promise<void> {
  if (await isWithinLimit(deps, deps.userRateLimiter, key)) return;
  throw beyondLimit("writes", writesPerMinute, writesPerMinute.windowMs / 1000, "writes of one user in a minute");
}
