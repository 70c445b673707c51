/** A limit as the client may see it: attempts left, and seconds until there are more. */
export interface RateLimit {
  remaining: number;
  resetSeconds: number;
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). */
export function rateLimitHeaders(
  name: string,
  policy: { count: number; windowMs: number },
  { remaining, resetSeconds }: RateLimit,
): Record<string, string> {
  return {
    "RateLimit-Policy": `"${name}";q=${policy.count};w=${policy.windowMs / 1000}`,
    RateLimit: `"${name}";r=${remaining};t=${resetSeconds}`,
  };
}
