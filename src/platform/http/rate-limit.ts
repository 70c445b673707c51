import { AppError } from "./errors.ts";

/** A limit as the client may see it: attempts left, and seconds until there are more. */
export interface RateLimit {
  remaining: number;
  resetSeconds: number;
}

/** Calls allowed in a window of that length. */
export interface RateLimitPolicy {
  count: number;
  windowMs: number;
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). */
export function rateLimitHeaders(
  name: string,
  policy: RateLimitPolicy,
  { remaining, resetSeconds }: RateLimit,
): Record<string, string> {
  return {
    "RateLimit-Policy": `"${name}";q=${policy.count};w=${policy.windowMs / 1000}`,
    RateLimit: `"${name}";r=${remaining};t=${resetSeconds}`,
  };
}

/** `rate_limit_exceeded` with the seconds to wait (at least 1) and the limit that was reached. */
export function beyondLimit(name: string, policy: RateLimitPolicy, waitSeconds: number, reason: string): AppError {
  const resetSeconds = Math.max(1, waitSeconds);
  const headers = rateLimitHeaders(name, policy, { remaining: 0, resetSeconds });
  return new AppError("rate_limit_exceeded", { reason, retryAfterSeconds: resetSeconds, headers });
}
