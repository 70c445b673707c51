import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { matchedRoutes } from "hono/route";
import { raiseAlert } from "../alerts.ts";
import { ConfigError } from "../config/config.ts";
import type { Deps } from "../deps.ts";
import { describeError, jsonLog } from "../log.ts";
import type { AppEnv } from "./app-env.ts";
import { readIp } from "./client.ts";
import { AppError } from "./errors.ts";
import { idField } from "./fields.ts";

const REQUEST_ID = "X-Request-Id";

/** Request ids accepted from callers. */
const ACCEPTED_ID = /^[\w\-=]{1,128}$/;

/**
 * Keeps the caller's request id if it consists of at most 128 letters, digits, `-`, `_` and `=`, or creates one. It is
 * echoed and logged, and nothing depends on it.
 */
export const identifyRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
  const given = c.req.header(REQUEST_ID) ?? "";
  c.set("requestId", ACCEPTED_ID.test(given) ? given : crypto.randomUUID());
  await next();
};

/** Logs one line per request, with the route's pattern instead of its path and query, which may contain identifiers. */
export const logRequest: MiddlewareHandler<AppEnv> = async (c, next) => {
  const startedAt = Date.now();
  c.set("log", jsonLog(Date.now, { request_id: c.get("requestId") }));
  await next();
  c.get("log").info("request", {
    method: c.req.method,
    path: patternOf(c),
    target_id: targetOf(c),
    ip: readIp(c),
    ...c.get("callerFields"),
    status: c.res.status,
    duration_ms: Date.now() - startedAt,
    code: c.get("outcome")?.code,
    reason: c.get("outcome")?.reason,
    fields: c.get("outcome")?.fields,
  });
};

/** The pattern of the matched route, such as `/api/users/:id`; `unmatched` if there is none. */
function patternOf(c: Context<AppEnv>): string {
  const route = matchedRoutes(c).findLast(({ path }) => path !== "/*" && path !== "*");
  return route?.path.replaceAll(/\{[^}]*\}/g, "") ?? "unmatched";
}

/** The UUID in the path, a user's id in most staff routes; undefined for any other value. */
function targetOf(c: Context<AppEnv>): string | undefined {
  const id = idField.safeParse(c.req.param("id"));
  return id.success ? id.data : undefined;
}

/** Headers of every response. */
const ALWAYS = Object.entries({
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
});

/** Headers of responses whose handler does not set them. */
const DEFAULTS = Object.entries({
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
});

/** Further headers of HTML documents whose handler does not set them. */
const DOCUMENT_DEFAULTS = Object.entries({
  "X-Frame-Options": "DENY",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
});

/**
 * Sets the request id and the headers above, and HSTS over HTTPS; HTML documents also get the framing, content security
 * and opener policies (ASVS 3.4, 14.3.2). A page that sets `keepsOpener` gets no opener policy, which would cut a popup
 * off from the page that opened it.
 */
export const protectResponse: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  // Set here rather than before the handler, because responses from static assets do not keep earlier headers.
  headers.set(REQUEST_ID, c.get("requestId"));
  for (const [name, value] of ALWAYS) headers.set(name, value);
  const isDocument = headers.get("Content-Type")?.startsWith("text/html") === true;
  for (const [name, value] of isDocument ? [...DEFAULTS, ...DOCUMENT_DEFAULTS] : DEFAULTS) {
    if (!headers.has(name)) headers.set(name, value);
  }
  if (isDocument && !c.get("keepsOpener")) headers.set("Cross-Origin-Opener-Policy", "same-origin");
  if (c.req.url.startsWith("https:")) {
    headers.set("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
  }
};

/**
 * Builds the invocation's dependencies. If the configuration is invalid, every route returns 503 and the log names the
 * reason.
 */
export function provideDeps(
  build: (env: Env, context: Pick<ExecutionContext, "waitUntil">, requestId: string) => Promise<Deps>,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    try {
      c.set("deps", await build(c.env, c.executionCtx, c.get("requestId")));
    } catch (error) {
      const reason = error instanceof ConfigError ? error.message : describeError(error);
      raiseAlert({ log: c.get("log") }, "configuration_refused", { reason });
      throw new AppError("service_unavailable", { reason, retryAfterSeconds: 60 });
    }
    await next();
  };
}

/**
 * Refuses plain HTTP outside development. A redirect would let clients keep sending their tokens unencrypted. The
 * scheme is that of the URL, which Cloudflare sets; X-Forwarded-Proto can be forged by the caller.
 *
 * @throws AppError `https_required`.
 */
export const requireHttps: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { isDevelopment } = c.get("deps").config;
  if (!isDevelopment && !c.req.url.startsWith("https:")) throw new AppError("https_required");
  await next();
};

/** Headers that HTTP clients and tracing tools add by themselves. */
const CLIENT_HEADERS = "X-Requested-With X-CSRFToken Cache-Control traceparent tracestate baggage sentry-trace";
/** Request headers that a page of another origin may set. */
const ALLOWED_HEADERS =
  `Authorization Content-Type Accept-Language Idempotency-Key If-None-Match ${REQUEST_ID} ${CLIENT_HEADERS}`.split(" ");

/** Response headers that a page of another origin may read in addition to those that CORS always allows. */
const EXPOSED_HEADERS =
  `${REQUEST_ID} Retry-After RateLimit RateLimit-Policy WWW-Authenticate Content-Language ETag Deprecation Sunset`.split(
    " ",
  );

/**
 * Lets pages of exactly the configured origins read responses. A request without an Origin header skips CORS: it is
 * same-origin, or of a kind whose response the page cannot read, such as an image or a navigation.
 */
export const allowOrigins: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method !== "OPTIONS" && c.req.header("Origin") === undefined) {
    await next();
    // A cached copy must not be served to requests with an Origin header. `c.header` would copy the response.
    c.res.headers.append("Vary", "Origin");
    return;
  }
  return cors({
    origin: c.get("deps").config.corsOrigins,
    allowMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    allowHeaders: ALLOWED_HEADERS,
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: 3600,
  })(c, next);
};
