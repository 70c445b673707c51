import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { readFields } from "../../platform/http/body.ts";
import { AppError, type ErrorCode } from "../../platform/http/errors.ts";
import { EVERY_ROUTE, failures } from "../../platform/http/openapi.ts";
import { publicRawEndpoint } from "../../platform/http/raw-endpoint.ts";
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

/** Error codes that the error page passes on; any other becomes `social_auth_failed`. */
const knownErrors: readonly string[] = ["access_denied", "social_auth_failed"] satisfies ErrorCode[];

// The browser's part of the sign-in flow, which uses redirects and cookies instead of JSON.

function startRoute(name: ProviderName, displayName: string) {
  const path = `/api/auth/${name}/start`;
  return publicRawEndpoint(
    {
      method: "get",
      path,
      describe: () =>
        describeRedirect("get", path, {
          summary: `Start a ${displayName} sign-in in the browser`,
          description:
            "Sets the cookie of the flow and redirects to the provider. Clients get this address as `login_url`.",
        }),
      rateLimitByNetwork: { group: "social-start" },
    },
    async (c) => {
      const { cookie, location } = await startFlow(c.get("deps"), name, c.req.query("flow") ?? "");
      setCookie(c, FLOW_COOKIES[name], cookie, {
        prefix: "host",
        path: "/",
        secure: true,
        httpOnly: true,
        // Apple posts the callback cross-site; browsers send only SameSite=None cookies with such a request.
        sameSite: name === "apple" ? "None" : "Lax",
        maxAge: FLOW_TTL_SECONDS,
      });
      return c.redirect(location, 303);
    },
  );
}

export const googleStart = startRoute("google", "Google");
export const appleStart = startRoute("apple", "Apple");

const googleCallbackPath = "/api/auth/google/callback";

export const googleCallback = publicRawEndpoint(
  {
    method: "get",
    path: googleCallbackPath,
    describe: () =>
      describeRedirect("get", googleCallbackPath, {
        summary: "Google callback",
        description: "Google redirects the browser here after the sign-in. Apps do not call this route.",
      }),
    rateLimitByNetwork: { group: "social-token" },
  },
  (c) => {
    // A link preview's HEAD request must not consume the state.
    if (c.req.method === "HEAD") throw new AppError("method_not_allowed", { headers: { Allow: "GET" } });
    return answer(c, "google", c.req.query());
  },
);

const appleCallbackPath = "/api/auth/apple/callback";

export const appleCallback = publicRawEndpoint(
  {
    method: "post",
    path: appleCallbackPath,
    describe: () =>
      describeRedirect(
        "post",
        appleCallbackPath,
        {
          summary: "Apple callback",
          description: "The browser posts Apple's response here after the sign-in. Apps do not call this route.",
        },
        ["validation_error", "payload_too_large", "unsupported_media_type"],
      ),
    rateLimitByNetwork: { group: "social-token" },
  },
  async (c) => answer(c, "apple", await readFields(c.req)),
);

export const getSocialError = publicRawEndpoint(
  {
    method: "get",
    path: "/api/auth/social/error",
    describe: () => ({
      tags: [tag],
      operationId: "getAuthSocialError",
      summary: "Sign-in error page",
      description:
        "The flow sends the browser here if a sign-in fails and no app is waiting for it. Responds with the error in " +
        "`error`.",
      request: { query: z.object({ error: z.string().optional(), error_description: z.string().optional() }) },
      responses: failures(["social_auth_failed", "access_denied", ...EVERY_ROUTE]),
    }),
  },
  (c) => {
    const code = c.req.query("error") ?? "";
    throw new AppError(knownErrors.includes(code) ? (code as ErrorCode) : "social_auth_failed");
  },
);

async function answer(c: Context<AppEnv>, name: ProviderName, fields: Record<string, unknown>): Promise<Response> {
  const callback = callbackFields.safeParse(fields);
  const cookie = getCookie(c, FLOW_COOKIES[name], "host");
  const location = await answerCallback(c.get("deps"), name, cookie, callback.success ? callback.data : {});
  return c.redirect(location, 303);
}

function describeRedirect(
  method: "get" | "post",
  path: string,
  texts: { summary: string; description: string },
  more: ErrorCode[] = [],
) {
  const words = path.split(/[^a-z]+/).slice(2);
  return {
    tags: [tag],
    operationId: method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(""),
    ...texts,
    responses: {
      303: { description: "Redirect to the provider, the app, the success page or the error page." },
      ...failures(["social_auth_failed", "not_found", "rate_limit_exceeded", ...EVERY_ROUTE, ...more]),
    },
  };
}
