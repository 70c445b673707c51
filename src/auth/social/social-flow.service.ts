import { CodeChallengeMethod, OAuth2Client } from "arctic";
import { base64url } from "jose";
import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { FieldErrors } from "../../platform/http/field-errors.ts";
import { decryptEphemeral, encryptEphemeral } from "../../platform/sealed.ts";
import { findProvider, type ProviderName, type SocialProvider } from "./social-provider.ts";

/** Time limit for the person at the provider, in seconds. */
export const FLOW_TTL_SECONDS = 600;

/** Content of the encrypted `flow` parameter of the login URL. */
const loginSchema = z.object({
  redirectUri: z.string().nullable(),
  codeChallenge: z.string().nullable(),
  /** The app's own `state`, which is returned to it (RFC 6749 section 4.1.1). */
  appState: z.string().nullable(),
  expiresAt: z.number(),
});

/** Content of the encrypted flow cookie. */
const flowSchema = loginSchema.extend({
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  /** Shows `social/success` that the request comes from the browser that started the flow. */
  secret: z.string(),
});
/** A browser flow, as stored in its cookie. */
export type Flow = z.infer<typeof flowSchema>;

/** Encryption contexts. */
const LOGIN = "social login";
const FLOW = "social flow";

/** 256 random bits, base64url. */
export const random = (deps: Deps) => base64url.encode(deps.randomBytes(32));

/**
 * The URL at this service where a browser starts to sign in.
 *
 * @throws AppError `not_found` if the provider is not configured; `validation_error` for a redirect URI that is not
 *   exactly a configured one (RFC 9700 section 4.1) or comes without a code challenge.
 */
export async function createFlow(
  deps: Deps,
  name: ProviderName,
  request: { redirect_uri?: string | undefined; code_challenge?: string | undefined; state?: string | undefined },
): Promise<string> {
  findProvider(deps.config, name);
  const { redirect_uri: redirectUri, code_challenge: codeChallenge, state: appState } = request;
  const isAllowed = redirectUri === undefined || deps.config.social.redirectUris.includes(redirectUri);
  const isProvable = redirectUri === undefined || codeChallenge !== undefined;
  if (!isAllowed || !isProvable) {
    const fields: FieldErrors = {
      ...(isAllowed ? {} : { redirect_uri: [{ code: "redirect_uri_not_allowed" }] }),
      ...(isProvable ? {} : { code_challenge: [{ code: "required_with_redirect_uri" }] }),
    };
    throw new AppError("validation_error", { fields });
  }
  const expiresAt = deps.now() + FLOW_TTL_SECONDS * 1000;
  const login = {
    redirectUri: redirectUri ?? null,
    codeChallenge: codeChallenge ?? null,
    appState: appState ?? null,
    expiresAt,
  };
  const url = new URL(`/api/auth/${name}/start`, deps.config.issuer);
  url.searchParams.set("flow", await encryptEphemeral(deps, `${LOGIN} ${name}`, login));
  return url.href;
}

/** The login URL of every configured provider, for a person who starts again. */
export function createFlows(deps: Deps): Promise<{ name: ProviderName; url: string }[]> {
  const names = (["google", "apple"] as const).filter((name) => deps.config.social[name] !== undefined);
  return Promise.all(names.map(async (name) => ({ name, url: await createFlow(deps, name, {}) })));
}

/**
 * Starts the flow that `createFlow` made.
 *
 * @param login the URL's `flow` parameter.
 * @returns the provider's URL, the flow's state and the flow cookie's content.
 * @throws AppError `social_auth_failed` if `login` is invalid or expired.
 */
export async function startFlow(deps: Deps, name: ProviderName, login: string) {
  const provider = findProvider(deps.config, name);
  const parsed = loginSchema.safeParse(await decryptEphemeral(deps, `${LOGIN} ${name}`, login));
  if (!parsed.success || parsed.data.expiresAt <= deps.now()) throw failed("invalid or expired login URL");
  const expiresAt = deps.now() + FLOW_TTL_SECONDS * 1000;
  const flow: Flow = {
    ...parsed.data,
    expiresAt,
    state: random(deps),
    nonce: random(deps),
    codeVerifier: random(deps),
    secret: random(deps),
  };
  return {
    state: flow.state,
    cookie: await encryptEphemeral(deps, `${FLOW} ${name}`, flow),
    location: authorizationUrl(deps, provider, flow),
  };
}

/** The redirect URI of this service at the provider. */
export const callbackUrl = (deps: Pick<Deps, "config">, name: ProviderName) =>
  new URL(`/api/auth/${name}/callback`, deps.config.issuer).href;

function authorizationUrl(deps: Deps, { name, settings, scopes }: SocialProvider, flow: Flow): string {
  const client = new OAuth2Client(settings.clientId, null, callbackUrl(deps, name));
  const { authorization } = settings.endpoints;
  // Apple does not support PKCE; state, nonce and the cookie protect its flow.
  const url =
    name === "google"
      ? client.createAuthorizationURLWithPKCE(
          authorization,
          flow.state,
          CodeChallengeMethod.S256,
          flow.codeVerifier,
          scopes,
        )
      : client.createAuthorizationURL(authorization, flow.state, scopes);
  url.searchParams.set("nonce", flow.nonce);
  if (name === "apple") url.searchParams.set("response_mode", "form_post");
  return url.href;
}

/** The flow in a browser's cookie, even if it has expired; undefined if the cookie is absent or was altered. */
export async function openFlow(deps: Deps, name: ProviderName, cookie: string | undefined): Promise<Flow | undefined> {
  if (cookie === undefined) return undefined;
  const parsed = flowSchema.safeParse(await decryptEphemeral(deps, `${FLOW} ${name}`, cookie));
  return parsed.success ? parsed.data : undefined;
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason });
