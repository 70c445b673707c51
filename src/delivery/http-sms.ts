import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { parseJson } from "../platform/json.ts";
import { callOutside } from "../platform/outbound.ts";
import type { SmsFallbackSettings } from "../platform/provider-settings.ts";
import { type MessageProvider, refused, type SendOutcome, sent, undeliverable, unknown } from "./message-provider.ts";

const refusal = z.object({ error: z.literal("invalid_recipient") });

/**
 * Any gateway behind a small adapter: POST `{id, to, text}`, signed per Standard Webhooks, the event's id as
 * `Idempotency-Key`. 2xx means taken, 4xx refused (422 with `{"error": "invalid_recipient"}`: the number's fault).
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

/** 408 and 409 say that an earlier request may still be under way. */
function readAnswer(status: number, text: string): SendOutcome {
  if (status >= 200 && status < 300) return sent;
  if (status === 422 && refusal.safeParse(parseJson(text)).success) return undeliverable("invalid recipient");
  if (status >= 500 || status === 408 || status === 409) return unknown(`http ${status}`);
  return refused(`http ${status}`);
}
