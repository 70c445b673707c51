import type { Hono, MiddlewareHandler } from "hono";
import { z } from "zod";
import { describeEndpoint, type Operation } from "../openapi/operation.ts";
import { refuseOtherMethods } from "./allowed-methods.ts";
import type { AppEnv } from "./app-env.ts";
import { type Endpoint, type Guard, guarded } from "./endpoint.ts";
import type { RateLimitGroup } from "./first-limiter.ts";
import { guardRaw, type RawEndpoint } from "./raw-endpoint.ts";

/** Where endpoints with the JSON envelope are mounted unless they say otherwise. */
const API_BASE = "/api";

type RouteName = `${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`;

/**
 * What the first limiters count:
 * - `otp/network`: every call, by network, in the bucket `otp`.
 * - `sign-in-refusals/network`: only refused calls.
 * - `writes/user`, `writes/session`: writes, by user or by session.
 * - `writes/service`: writes, counted by the route's service once it knows that the call reaches the database.
 * - `-`: nothing.
 */
export type RouteLimit = `${RateLimitGroup}/network` | "writes/user" | "writes/session" | "writes/service" | "-";

/** One line of the route table. `name` and `limit` repeat the endpoint's declaration; a test compares them. */
export interface Route {
  name: RouteName;
  limit: RouteLimit;
  guard: Pick<Guard<unknown>, "name" | "refusePath">;
  declared: { method: string; path: string; limits: string[] };
  /** Path in the router's syntax. */
  pattern: string;
  /** Methods that the route accepts: a GET that has an effect or is counted by the first limiter accepts no HEAD. */
  methods: string[];
  handlers: MiddlewareHandler<AppEnv>[];
  /** The operation for the OpenAPI document; absent if the document omits the route. */
  describe?: () => Operation;
}

/** Puts an endpoint behind the guard it was declared for; another guard does not compile. */
export function route<Caller>(
  name: RouteName,
  limit: RouteLimit,
  guard: Guard<Caller>,
  endpoint: Endpoint<Caller> | RawEndpoint<Caller>,
): Route {
  if ("respond" in endpoint) return rawRoute(name, limit, guard, endpoint);
  const { spec } = endpoint;
  const protectedEndpoint = guarded(guard, endpoint);
  const isWrite = guard.writer !== undefined && spec.method !== "get";
  return {
    name,
    limit,
    guard,
    declared: {
      method: spec.method,
      path: (spec.base ?? API_BASE) + spec.path,
      limits: [
        ...(spec.rateLimitByNetwork ? [`${spec.rateLimitByNetwork.group}/network`] : []),
        ...(spec.rateLimitFailures ? [`${spec.rateLimitFailures.group}/network`] : []),
        ...(isWrite ? [`writes/${spec.rateLimitWrites ?? "user"}`] : []),
      ],
    },
    pattern: (spec.base ?? API_BASE) + patternOf(spec.path, spec.params),
    methods: methodsOf(spec.method, spec.hasEffect || spec.rateLimitByNetwork !== undefined),
    handlers: protectedEndpoint.handlers,
    describe: () => describeEndpoint(protectedEndpoint),
  };
}

const methodsOf = (method: string, refusesHead = false) =>
  method === "get" && !refusesHead ? ["GET", "HEAD"] : [method.toUpperCase()];

function rawRoute<Caller>(name: RouteName, limit: RouteLimit, guard: Guard<Caller>, raw: RawEndpoint<Caller>): Route {
  const { method, path, pattern = patternOf(path), rateLimitByNetwork, describe: operation } = raw.spec;
  return {
    name,
    limit,
    guard,
    declared: { method, path, limits: rateLimitByNetwork ? [`${rateLimitByNetwork.group}/network`] : [] },
    pattern,
    methods: methodsOf(method, rateLimitByNetwork !== undefined),
    handlers: guardRaw(guard, raw),
    ...(operation ? { describe: operation } : {}),
  };
}

/** The routes that the OpenAPI document describes. */
export function describedRoutes(routes: readonly Route[]) {
  return routes.flatMap(({ declared, describe }) =>
    describe ? [{ method: declared.method, path: declared.path, operation: describe() }] : [],
  );
}

/** Mounts the routes in the given order, and 405 for other methods of their paths. */
export function mount(app: Hono<AppEnv>, routes: readonly Route[]): void {
  for (const { guard, pattern } of routes) if (guard.refusePath) app.use(pattern, guard.refusePath);
  app.use(refuseOtherMethods(routes));
  for (const { declared, pattern, handlers } of routes) {
    app.on([declared.method.toUpperCase()], [pattern], ...handlers);
  }
}

/**
 * Path in the router's syntax. An id parameter matches only characters of a UUID, so that it does not shadow other
 * routes.
 */
function patternOf(path: string, params?: z.ZodType): string {
  const isId = (name: string) => params instanceof z.ZodObject && params.shape[name] instanceof z.ZodUUID;
  return path.replaceAll(/\{(.+?)\}/g, (_, name: string) => (isId(name) ? `:${name}{[0-9a-fA-F-]+}` : `:${name}`));
}
