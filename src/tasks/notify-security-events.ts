import { z } from "zod";
import { deliver } from "../delivery/deliver.ts";
import { eventDelivery } from "../delivery/delivery.store.ts";
import { identifierChangedText, notices } from "../delivery/messages.ts";
import type { Deps } from "../platform/deps.ts";
import type { Task, TaskEvent, TaskOutcome } from "./engine/task.ts";
import { notifyUser } from "./notify.ts";

const kinds: Readonly<Record<string, keyof typeof notices>> = {
  "auth.new_device": "NEW_DEVICE",
  "auth.lockout": "LOCKOUT",
  "auth.refresh_reuse": "SESSION_ENDED",
  "auth.social_linked": "ACCOUNT_LINKED",
  "auth.social_unlinked": "ACCOUNT_UNLINKED",
  "user.identifier_changed": "IDENTIFIER_CHANGED",
};

const changedIdentifier = z.object({
  channel: z.enum(["sms", "email"]),
  /** The replaced address or phone number. */
  old_identifier: z.string(),
  locale: z.enum(["en", "ne"]),
});

const NAME = "notify_security_events";
const RETRY_SECONDS = 30;

/** Notifies the user of a security event once. After a change of identifier, the old one gets a message too. */
export const notifySecurityEvents: Task = {
  name: NAME,
  types: Object.keys(kinds),
  async run(deps, event): Promise<TaskOutcome> {
    const kind = kinds[event.type];
    if (!kind) return { done: true, note: "unknown type" };
    const outcome = await notifyUser(deps, NAME, event, { kind, texts: notices[kind] });
    return event.type === "user.identifier_changed" ? notifyOldIdentifier(deps, event) : outcome;
  },
};

async function notifyOldIdentifier(deps: Deps, event: TaskEvent): Promise<TaskOutcome> {
  const { channel, old_identifier: to, locale } = changedIdentifier.parse(event.payload);
  const { title } = notices.IDENTIFIER_CHANGED[locale];
  const message = { id: event.id, channel, to, title, text: identifierChangedText(locale, deps.config) };
  const { isDone, note } = await deliver(deps, eventDelivery(deps, event.id), message);
  return isDone ? { done: true, note } : { done: false, retryInSeconds: RETRY_SECONDS, note };
}
