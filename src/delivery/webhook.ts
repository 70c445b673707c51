import { Webhook } from "standardwebhooks";
import { sha256 } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import type { WebhookEndpoint } from "./webhook-settings.ts";

/**
 * Result of an attempt. After a failure it is unknown whether the receiver processed the message. `isSilent`: there was
 * no response at all.
 */
export type WebhookOutcome = { state: "taken" | "gone" } | { state: "failed"; reason: string; isSilent?: boolean };

/** Id of an endpoint for logs and rows, where its URL must not appear: 72 bits of a hash of the URL. */
export async function endpointIdOf({ url }: Pick<WebhookEndpoint, "url">): Promise<string> {
  return (await sha256(url)).slice(0, 12);
}

/**
 * Makes one attempt to deliver the body, per Standard Webhooks: 2xx means accepted, 410 that the endpoint wants no more
 * messages.
 *
 * @param id message id for the receiver; the same for every attempt.
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
