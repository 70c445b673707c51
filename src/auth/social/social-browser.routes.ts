import type { Context, Hono } from "hono";
import { z } from "zod";
import { atHome } from "../../platform/data/homes.ts";
import type { AppEnv } from "../../platform/http/app-env.ts";
import { type Fields, readFields } from "../../platform/http/body.ts";
import { originOf, prefersHtml } from "../../platform/http/client.ts";
import { readQuery, textsOf } from "../../platform/http/endpoint-body.ts";
import { AppError, type ErrorCode, errorCatalogue } from "../../platform/http/errors.ts";
import { countNetworkCall } from "../../platform/http/first-limiter.ts";
import { Misfit } from "../../platform/http/multipart.ts";
import { publicRawEndpoint } from "../../platform/http/raw-endpoint.ts";
import { EVERY_ROUTE, type Operation } from "../../platform/openapi/operation.ts";
import { atCalledHost } from "./called-host.ts";
import { addFlowCookie, readFlowCookie } from "./flow-cookies.ts";
import { answerCallback } from "./social-callback.service.ts";
import { startFlow } from "./social-flow.service.ts";
import { answerPeople } from "./social-page.ts";
import type { ProviderName } from "./social-provider.ts";

const tag = "Google and Apple";

const callbackFields = z.object({
  code: z.string().optional().meta({ description: "The provider's authorization code." }),
  state: z.string().optional().meta({ description: "The state that the flow sent to the provider." }),
  error: z.string().optional().meta({ description: "Why the provider did not sign the user in." }),
  iss: z.string().optional().meta({ description: "The provider's issuer (RFC 9207)." }),
  user: z.string().optional().meta({ description: "The name, as JSON; Apple sends it at the first sign-in only." }),
});

/** Mounts the HTML pages of the routes at which a browser flow can end. Must come before the routes themselves. */
export function mountSocialPages(app: Hono<AppEnv>): void {
  for (const name of ["google", "apple"]) app.get(`/api/auth/${name}/start`, answerPeople);
  app.get("/api/auth/google/callback", answerPeople);
  app.post("/api/auth/apple/callback", answerPeople);
  // POST social/success always returns JSON, because apps call it with any Accept header.
  app.get("/api/auth/social/success", answerPeople);
  app.get("/api/auth/social/error", answerPeople);
}

// The browser's part of the sign-in flow, which uses redirects and cookies instead of JSON.

function startRoute(name: ProviderName, displayName: string) {
  const path = `/api/auth/${name}/start`;
  return publicRawEndpoint(
    {
      method: "get",
      path,
      home: "none",
      describe: () =>
        describeRedirect({
          operationId: `open${displayName}SignIn`,
          summary: `Start signing in with ${displayName} in the browser`,
          description:
            "Sets the cookie of the flow and redirects to the provider. Clients get this address as `login_url`; they " +
            "do not build it.",
          query: z.object({ flow: z.string().optional().meta({ description: "The flow, as `login_url` names it." }) }),
        }),
      rateLimitByNetwork: { group: "social-start" },
    },
    async (c) => {
      const { state, cookie, location } = await startFlow(depsOf(c), name, textsOf(readQuery(c.req)).flow ?? "");
      addFlowCookie(c, name, state, cookie);
      return c.redirect(location, 303);
    },
  );
}

export const googleStart = startRoute("google", "Google");
export const appleStart = startRoute("apple", "Apple");

export const googleCallback = publicRawEndpoint(
  {
    method: "get",
    path: "/api/auth/google/callback",
    home: "handler",
    describe: () =>
      describeRedirect({
        operationId: "receiveGoogleCallback",
        summary: "Google callback",
        description: "Google redirects the browser here after the sign-in. Apps do not call this route.",
        query: callbackFields.omit({ user: true }),
      }),
    rateLimitByNetwork: { group: "social-token", isCountedByHandler: true },
  },
  (c) => answer(c, "google", readQuery(c.req)),
);

export const appleCallback = publicRawEndpoint(
  {
    method: "post",
    path: "/api/auth/apple/callback",
    home: "handler",
    describe: () =>
      describeRedirect({
        operationId: "receiveAppleCallback",
        summary: "Apple callback",
        description:
          "The browser posts Apple's response here after the sign-in, as an urlencoded form with these fields. Apps do " +
          "not call this route.",
        body: { schema: callbackFields, isRequired: false, example: { error: "user_cancelled_authorize" } },
        errors: ["validation_error", "payload_too_large", "unsupported_media_type"],
      }),
    rateLimitByNetwork: { group: "social-token", isCountedByHandler: true },
  },
  async (c) => answer(c, "apple", await readFields(c.req)),
);

export const getSocialError = publicRawEndpoint(
  {
    method: "get",
    path: "/api/auth/social/error",
    home: "none",
    describe: () => ({
      tag,
      operationId: "showSignInError",
      summary: "Sign-in error page",
      description:
        "The flow sends the browser here if a sign-in fails and no app is waiting for it. Responds with the error in " +
        "`error`; a browser whose `Accept` prefers HTML gets a page.",
      query: z.object({
        error: z.string().optional().meta({ description: "Why the sign-in failed." }),
        error_description: z.string().optional().meta({ description: "Ignored." }),
      }),
      responses: {},
      errors: ["social_auth_failed", "access_denied", ...EVERY_ROUTE],
    }),
  },
  (c) => {
    const given = textsOf(readQuery(c.req)).error;
    if (given === "access_denied") throw new AppError("access_denied");
    // Anybody can request this page with any code, so it reports an outage in its text and never with a 5xx status.
    const { message } =
      errorCatalogue[given === "temporarily_unavailable" ? "service_unavailable" : "social_auth_failed"];
    throw new AppError("social_auth_failed", { message });
  },
);

const depsOf = (c: Context<AppEnv>) => atCalledHost(c.get("deps"), originOf(c.req.url));

async function answer(c: Context<AppEnv>, name: ProviderName, fields: Fields): Promise<Response> {
  const texts = callbackFields.parse(textsOf(fields));
  // A malformed field fails the flow; the others still tell which flow it is.
  const given = { ...texts, malformed: callbackFields.keyof().options.find((field) => isMalformed(fields, field)) };
  const flow = { issued: given.state ?? "" };
  const location = await atHome(depsOf(c), flow, (deps) =>
    answerCallback(deps, name, readFlowCookie(c, name, given.state), given, {
      admit: () => countNetworkCall(c, "social-token"),
      isPerson: prefersHtml(c),
    }),
  );
  return c.redirect(location, 303);
}

/**
 * Whether a field is not text or was sent more than once (RFC 6749 section 3.1). A name that is not text counts as
 * absent, because nothing depends on it.
 */
function isMalformed(fields: Fields, field: keyof z.infer<typeof callbackFields>): boolean {
  const value = fields[field];
  if (field === "user") return value instanceof Misfit && value.code === "sent_twice";
  return value !== undefined && typeof value !== "string";
}

function describeRedirect(
  given: Pick<Operation, "operationId" | "summary" | "description" | "query" | "body"> & { errors?: ErrorCode[] },
): Operation {
  return {
    ...given,
    tag,
    responses: {
      303: {
        description: "Redirect to the provider, the app, the success page or the error page.",
        headers: ["Location"],
      },
    },
    errors: ["social_auth_failed", "not_found", "rate_limit_exceeded", ...EVERY_ROUTE, ...(given.errors ?? [])],
  };
}
