import { SignJWT } from "jose";
import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { parseJson } from "../platform/json.ts";
import { MINUTE_MS } from "../platform/time.ts";
import { answered, type Refusal } from "./message-provider.ts";
import type { FcmSettings } from "./provider-settings.ts";

const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
/** How long before its expiry a token is replaced, in milliseconds. */
const EXPIRY_MARGIN_MS = MINUTE_MS;
/** The longest lifetime that Google allows for an assertion, in seconds. */
const ASSERTION_SECONDS = 3600;

const grant = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/**
 * Cached per isolate and service account. Holds tokens rather than promises, because an invocation must not await
 * another invocation's I/O.
 */
const cachedTokens = new WeakMap<FcmSettings, { accessToken: string; until: number }>();

/**
 * Gets an access token for the service account with a signed JWT (RFC 7523) and caches it until one minute before it
 * expires.
 *
 * @returns the token, or the reason there is none. In that case the push message was not sent.
 */
export async function findAccessToken(
  deps: Pick<Deps, "config" | "fetch" | "now" | "keyring">,
  settings: FcmSettings,
): Promise<string | Refusal> {
  const known = cachedTokens.get(settings);
  if (known && known.until > deps.now()) return known.accessToken;
  const { fcm: key } = deps.keyring;
  if (!key) return answered("ours", "no key");
  const issuedAt = Math.floor(deps.now() / 1000);
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(settings.privateKeyId ? { kid: settings.privateKeyId } : {}) })
    .setIssuer(settings.clientEmail)
    .setAudience(settings.tokenUrl)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ASSERTION_SECONDS)
    .sign(key);
  const result = await callOutside(deps, settings.tokenUrl, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion,
    }).toString(),
  });
  if (!result.answered) return answered("refused", `access token: ${result.reason}`);
  const parsed = grant.safeParse(parseJson(result.text));
  if (result.status !== 200 || !parsed.success) {
    const isOurs = result.status >= 400 && result.status < 500;
    return answered(isOurs ? "ours" : "refused", `access token: http ${result.status}`);
  }
  const { access_token: accessToken, expires_in } = parsed.data;
  cachedTokens.set(settings, { accessToken, until: deps.now() + expires_in * 1000 - EXPIRY_MARGIN_MS });
  return accessToken;
}

/** Drops the cached token after FCM refused it, so that the next message requests a new one. */
export function forgetAccessToken(settings: FcmSettings): void {
  cachedTokens.delete(settings);
}
