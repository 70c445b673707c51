import { z } from "zod";
import { findTestCode } from "../auth/otp/test-identifiers.ts";
import { deliver } from "../delivery/deliver.ts";
import { eventDelivery } from "../delivery/delivery.store.ts";
import { otpEmail, otpText } from "../delivery/messages.ts";
import { open } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";

const payloadSchema = z.object({
  cid: z.string(),
  sealed_code: z.string(),
  secret_id: z.string(),
  channel: z.enum(["sms", "email"]),
  to: z.string(),
  locale: z.enum(["en", "ne"]),
  expires_at: z.number(),
});

/** Seconds between attempts; a code expires after five minutes. */
const RETRY_SECONDS = 3;

/** Sends a one-time code to its recipient, unless it has expired or belongs to a store reviewer's test account. */
export const deliverOtp: Task = {
  name: "deliver_otp",
  types: ["otp.requested"],
  isUrgent: true,
  async run(deps, event): Promise<TaskOutcome> {
    const payload = payloadSchema.parse(event.payload);
    if (payload.expires_at <= deps.now()) return { done: true, note: "expired" };
    const { channel, to, expires_at: expiresAt } = payload;
    const kind = channel === "sms" ? "phone" : "email";
    if (findTestCode(deps, { kind, value: to }) !== undefined) return { done: true, note: "test identifier" };
    const content = await openContent(deps, payload);
    if (!content) return { done: true, note: "key retired" };
    const { isDone, note } = await deliver(deps, eventDelivery(deps, event.id), {
      id: event.id,
      channel,
      to,
      expiresAt,
      ...content,
    });
    return isDone ? { done: true, note } : { done: false, retryInSeconds: RETRY_SECONDS, note };
  },
};

async function openContent(deps: Deps, payload: z.infer<typeof payloadSchema>) {
  const key = deps.keyring.secrets.get(payload.secret_id)?.sealing;
  if (!key) return undefined;
  const code = await open(key, payload.sealed_code, payload.cid);
  return payload.channel === "sms"
    ? { code, text: otpText(payload.locale, deps.config, code) }
    : { code, ...otpEmail(payload.locale, deps.config, code) };
}
