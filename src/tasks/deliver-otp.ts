import { z } from "zod";
import { claimDelivery, releaseDelivery, settleDelivery } from "../delivery/delivery.store.ts";
import { otpText } from "../delivery/messages.ts";
import { NotSentError } from "../delivery/provider.ts";
import { providerFor } from "../delivery/providers.ts";
import { open } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import type { Task, TaskOutcome } from "./consume.ts";

const payloadSchema = z.object({
  cid: z.string(),
  sealed_code: z.string(),
  secret_id: z.string(),
  channel: z.enum(["sms", "email"]),
  to: z.string(),
  locale: z.enum(["en", "ne"]),
  expires_at: z.number(),
});

/** Seconds between tries: a code is worth nothing after five minutes. */
const RETRY_SECONDS = 3;

/** Sends a one-time code to its owner; an expired one is not sent, and nothing of it is kept. */
export const deliverOtp: Task = {
  type: "otp.requested",
  async run(deps, event): Promise<TaskOutcome> {
    const payload = payloadSchema.parse(event.payload);
    if (payload.expires_at <= deps.now()) return { done: true, note: "expired" };
    const provider = providerFor(deps, payload.channel);
    if (!provider) return { done: false, retryInSeconds: RETRY_SECONDS, note: "no provider" };
    const text = await openText(deps, payload);
    if (!text) return { done: true, note: "key retired" };
    const claim = await claimDelivery(deps, event.id);
    if (claim === "busy") return { done: false, retryInSeconds: RETRY_SECONDS, note: claim };
    if (claim === "exhausted") deps.log.error("delivery_unknown", { event_id: event.id });
    if (claim !== "claimed") return { done: true, note: claim };
    try {
      await provider.send({ id: event.id, channel: payload.channel, to: payload.to, ...text });
    } catch (error) {
      // After an unknown outcome the claim stays counted: a message may go out twice, never more.
      if (error instanceof NotSentError) await releaseDelivery(deps, event.id);
      throw error;
    }
    await settleDelivery(deps, event.id);
    return { done: true, note: `sent by ${provider.name}` };
  },
};

async function openText(deps: Deps, payload: z.infer<typeof payloadSchema>) {
  const key = deps.keyring.secrets.get(payload.secret_id)?.sealing;
  if (!key) return undefined;
  const code = await open(key, payload.sealed_code, payload.cid);
  return { code, text: otpText(payload.locale, deps.config, code) };
}
