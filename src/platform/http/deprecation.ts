import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./app-env.ts";

/** Says in every response that the route is deprecated (RFC 9745) and when it ends (RFC 8594). */
export function announceDeprecation({ since, sunset }: { since: string; sunset: string }): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    c.header("Deprecation", `@${Date.parse(since) / 1000}`);
    c.header("Sunset", new Date(sunset).toUTCString());
    await next();
  };
}
