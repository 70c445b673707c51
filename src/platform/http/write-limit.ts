import type { Deps } from "../deps.ts";
import { isWithinLimit } from "./first-limiter.ts";
import { beyondLimit } from "./rate-limit.ts";

/** Writes of a signed-in user, as the binding USER_RATE_LIMITER is configured in wrangler.toml. */
export const writesPerMinute = { count: 60, windowMs: 60_000 } as const;

/**
 * Counts a write against the minute's limit of a user (or of one session of theirs), before anything is read or written.
 * A limiter that fails refuses nothing.
 *
 * @throws AppError `rate_limit_exceeded`.
 */
export async function countWrite(deps: Pick<Deps, "userRateLimiter" | "log">, key: string): Promise<void> {
  if (await isWithinLimit(deps, deps.userRateLimiter, key)) return;
  throw beyondLimit("writes", writesPerMinute, writesPerMinute.windowMs / 1000, "writes of one user in a minute");
}
