import { sql } from "drizzle-orm";
import { z } from "zod";
import { recordFormerIdentities } from "../auth/deletion/former-identity.store.ts";
import { hashIdentifier } from "../auth/deletion/former-identity.ts";
import { deliver } from "../delivery/deliver.ts";
import { messageDelivery } from "../delivery/delivery.store.ts";
import { notices } from "../delivery/notices.ts";
import { securityMessage } from "../delivery/security-messages.ts";
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
  "auth.passkey_added": "PASSKEY_ADDED",
  "auth.passkey_removed": "PASSKEY_REMOVED",
  "auth.passkey_suspect": "PASSKEY_SUSPECT",
  "auth.passkeys_reset": "PASSKEYS_RESET",
  "auth.identity_restored": "IDENTITY_RESTORED",
  "auth.identity_held": "IDENTITY_HELD",
  "auth.number_released": "NUMBER_RELEASED",
  "auth.data_exported": "DATA_EXPORTED",
};

const changedIdentifier = z.object({
  channel: z.enum(["sms", "email"]),
  /** The address or phone number that was replaced or removed and gets the message; null if there is none. */
  old_identifier: z.string().nullable(),
  locale: z.enum(["en", "ne"]),
  /** Whether the user made the change. Absent if staff did: their change has already recorded the former identity. */
  is_own: z.boolean().optional(),
  /** The owner of the old identifier may dispute the change. */
  can_dispute: z.boolean().optional(),
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
    const notice = { kind, texts: notices[kind] };
    if (event.type !== "user.identifier_changed") return notifyUser(deps, NAME, event, notice);
    const change = changedIdentifier.parse(event.payload);
    const outcome = await notifyUser(deps, NAME, event, { ...notice, ...(await formerIdentity(deps, change)) });
    return change.old_identifier === null ? outcome : notifyOldIdentifier(deps, event, change.old_identifier, change);
  },
};

type Change = z.output<typeof changedIdentifier>;

/**
 * Provides the statement that records an identifier as former after the user replaced or removed it, so that a later
 * account with it earns no bonus. It may run after the change: nobody else can take the identifier for 7 days.
 */
async function formerIdentity(deps: Deps, { is_own, old_identifier }: Change) {
  if (!is_own || old_identifier === null) return {};
  const hash = await hashIdentifier(deps, old_identifier);
  return { also: () => recordFormerIdentities(deps, sql`${hash}`, sql`where true`) };
}

async function notifyOldIdentifier(
  deps: Deps,
  event: TaskEvent,
  to: string,
  { channel, locale, can_dispute }: Change,
): Promise<TaskOutcome> {
  const name = can_dispute ? "IDENTIFIER_LOST" : "IDENTIFIER_CHANGED";
  const message = { id: event.id, channel, to, ...securityMessage(deps.config, name, { channel, locale }) };
  const { isDone, note } = await deliver(deps, messageDelivery(deps, event.id), message);
  return isDone ? { done: true, note } : { done: false, retryInSeconds: RETRY_SECONDS, note };
}
