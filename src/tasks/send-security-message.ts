import { z } from "zod";
import { deliver } from "../delivery/deliver.ts";
import { messageDelivery } from "../delivery/delivery.store.ts";
import { type SecurityMessage, securityMessage, securityTexts } from "../delivery/security-messages.ts";
import type { Task } from "./engine/task.ts";

const RETRY_SECONDS = 30;

const due = z.object({
  channel: z.enum(["sms", "email"]),
  /** A verified address or number of the account. */
  to: z.string(),
  locale: z.enum(["en", "ne"]),
  message: z.enum(Object.keys(securityTexts) as [SecurityMessage, ...SecurityMessage[]]),
});

/** Sends a message about an account's security to one of its addresses. */
export const sendSecurityMessage: Task = {
  name: "send_security_message",
  types: ["security.message_due"],
  async run(deps, event) {
    const { channel, to, locale, message } = due.parse(event.payload);
    const outgoing = { id: event.id, channel, to, ...securityMessage(deps.config, message, { channel, locale }) };
    const { isDone, note } = await deliver(deps, messageDelivery(deps, event.id), outgoing);
    return isDone ? { done: true, note } : { done: false, retryInSeconds: RETRY_SECONDS, note };
  },
};
