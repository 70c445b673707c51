import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { matchedRoutes } from "hono/route";
import { z } from "zod";
import { raiseAlert } from "../alerts.ts";
import { ConfigError } from "../config/config.ts";
import { buildDeps } from "../deps.ts";
import { describeError, jsonLog } from "../log.ts";
import type { AppEnv } from "./app-env.ts";
import { readIp } from "./client.ts";
import { AppError } from "./errors.ts";

const REQUEST_ID = "X-Request-Id";

/** What is kept of a caller's own ids. */
const KNOWN_ID = /^[\w\-=]{1,128}$/;

/** A caller's id of letters, digits, `-`, `_` and `=` is kept; it is echoed and logged and decides nothing. */
export const identifyRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
  const given = c.req.header(REQUEST_ID) ?? "";
  c.set("requestId", KNOWN_ID.test(given) ? given : crypto.randomUUID());
  await next();
};

/** Writes one line for each request, with its route's pattern: paths and queries may hold identifiers. */
export const logRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
  const startedAt = Date.now();
  c.set("log", jsonLog(Date.now, { request_id: c.get("requestId") }));
  await next();
  c.get("log").info("request", {
    method: c.req.method,
    path: patternOf(c),
    target_id: targetOf(c),
    ip: readIp(c),
    ...idsOf(c.get("caller")),
    status: c.res.status,
    duration_ms: Date.now() - startedAt,
    code: c.get("outcome")?.code,
    reason: c.get("outcome")?.reason,
  });
};

/** The pattern of the route that the request met, as `/api/users/:id`; `unmatched` where it met none. */
function patternOf(c: Context<AppEnv>): string {
  const route = matchedRoutes(c).findLast(({ path }) => path !== "/*" && path !== "*");
  return route?.path.replaceAll(/\{[^}]*\}/g, "") ?? "unmatched";
}

/** The UUID in the path, which names a row and tells nothing of a person; undefined for anything else there. */
function targetOf(c: Context<AppEnv>): string | undefined {
  const id = z.uuid().safeParse(c.req.param("id"));
  return id.success ? id.data : undefined;
}

/** Ids that a guard may have found. */
const caller = z.object({ userId: z.string(), sessionId: z.string() });

function idsOf(found: unknown): { user_id?: string; session_id?: string } {
  if (found === undefined) return {};
  const ids = caller.safeParse(found);
  return ids.success ? { user_id: ids.data.userId, session_id: ids.data.sessionId } : {};
}

/** What every answer says. */
const RULES = Object.entries({
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Opener-Policy": "same-origin",
});

/** What an answer says whose handler says nothing else. */
const DEFAULTS = Object.entries({
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
});

/** The request's id, HSTS, nosniff, referrer and framing rules, and no caching unless the handler allowed it (ASVS 3.4, 14.3.2). */
export const protectResponse: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  // Answers of the assets' own come without what was set before them.
  headers.set(REQUEST_ID, c.get("requestId"));
  for (const [name, value] of RULES) headers.set(name, value);
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value);
  if (c.req.url.startsWith("https:")) {
    headers.set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
  }
};

/** Builds the invocation's dependencies; with an unfit configuration every route answers 503 and the log says why. */
export const provideDeps: MiddlewareHandler<AppEnv> = async (c, next) => {
  try {
    c.set("deps", await buildDeps(c.env, c.executionCtx, c.get("requestId")));
  } catch (error) {
    const reason = error instanceof ConfigError ? error.message : describeError(error);
    raiseAlert({ log: c.get("log") }, "configuration_refused", { reason });
    throw new AppError("service_unavailable", { reason, retryAfterSeconds: 60 });
  }
  await next();
};

/**
 * Outside development, refuses every request over plain http: a redirect would teach clients to send their tokens in the
 * clear first. The scheme is the URL's, which Cloudflare sets; X-Forwarded-Proto is the caller's own word.
 *
 * @throws AppError `https_required`.
 */
export const requireHttps: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { isDevelopment } = c.get("deps").config;
  if (!isDevelopment && !c.req.url.startsWith("https:")) throw new AppError("https_required");
  await next();
};

/** Browsers of exactly the configured origins may read answers. Whoever names no origin is no browser that asks. */
export const allowOrigins: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method !== "OPTIONS" && c.req.header("Origin") === undefined) {
    await next();
    // What a cache keeps of this is not for those who do. Hono's own way would make the response anew.
    c.res.headers.append("Vary", "Origin");
    return;
  }
  return cors({
    origin: c.get("deps").config.corsOrigins,
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: ["Authorization", "Content-Type", "Accept-Language", "Idempotency-Key", REQUEST_ID],
    exposeHeaders: [REQUEST_ID, "Retry-After", "RateLimit", "RateLimit-Policy"],
    maxAge: 3600,
  })(c, next);
};

/** Outside development there is nothing here, whatever the method. */
export const developmentOnly: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (!c.get("deps").config.isDevelopment) throw new AppError("not_found");
  await next();
};
