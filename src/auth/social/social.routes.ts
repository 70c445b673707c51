import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { optionalText, text, tokenField, withoutControls } from "../../platform/http/fields.ts";
import { publicEndpoint, userEndpoint } from "../../sessions/guard.ts";
import { atCalledHost } from "./called-host.ts";
import { linkSocialAccount, unlinkSocialAccount } from "./social-account.service.ts";
import { flowEndpoint } from "./social-flow.guard.ts";
import { createFlow } from "./social-flow.service.ts";
import type { ProviderName } from "./social-provider.ts";
import { signInByCode, signInByIdToken } from "./social-sign-in.service.ts";
import { describeSignIn, signedInData, welcome } from "./social-sign-in.views.ts";
import { tokenBodies, tokenExamples } from "./social-token.fields.ts";

const tag = "Google and Apple";

const names: Record<ProviderName, string> = { google: "Google", apple: "Apple" };

/** The description of Google's route; Apple's refers to it, so that the OpenAPI document does not repeat it. */
const likeGoogle = (name: ProviderName, description: string) =>
  name === "google" ? description : "Works as with Google.";

/** RFC 7636 section 4.2: SHA-256 in base64url. */
const challenge = z.string().regex(/^[A-Za-z0-9_-]{43}$/, as("not_code_challenge"));
/** RFC 7636 section 4.1. */
const verifier = z.string().regex(/^[A-Za-z0-9._~-]{43,128}$/, as("not_code_verifier"));

/** Maximum length of an app's own `state`. It travels in a cookie, and browsers keep at most 4,096 bytes of one. */
const MAX_STATE_LENGTH = 512;

const startedData = z
  .object({ login_url: z.url(), provider: z.enum(["google", "apple"]), message: z.string() })
  .meta({ id: "StartedSignIn" });
const loginStarted = { en: "Open login_url in a browser.", ne: "login_url ब्राउजरमा खोल्नुहोस्।" };

function loginRoute(name: ProviderName) {
  return publicEndpoint(
    {
      method: "get",
      path: `/auth/${name}/login`,
      home: () => "none",
      operationId: `start${names[name]}SignIn`,
      tag,
      summary: `Start signing in with ${names[name]}`,
      description: likeGoogle(
        name,
        "Open `login_url` in the user's browser. An app sends a configured `redirect_uri` and the S256 challenge of " +
          "its own code verifier (PKCE); the browser returns to `redirect_uri` with a one-time `code`, or with `error`: " +
          "`access_denied`, `temporarily_unavailable`, `server_error` or `social_auth_failed`. The app's `state` comes back too.",
      ),
      query: z.object({
        redirect_uri: z
          .string()
          .optional()
          .meta({ description: "Where the browser returns; one of the configured addresses. Needs `code_challenge`." }),
        code_challenge: challenge
          .optional()
          .meta({ description: "S256 challenge of the app's code verifier (RFC 7636)." }),
        code_challenge_method: z.literal("S256").optional().meta({ description: "The only method." }),
        state: withoutControls(z.string().max(MAX_STATE_LENGTH))
          .optional()
          .meta({ description: "The app's own state; it comes back unchanged." }),
      }),
      data: startedData,
      message: loginStarted,
      errors: ["not_found"],
      rateLimitByNetwork: { group: "social-start" },
    },
    async (deps, { query, client, origin }) => ({
      data: {
        login_url: await createFlow(atCalledHost(deps, origin), name, query),
        provider: name,
        message: loginStarted[client.locale],
      },
    }),
  );
}

export const googleLogin = loginRoute("google");
export const appleLogin = loginRoute("apple");

function tokenRoute(name: ProviderName) {
  return publicEndpoint(
    {
      method: "post",
      path: `/auth/${name}/token`,
      home: ({ body }) => ({ issued: body.id_token }),
      operationId: `signInWith${names[name]}`,
      tag,
      summary: `Sign in with an ID token from the ${names[name]} SDK`,
      description:
        "Creates the account at the first sign-in. An ID token is accepted once, within 10 minutes of its issue.",
      example: tokenExamples[name],
      body: tokenBodies[name],
      data: signedInData,
      message: welcome,
      errors: [
        "social_auth_failed",
        "id_token_stale",
        "link_required",
        "identifier_replaced",
        "account_inactive",
        "not_found",
      ],
      idempotent: true,
      rateLimitByNetwork: { group: "social-token" },
    },
    async (deps, { body, client }) => ({
      data: describeSignIn(await signInByIdToken(deps, client, name, body), client),
    }),
  );
}

export const googleToken = tokenRoute("google");
export const appleToken = tokenRoute("apple");

const codeField = z.string().min(1).max(255);

export const getSocialSuccess = flowEndpoint(
  {
    method: "get",
    path: "/auth/social/success",
    hasEffect: true,
    home: ({ query }) => ({ issued: query.code }),
    operationId: "completeBrowserSignIn",
    tag,
    summary: "Complete a browser sign-in",
    description:
      "Exchanges the one-time code for a session. Requires the cookie of the flow. The code is valid for one minute; " +
      "a call without the right cookie invalidates it. A browser whose `Accept` prefers HTML gets a page without tokens; the " +
      "same call for JSON has them.",
    query: z.object({ code: codeField.meta({ description: "The one-time code of the flow." }) }),
    data: signedInData,
    message: welcome,
    errors: ["social_auth_failed", "link_required", "identifier_replaced", "account_inactive"],
    rateLimitByNetwork: { group: "social-token" },
  },
  async (deps, { query, client, caller }) => ({
    data: describeSignIn(await signInByCode(deps, client, query.code, caller), client),
  }),
);

export const postSocialSuccess = publicEndpoint(
  {
    method: "post",
    path: "/auth/social/success",
    home: ({ body }) => ({ issued: body.code }),
    operationId: "completeAppSignIn",
    tag,
    summary: "Complete an app sign-in",
    description:
      "Exchanges the one-time code for a session. Requires the code verifier whose challenge started the flow. The " +
      "code is valid for one minute; a wrong verifier invalidates it.",
    example: { code: "…", code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },
    body: z.object({ code: text(codeField), code_verifier: text(verifier) }),
    data: signedInData,
    message: welcome,
    errors: ["social_auth_failed", "link_required", "identifier_replaced", "account_inactive"],
    rateLimitByNetwork: { group: "social-token" },
  },
  async (deps, { body, client }) => ({
    data: describeSignIn(await signInByCode(deps, client, body.code, { codeVerifier: body.code_verifier }), client),
  }),
);

const linked = { en: "The account is linked.", ne: "खाता जोडियो।" };

function linkRoute(name: ProviderName) {
  return userEndpoint(
    {
      method: "post",
      path: `/auth/${name}/link`,
      operationId: `link${names[name]}`,
      tag,
      summary: `Link my ${names[name]} account`,
      description: "Lets the user sign in with this provider too. Send `verification_token` if a proof is needed.",
      example: tokenExamples[name],
      body: tokenBodies[name]
        .extend({ verification_token: optionalText(tokenField) })
        .meta({ base: `${names[name]}Token` }),
      data: z.object({ message: z.string() }),
      message: linked,
      errors: [
        "social_auth_failed",
        "id_token_stale",
        "reauthentication_required",
        "conflict",
        "provider_already_linked",
        "not_found",
      ],
    },
    async (deps, { body, client, caller }) => {
      await linkSocialAccount(deps, client, caller, name, body);
      return { data: { message: linked[client.locale] } };
    },
  );
}

export const linkGoogle = linkRoute("google");
export const linkApple = linkRoute("apple");

const unlinked = { en: "The account is no longer linked.", ne: "खाता हटाइयो।" };

function unlinkRoute(name: ProviderName) {
  return userEndpoint(
    {
      method: "delete",
      path: `/auth/${name}/link`,
      operationId: `unlink${names[name]}`,
      tag,
      summary: `Unlink my ${names[name]} account`,
      description: "The user's only way to sign in cannot be unlinked. Send `verification_token` if a proof is needed.",
      example: {},
      body: z.object({ verification_token: optionalText(tokenField) }),
      data: z.object({ message: z.string() }),
      message: unlinked,
      errors: ["reauthentication_required", "last_sign_in_method", "not_found"],
    },
    async (deps, { body, client, caller }) => {
      await unlinkSocialAccount(deps, client, caller, name, body.verification_token);
      return { data: { message: unlinked[client.locale] } };
    },
  );
}

export const unlinkGoogle = unlinkRoute("google");
export const unlinkApple = unlinkRoute("apple");
