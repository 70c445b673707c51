import { OAuth2Tokens } from "arctic";
import { SignJWT } from "jose";
import { z } from "zod";
import { raiseAlert } from "../../platform/alerts.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import { callOutside } from "../../platform/http/outbound.ts";
import { parseJson } from "../../platform/json.ts";
import type { SocialProvider } from "./social-provider.ts";
import type { AppleSettings } from "./social-settings.ts";

type ExchangeDeps = Pick<Deps, "config" | "fetch" | "now" | "keyring" | "log">;

/** Apple accepts lifetimes of up to six months; this secret serves a single call. */
const CLIENT_SECRET_TTL_SECONDS = 300;

/** Errors that reject this service's client credentials, not the code (RFC 6749 section 5.2). */
const CLIENT_ERRORS = ["invalid_client", "unauthorized_client"];
const refusal = z.object({ error: z.string() });

const answer = z.looseObject({ id_token: z.string(), refresh_token: z.string().optional() });

export interface Exchange {
  code: string;
  clientId: string;
  /** The redirect URI of the authorization request; a native app's code has none. */
  redirectUri?: string;
  /** RFC 7636. */
  codeVerifier?: string;
}

/**
 * Exchanges an authorization code for the provider's tokens (RFC 6749 section 4.1.3).
 *
 * @throws AppError `social_auth_failed` when the provider rejects the code; `service_unavailable` when it rejects this
 *   service's client credentials or its response is missing or malformed.
 */
export async function exchangeCode(
  deps: ExchangeDeps,
  provider: SocialProvider,
  { code, clientId, redirectUri, codeVerifier }: Exchange,
): Promise<{ idToken: string; refreshToken: string | undefined }> {
  const form = new URLSearchParams({ grant_type: "authorization_code", code, client_id: clientId });
  form.set("client_secret", await clientSecretOf(deps, provider, clientId));
  if (redirectUri !== undefined) form.set("redirect_uri", redirectUri);
  if (codeVerifier !== undefined) form.set("code_verifier", codeVerifier);
  const result = await post(deps, provider.settings.endpoints.token, form);
  const error = errorOf(result.text);
  if (CLIENT_ERRORS.includes(error)) {
    raiseAlert(deps, "social_client_refused", { provider: provider.name, error });
    throw unavailable(`token endpoint: ${error}`);
  }
  if (result.status >= 400 && result.status < 500 && result.status !== 408 && result.status !== 429) {
    throw new AppError("social_auth_failed", { reason: `token endpoint: ${result.status}` });
  }
  const parsed = answer.safeParse(parseJson(result.text));
  if (result.status !== 200 || !parsed.success) throw unavailable(`token endpoint: ${result.status}`);
  const tokens = new OAuth2Tokens(parsed.data);
  return { idToken: tokens.idToken(), refreshToken: tokens.hasRefreshToken() ? tokens.refreshToken() : undefined };
}

/**
 * Revokes a refresh token at the provider (RFC 7009). Apple requires this when an account is deleted.
 *
 * @returns false if the call must be repeated.
 */
export async function revokeToken(
  deps: ExchangeDeps,
  provider: SocialProvider,
  { token, clientId }: { token: string; clientId: string },
): Promise<boolean> {
  const { revocation } = provider.settings.endpoints;
  if (revocation === undefined) return true;
  const form = new URLSearchParams({ client_id: clientId, token, token_type_hint: "refresh_token" });
  form.set("client_secret", await clientSecretOf(deps, provider, clientId));
  const result = await callOutside(deps, revocation, request(form));
  if (!result.answered) return false;
  // An unknown token needs no revocation (RFC 7009 section 2.2).
  return result.status === 200 || (result.status === 400 && errorOf(result.text) === "invalid_grant");
}

/** The `error` field of the endpoint's response (RFC 6749 section 5.2); empty if it has none. */
function errorOf(text: string): string {
  const parsed = refusal.safeParse(parseJson(text));
  return parsed.success ? parsed.data.error : "";
}

async function post(deps: ExchangeDeps, url: string, form: URLSearchParams) {
  const result = await callOutside(deps, url, request(form));
  if (!result.answered) throw unavailable(`token endpoint: ${result.reason}`);
  return result;
}

function request(form: URLSearchParams) {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
  return { method: "POST" as const, headers, body: form.toString() };
}

const unavailable = (reason: string) => new AppError("service_unavailable", { reason, retryAfterSeconds: 5 });

/**
 * The client secret: configured for Google, a signed JWT for Apple, see
 * https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret.
 */
async function clientSecretOf(deps: ExchangeDeps, provider: SocialProvider, clientId: string): Promise<string> {
  const { settings } = provider;
  if ("clientSecret" in settings) return settings.clientSecret;
  return mintClientSecret(deps, settings, clientId);
}

function mintClientSecret(deps: ExchangeDeps, settings: AppleSettings, clientId: string): Promise<string> {
  const key = deps.keyring.apple;
  if (!key) throw new Error("Apple's key is not in the keyring");
  const issuedAt = Math.floor(deps.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: settings.keyId })
    .setIssuer(settings.teamId)
    .setSubject(clientId)
    .setAudience(settings.endpoints.issuer)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + CLIENT_SECRET_TTL_SECONDS)
    .sign(key);
}
