import { CodeChallengeMethod, OAuth2Client } from "arctic";
import { base64url } from "jose";
import { z } from "zod";
import { raiseAlert } from "../../platform/alerts.ts";
import { equalInConstantTime, sha256 } from "../../platform/crypto.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError, fieldError } from "../../platform/http/errors.ts";
import { describeError } from "../../platform/log.ts";
import { decryptEphemeral, encryptEphemeral } from "../../platform/sealed.ts";
import { verifyIdToken } from "./id-token.ts";
import { consumeState, storeCode } from "./social-flow.store.ts";
import { findProvider, type ProviderName, type SocialProvider } from "./social-provider.ts";
import { sealRefreshToken } from "./social-refresh-token.ts";
import { exchangeCode } from "./social-token.ts";

/** Time limit for the person at the provider, in seconds. */
export const FLOW_TTL_SECONDS = 600;

/** Content of the encrypted `flow` parameter of the login URL. */
const loginSchema = z.object({
  redirectUri: z.string().nullable(),
  codeChallenge: z.string().nullable(),
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
export type Flow = z.infer<typeof flowSchema>;

/** Encryption contexts. */
const LOGIN = "social order";
const FLOW = "social flow";

/** 256 random bits, base64url. */
const random = (deps: Deps) => base64url.encode(deps.randomBytes(32));

/**
 * The URL at this service where a browser starts to sign in.
 *
 * @throws AppError `not_found` if the provider is not configured; `validation_error` for a redirect URI that is not
 *   exactly a configured one (RFC 9700 section 4.1) or comes without a code challenge.
 */
export async function createFlow(
  deps: Deps,
  name: ProviderName,
  request: { redirect_uri?: string | undefined; code_challenge?: string | undefined },
): Promise<string> {
  findProvider(deps.config, name);
  const { redirect_uri: redirectUri, code_challenge: codeChallenge } = request;
  if (redirectUri !== undefined && !deps.config.social.redirectUris.includes(redirectUri)) {
    throw fieldError("redirect_uri", "redirect_uri_not_allowed");
  }
  if (redirectUri !== undefined && codeChallenge === undefined) {
    throw fieldError("code_challenge", "required_with_redirect_uri");
  }
  const expiresAt = deps.now() + FLOW_TTL_SECONDS * 1000;
  const login = { redirectUri: redirectUri ?? null, codeChallenge: codeChallenge ?? null, expiresAt };
  const url = new URL(`/api/auth/${name}/start`, deps.config.issuer);
  url.searchParams.set("flow", await encryptEphemeral(deps, `${LOGIN} ${name}`, login));
  return url.href;
}

/**
 * Starts the flow that `createFlow` made.
 *
 * @param login the URL's `flow` parameter.
 * @returns the provider's URL and the flow cookie's content.
 * @throws AppError `social_auth_failed` if `login` is invalid or expired.
 */
export async function startFlow(deps: Deps, name: ProviderName, login: string) {
  const provider = findProvider(deps.config, name);
  const parsed = loginSchema.safeParse(await decryptEphemeral(deps, `${LOGIN} ${name}`, login));
  if (!parsed.success || parsed.data.expiresAt <= deps.now()) throw failed("flow of no login");
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
    cookie: await encryptEphemeral(deps, `${FLOW} ${name}`, flow),
    location: authorizationUrl(deps, provider, flow),
  };
}

const callbackUrl = (deps: Pick<Deps, "config">, name: ProviderName) =>
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

/** The flow in a browser's cookie; undefined if there is none or it has expired. */
export async function readFlow(deps: Deps, name: ProviderName, cookie: string | undefined): Promise<Flow | undefined> {
  if (cookie === undefined) return undefined;
  const parsed = flowSchema.safeParse(await decryptEphemeral(deps, `${FLOW} ${name}`, cookie));
  return parsed.success && parsed.data.expiresAt > deps.now() ? parsed.data : undefined;
}

/** The fields of a provider's authorization response. */
export interface CallbackAnswer {
  code?: string | undefined;
  state?: string | undefined;
  error?: string | undefined;
  /** RFC 9207. */
  iss?: string | undefined;
  /** Apple sends the person's name here as JSON, but only the first time. */
  user?: string | undefined;
}

/**
 * Handles a provider's authorization response: checks that it belongs to this browser's flow, consumes the state,
 * exchanges the code for an ID token and stores the identity under a one-time code.
 *
 * @returns the URL to redirect the browser to.
 * @throws AppError `social_auth_failed`; `service_unavailable` when the provider or D1 does not respond.
 */
export async function completeFlow(
  deps: Deps,
  name: ProviderName,
  flow: Flow | undefined,
  answer: CallbackAnswer,
): Promise<string> {
  const provider = findProvider(deps.config, name);
  if (!flow) throw failed("no flow of this browser");
  if (answer.state === undefined || !isSame(answer.state, flow.state)) throw failed("state");
  if (answer.iss !== undefined && answer.iss !== provider.settings.endpoints.issuer) throw failed("iss");
  if (answer.error !== undefined) throw failed(`the provider says ${/^[a-z_]{1,60}$/.exec(answer.error) ?? "no word"}`);
  if (!answer.code) throw failed("no code");
  if (!(await consumeState(deps, await sha256(flow.state), flow.expiresAt))) throw failed("state used");
  const { clientId } = provider.settings;
  const tokens = await exchangeCode(deps, provider, {
    code: answer.code,
    clientId,
    redirectUri: callbackUrl(deps, name),
    ...(name === "google" ? { codeVerifier: flow.codeVerifier } : {}),
  });
  const { identity, clientId: audience } = await verifyIdToken(deps, provider, tokens.idToken, {
    nonce: (claim) => claim !== undefined && isSame(claim, flow.nonce),
    givenName: readAppleName(answer.user),
  });
  if (audience !== clientId) throw failed("ID token of another client");
  const refreshToken = name === "apple" ? await sealRefreshToken(deps, tokens.refreshToken, clientId) : undefined;
  const code = random(deps);
  await storeCode(deps, {
    codeHash: await sha256(code),
    sealedIdentity: await encryptEphemeral(deps, "social identity", { identity, refreshToken }),
    flowHash: await sha256(flow.secret),
    codeChallenge: flow.codeChallenge,
  });
  const next = new URL(flow.redirectUri ?? new URL("/api/auth/social/success", deps.config.issuer));
  next.searchParams.set("code", code);
  return next.href;
}

/**
 * Like `completeFlow`, but a failure redirects the browser to the app with an error code, or to the error page.
 *
 * @throws any error but `social_auth_failed` if there is no app to redirect to.
 */
export async function answerCallback(
  deps: Deps,
  name: ProviderName,
  cookie: string | undefined,
  answer: CallbackAnswer,
): Promise<string> {
  const flow = await readFlow(deps, name, cookie);
  try {
    return await completeFlow(deps, name, flow, answer);
  } catch (error) {
    // Only a response to this browser's own flow may redirect it to the app.
    const isOfThisFlow = flow !== undefined && answer.state !== undefined && isSame(answer.state, flow.state);
    const appUri = isOfThisFlow ? flow.redirectUri : null;
    const code = codeOfFailure(error);
    if (code !== "social_auth_failed" && appUri === null) throw error;
    const reason = error instanceof AppError ? error.options.reason : describeError(error);
    if (code === "server_error") raiseAlert(deps, "request_failed", { reason });
    else deps.log.warn("social_flow_failed", { provider: name, reason });
    const next = new URL(appUri ?? new URL("/api/auth/social/error", deps.config.issuer));
    next.searchParams.set("error", CANCELLED.includes(answer.error ?? "") ? "access_denied" : code);
    return next.href;
  }
}

/** The `error` parameter that reports a failed flow to the app (RFC 6749 section 4.1.2.1). */
function codeOfFailure(error: unknown): "social_auth_failed" | "temporarily_unavailable" | "server_error" {
  const code = error instanceof AppError ? error.code : undefined;
  if (code === "social_auth_failed" || code === "id_token_stale") return "social_auth_failed";
  return code === "service_unavailable" ? "temporarily_unavailable" : "server_error";
}

/** The `error` values with which Google and Apple report that the person cancelled. */
const CANCELLED = ["access_denied", "user_cancelled_authorize"];

const appleUser = z.object({ name: z.object({ firstName: z.string().optional(), lastName: z.string().optional() }) });

/** The name in the JSON that Apple posts with its first code; undefined if there is none. */
export function readAppleName(user: string | undefined): string | undefined {
  if (user === undefined || user.length > 2048) return undefined;
  try {
    const { firstName = "", lastName = "" } = appleUser.parse(JSON.parse(user)).name;
    return `${firstName} ${lastName}`.trim() || undefined;
  } catch {
    return undefined;
  }
}

function isSame(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return equalInConstantTime(encoder.encode(a), encoder.encode(b));
}

const failed = (reason: string) => new AppError("social_auth_failed", { reason });
