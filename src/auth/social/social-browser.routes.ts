import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { readFields } from "../../platform/http/body.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import { rateLimitByNetwork } from "../../platform/http/first-limiter.ts";
import { deferDescription, EVERY_ROUTE, failures } from "../../platform/http/openapi.ts";
import { FLOW_COOKIES } from "./social-flow.guard.ts";
import { answerCallback, FLOW_TTL_SECONDS, startFlow } from "./social-flow.service.ts";
import type { ProviderName } from "./social-provider.ts";

const tag = "Google and Apple";

const callbackFields = z.object({
  code: z.string().optional(),
  state: z.string().optional(),
  error: z.string().optional(),
  iss: z.string().optional(),
  user: z.string().optional(),
});

/** Codes that the error page passes on; any other is `social_auth_failed`. */
const knownErrors: readonly string[] = ["access_denied", "social_auth_failed"] satisfies ErrorCode[];

/** Mounts the part of the flow that browsers walk through: redirects and cookies instead of JSON. */
export function mountSocialFlow(app: OpenAPIHono<AppEnv>): void {
  for (const name of ["google", "apple"] as const) {
    describeRedirect(app, "get", `/api/auth/${name}/start`, "Go to the provider, with the flow's cookie");
    app.get(`/api/auth/${name}/start`, rateLimitByNetwork("social-start"), async (c) => {
      const { cookie, location } = await startFlow(c.get("deps"), name, c.req.query("flow") ?? "");
      setCookie(c, FLOW_COOKIES[name], cookie, {
        prefix: "host",
        path: "/",
        secure: true,
        httpOnly: true,
        // Apple answers by a POST from its own site, which carries no other kind of cookie.
        sameSite: name === "apple" ? "None" : "Lax",
        maxAge: FLOW_TTL_SECONDS,
      });
      return c.redirect(location, 303);
    });
  }
  describeRedirect(app, "get", "/api/auth/google/callback", "Where Google sends the browser back to");
  app.get("/api/auth/google/callback", rateLimitByNetwork("social-token"), (c) => {
    // A link preview that asks for the head alone must not use the state up.
    if (c.req.method === "HEAD") throw new AppError("method_not_allowed", { headers: { Allow: "GET" } });
    return answer(c, "google", c.req.query());
  });
  describeRedirect(app, "post", "/api/auth/apple/callback", "Where Apple sends the browser back to", [
    "validation_error",
    "payload_too_large",
    "unsupported_media_type",
  ]);
  app.post("/api/auth/apple/callback", rateLimitByNetwork("social-token"), async (c) =>
    answer(c, "apple", await readFields(c.req)),
  );
  deferDescription(app, () =>
    createRoute({
      method: "get",
      path: "/api/auth/social/error",
      tags: [tag],
      operationId: "getAuthSocialError",
      summary: "Why signing in did not work",
      request: { query: z.object({ error: z.string().optional(), error_description: z.string().optional() }) },
      responses: failures(["social_auth_failed", "access_denied", ...EVERY_ROUTE]),
    }),
  );
  app.get("/api/auth/social/error", (c) => {
    const given = c.req.query("error") ?? "";
    throw new AppError(knownErrors.includes(given) ? (given as ErrorCode) : "social_auth_failed");
  });
}

async function answer(c: Context<AppEnv>, name: ProviderName, fields: Record<string, unknown>): Promise<Response> {
  const given = callbackFields.safeParse(fields);
  const cookie = getCookie(c, FLOW_COOKIES[name], "host");
  const location = await answerCallback(c.get("deps"), name, cookie, given.success ? given.data : {});
  return c.redirect(location, 303);
}

function describeRedirect(
  app: OpenAPIHono<AppEnv>,
  method: "get" | "post",
  path: string,
  summary: string,
  more: ErrorCode[] = [],
): void {
  const words = path.split(/[^a-z]+/).slice(2);
  deferDescription(app, () =>
    createRoute({
      method,
      path,
      tags: [tag],
      operationId: method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(""),
      summary,
      responses: {
        303: { description: "On to the provider, the app, the success or the error page." },
        ...failures(["social_auth_failed", "not_found", "rate_limit_exceeded", ...EVERY_ROUTE, ...more]),
      },
    }),
  );
}
