import type { Context, MiddlewareHandler } from "hono";
import { atHome, type HomeKey } from "../data/homes.ts";
import type { Operation } from "../openapi/operation.ts";
import type { AppEnv } from "./app-env.ts";
import { readLocale } from "./client.ts";
import type { Guard } from "./endpoint.ts";
import { type RateLimitGroup, rateLimitByNetwork } from "./first-limiter.ts";
import type { Text } from "./locale.ts";

/** What a raw route is: its address, its limit and its description. */
export interface RawSpec<Caller> {
  method: "get" | "post";
  /** Path from the root, as in `/api/docs/{file}`. */
  path: string;
  /** The path in the router's syntax; derived from `path` if absent. */
  pattern?: string;
  /**
   * Counts every call in the first limiter, before the guard; or in the handler, by `countNetworkCall`, if the response
   * to a full bucket depends on the request.
   */
  rateLimitByNetwork?: { group: RateLimitGroup; isCountedByHandler?: true };
  /** Whose data a call concerns; or `handler` if only the handler can tell, which then calls `atHome` itself. */
  home: "none" | "every" | "handler" | ((caller: Caller) => HomeKey);
  /** The operation for the OpenAPI document; absent if the document omits the route. */
  describe?(): Operation;
}

/** An endpoint that builds its own response, such as a redirect, a page or a file, instead of the JSON envelope. */
export interface RawEndpoint<Caller> {
  spec: RawSpec<Caller>;
  respond(c: Context<AppEnv>, caller: Caller): Response | Promise<Response>;
  /** Has no value. As in `Endpoint`, it makes the type invariant. */
  readonly caller?: (caller: Caller) => Caller;
}

/** Returns a function that declares a raw endpoint for callers of type `Caller`. */
export function rawEndpointFor<Caller>() {
  return (spec: RawSpec<Caller>, respond: RawEndpoint<Caller>["respond"]): RawEndpoint<Caller> => ({ spec, respond });
}

/** Declares a raw endpoint that anyone may call. */
export const publicRawEndpoint = rawEndpointFor<undefined>();

/** The JSON envelope with a message in the language of the request; sets the header that names the language. */
export function successBody<Data>(c: Context<AppEnv>, message: Text, data: Data) {
  const locale = readLocale(c);
  c.header("Content-Language", locale);
  return { success: true as const, message: message[locale], data };
}

/** The handlers of a raw endpoint behind its guard. */
export function guardRaw<Caller>(guard: Guard<Caller>, { spec, respond }: RawEndpoint<Caller>) {
  const answer: MiddlewareHandler<AppEnv> = async (c) => {
    const deps = c.get("deps");
    const caller = await guard.authorize(deps, c);
    if (spec.home === "handler") return respond(c, caller);
    return atHome(deps, typeof spec.home === "string" ? spec.home : spec.home(caller), async (home) => {
      c.set("deps", home);
      return respond(c, caller);
    });
  };
  const limit = spec.rateLimitByNetwork;
  return [...(limit && !limit.isCountedByHandler ? [rateLimitByNetwork(limit.group)] : []), answer];
}
