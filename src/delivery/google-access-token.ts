import { SignJWT } from "jose";
import { z } from "zod";
import type { FcmSettings } from "../platform/config/provider-settings.ts";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { parseJson } from "../platform/json.ts";
import { answered, type Refusal } from "./message-provider.ts";

const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
/** How long before its expiry a token is no longer used, in milliseconds. */
const EXPIRY_MARGIN_MS = 60_000;
/** The longest that Google allows an assertion to live, in seconds. */
const ASSERTION_SECONDS = 3600;

const grant = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/** One an isolate and service account. Settled ones only: an invocation may not wait for another one's calls. */
const kept = new WeakMap<FcmSettings, { accessToken: string; until: number }>();

/**
 * The service account's access token, by a signed JWT (RFC 7523): kept until a minute before its expiry.
 *
 * @returns the token, or why there is none: the message was certainly not sent then.
 */
export async function findAccessToken(
  deps: Pick<Deps, "config" | "fetch" | "now" | "keyring">,
  settings: FcmSettings,
): Promise<string | Refusal> {
  const known = kept.get(settings);
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
  kept.set(settings, { accessToken, until: deps.now() + expires_in * 1000 - EXPIRY_MARGIN_MS });
  return accessToken;
}

/** Drops a token that was refused, so that the next message asks for another. */
export function forgetAccessToken(settings: FcmSettings): void {
  kept.delete(settings);
}
