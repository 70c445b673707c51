import { sha256 } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { DAY_MS } from "../platform/time.ts";
import { readFcmAnswer } from "./fcm-answer.ts";
import { findAccessToken, forgetAccessToken } from "./google-access-token.ts";
import { type MessageProvider, type OutgoingMessage, unknown } from "./message-provider.ts";
import type { FcmSettings } from "./provider-settings.ts";

/** How long FCM keeps an undelivered push, in milliseconds. */
export const PUSH_LIFE_MS = DAY_MS;
/**
 * APNs accepts collapse ids of up to 64 bytes; web push topics hold at most 32 base64url characters (RFC 8030 section
 * 5.4).
 */
const COLLAPSE_ID_LENGTH = 32;

/** Firebase Cloud Messaging, HTTP v1: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
export function fcmProvider(
  deps: Pick<Deps, "config" | "fetch" | "now" | "keyring">,
  settings: FcmSettings,
): MessageProvider {
  return {
    name: "fcm",
    reaches: () => true,
    async send(message) {
      const accessToken = await findAccessToken(deps, settings);
      if (typeof accessToken !== "string") return accessToken;
      const result = await callOutside(deps, settings.sendUrl, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}` },
        body: JSON.stringify({ message: await toFcm(deps, message) }),
      });
      if (!result.answered) return unknown(result.reason);
      if (result.status === 401) forgetAccessToken(settings);
      return readFcmAnswer(result.status, result.text);
    },
  };
}

/**
 * Builds one message for all platforms. Each platform has its own fields for the expiry and for replacing an earlier
 * push. https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
 */
async function toFcm(deps: Pick<Deps, "now">, message: OutgoingMessage) {
  const { id, cause = id, to, title, text, data, expiresAt = deps.now() + PUSH_LIFE_MS } = message;
  const ttlSeconds = Math.max(0, Math.ceil((expiresAt - deps.now()) / 1000));
  const collapseId = (await sha256(cause)).slice(0, COLLAPSE_ID_LENGTH);
  return {
    token: to,
    notification: { ...(title ? { title } : {}), body: text },
    ...(data ? { data } : {}),
    // The tag replaces a notification on screen; APNs and web push also replace one that is still queued.
    android: { ttl: `${ttlSeconds}s`, notification: { tag: collapseId } },
    apns: { headers: { "apns-expiration": String(Math.floor(expiresAt / 1000)), "apns-collapse-id": collapseId } },
    webpush: { headers: { TTL: String(ttlSeconds), Topic: collapseId }, notification: { tag: collapseId } },
  };
}
