import { Webhook } from "standardwebhooks";
import type { WebhookEndpoint } from "../platform/config/webhook-settings.ts";
import { sha256 } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";

/** What came of a try; after a failure nobody knows whether the receiver acted. `isSilent`: it gave no answer at all. */
export type WebhookOutcome = { state: "taken" | "gone" } | { state: "failed"; reason: string; isSilent?: boolean };

/** Names an endpoint where its URL must not stand: the same for the same URL, 72 bits of a hash. */
export async function endpointIdOf({ url }: Pick<WebhookEndpoint, "url">): Promise<string> {
  return (await sha256(url)).slice(0, 12);
}

/**
 * Tries once to deliver the body, per Standard Webhooks: 2xx means taken, 410 that the endpoint wants no more.
 *
 * @param id what the receiver knows the message by; the same at every try.
 */
export async function sendWebhook(
  deps: Pick<Deps, "config" | "fetch" | "now">,
  { url, secrets }: WebhookEndpoint,
  id: string,
  body: string,
): Promise<WebhookOutcome> {
  const signedAt = new Date(deps.now());
  const result = await callOutside(deps, url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(signedAt.getTime() / 1000)),
      "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, signedAt, body)).join(" "),
    },
    body,
  });
  if (!result.answered) {
    const isSilent = result.reason === "deadline" || result.reason === "network";
    return { state: "failed", reason: result.reason, isSilent };
  }
  if (result.status >= 200 && result.status < 300) return { state: "taken" };
  return result.status === 410 ? { state: "gone" } : { state: "failed", reason: `http ${result.status}` };
}
