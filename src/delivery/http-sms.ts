import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { callOutside } from "../platform/http/outbound.ts";
import { parseJson } from "../platform/json.ts";
import { answered, type MessageProvider, type SendOutcome, sent, unknown, type Verdict } from "./message-provider.ts";
import type { SmsFallbackSettings } from "./provider-settings.ts";

/**
 * How to treat each HTTP status of the adapter. Any other status below 500 is `ours`: all messages have the same form,
 * so the fault is in our configuration. Any other status from 500 on is `unknown`.
 */
export const httpSmsVerdicts: Readonly<Record<number, Verdict>> = {
  /** The request timed out at the adapter and may still be processed. */
  408: "unknown",
  /** An earlier request for this message may still be in progress. */
  409: "doubtful",
};

const refusal = z.object({ error: z.literal("invalid_recipient") });

/**
 * Any SMS gateway behind a small HTTP adapter. Sends POST `{id, to, text}`, signed per Standard Webhooks, with the
 * event id as `Idempotency-Key`. 2xx means accepted; 422 with `{"error": "invalid_recipient"}` means that the number
 * cannot be reached; for other statuses see `httpSmsVerdicts`.
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
