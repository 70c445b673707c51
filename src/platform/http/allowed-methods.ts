import type { MiddlewareHandler } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { AppEnv } from "./app-env.ts";
import { AppError } from "./errors.ts";

/** Methods that the address with this pattern, in the router's syntax, accepts. */
interface Address {
  pattern: string;
  methods: readonly string[];
}

/**
 * Refuses methods that no route of the path accepts. A HEAD never runs the handler of a GET that does not accept it.
 *
 * @throws AppError `method_not_allowed`, with the accepted methods in `Allow`.
 */
export function refuseOtherMethods(addresses: readonly Address[]): MiddlewareHandler<AppEnv> {
  const router = new TrieRouter<readonly string[]>();
  for (const { pattern, methods } of addresses) router.add("ALL", pattern, methods);
  return async (c, next) => {
    const allowed = new Set(router.match("ALL", c.req.path)[0].flatMap(([methods]) => methods));
    if (allowed.size > 0 && !allowed.has(c.req.method)) {
      throw new AppError("method_not_allowed", { headers: { Allow: [...allowed].join(", ") } });
    }
    await next();
  };
}
