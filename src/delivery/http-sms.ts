import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { SmsFallbackSettings } from "../platform/config/provider-settings.ts";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { parseJson } from "../platform/json.ts";
import { answered, type MessageProvider, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";

/**
 * What the adapter's answers mean by their status. Any other below 500 refuses us, since every message has the same form;
 * any other above is unknown.
 */
export const httpSmsVerdicts: Readonly<Record<number, Verdict>> = {
  /** An earlier request may still be under way. */
  408: "unknown",
  /** An earlier request of this message may still be under way. */
  409: "doubtful",
};

const refusal = z.object({ error: z.literal("invalid_recipient") });

/**
 * Any gateway behind a small adapter: POST `{id, to, text}`, signed per Standard Webhooks, the event's id as
 * `Idempotency-Key`. 2xx means taken; 422 with `{"error": "invalid_recipient"}` that the number cannot be reached;
 * other answers as in `httpSmsVerdicts`.
 */
export function httpSmsProvider(
  deps: Pick<Deps, "config" | "fetch" | "now">,
  { url, secret }: SmsFallbackSettings,
): MessageProvider {
  return {
    name: "sms-fallback",
    reaches: () => true,
    async send({ id, to, text }) {
      const body = JSON.stringify({ id, to, text });
      const signedAt = new Date(deps.now());
      const result = await callOutside(deps, url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "idempotency-key": id,
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(signedAt.getTime() / 1000)),
          "webhook-signature": new Webhook(secret).sign(id, signedAt, body),
        },
        body,
      });
      return result.answered ? readAnswer(result.status, result.text) : unknown(result.reason);
    },
  };
}

function readAnswer(status: number, text: string): SendOutcome {
  if (status >= 200 && status < 300) return sent;
  if (status === 422 && refusal.safeParse(parseJson(text)).success) return answered("unreachable", "invalid recipient");
  return answered(httpSmsVerdicts[status] ?? (status >= 500 ? "unknown" : "ours"), `http ${status}`);
}
