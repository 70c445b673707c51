import { AppError } from "./errors.ts";

/** State of a limit: calls left, and seconds until it resets. */
export interface RateLimit {
  remaining: number;
  resetSeconds: number;
}

/** Number of calls allowed per window. */
export interface RateLimitPolicy {
  count: number;
  windowMs: number;
}

/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). Without calls left it says at least 1 s: the
 * wait may have ended while the call was under way.
 */
export function rateLimitHeaders(
  name: string,
  policy: RateLimitPolicy,
  { remaining, resetSeconds }: RateLimit,
): Record<string, string> {
  const seconds = remaining > 0 ? resetSeconds : Math.max(1, resetSeconds);
  return {
    "RateLimit-Policy": `"${name}";q=${policy.count};w=${policy.windowMs / 1000}`,
    RateLimit: `"${name}";r=${remaining};t=${seconds}`,
  };
}

/** Builds a `rate_limit_exceeded` error with the seconds to wait and the limit that was reached. */
export function beyondLimit(name: string, policy: RateLimitPolicy, waitSeconds: number, reason: string): AppError {
  const headers = rateLimitHeaders(name, policy, { remaining: 0, resetSeconds: waitSeconds });
  return new AppError("rate_limit_exceeded", { reason, retryAfterSeconds: waitSeconds, headers });
}
