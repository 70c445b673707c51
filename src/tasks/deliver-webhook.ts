import { z } from "zod";
import { endpointIdOf, sendWebhook } from "../delivery/webhook.ts";
import { callThroughGate } from "../delivery/webhook-gate.ts";
import type { WebhookEndpoint } from "../delivery/webhook-settings.ts";
import { raiseAlert } from "../platform/alerts.ts";
import type { Deps } from "../platform/deps.ts";
import { isoTime } from "../platform/time.ts";
import type { UserState } from "../users/user-state.store.ts";
import { viewUserState } from "../users/user-webhook.views.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";
import { findDelivery, markDelivered } from "./webhook.store.ts";

const payloadSchema = z.object({
  type: z.enum(["user.created", "user.updated", "user.deleted"]),
  user_id: z.string(),
  occurred_at: z.number(),
  endpoint: z.string(),
});
type Payload = z.infer<typeof payloadSchema>;

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/**
 * Reports a change of a user to one webhook endpoint, signed per Standard Webhooks, in up to 8 attempts over 24 hours.
 * The body is built when it is sent, so a late message never carries outdated data.
 */
export const deliverWebhook: Task = {
  name: "deliver_webhook",
  types: ["webhook.due"],
  // Queues allows delays of at most 12 hours.
  retryDelays: [MINUTE, 5 * MINUTE, 24 * MINUTE, 1.5 * HOUR, 4 * HOUR, 7 * HOUR, 11 * HOUR],
  async run(deps, event): Promise<TaskOutcome> {
    const payload = payloadSchema.parse(event.payload);
    const endpoint = await findEndpoint(deps, payload.endpoint);
    if (!endpoint) return { done: true, note: "endpoint no longer configured" };
    const { isDelivered, user } = await findDelivery(deps, event.id, payload.user_id);
    if (isDelivered) return { done: true, note: "delivered before" };
    const data = dataOf(payload, user);
    if (!data) return { done: true, note: "the user was deleted" };
    const timestamp = isoTime(payload.occurred_at);
    const body = JSON.stringify({ type: payload.type, timestamp, data });
    const outcome = await callThroughGate(deps, payload.endpoint, () => sendWebhook(deps, endpoint, event.id, body));
    if (outcome.state === "failed") throw new Error(`${new URL(endpoint.url).origin}: ${outcome.reason}`);
    if (outcome.state === "gone") {
      raiseAlert(deps, "webhook_gone", { endpoint: payload.endpoint, origin: new URL(endpoint.url).origin });
      return { done: true, note: "gone" };
    }
    // The endpoint accepted the message even if that cannot be recorded; a redelivered copy has the same id.
    const isMarked = await markDelivered(deps, event.id).then(
      () => true,
      () => false,
    );
    return { done: true, note: isMarked ? "delivered" : "delivered, not marked" };
  },
};

async function findEndpoint({ config }: Pick<Deps, "config">, id: string): Promise<WebhookEndpoint | undefined> {
  const ids = await Promise.all(config.webhooks.map(endpointIdOf));
  return config.webhooks[ids.indexOf(id)];
}

/** Undefined if the user was deleted meanwhile; a separate message reports the deletion. */
function dataOf({ type, user_id: id }: Payload, user: UserState | undefined) {
  if (type === "user.deleted") return { id };
  return user && viewUserState(user);
}
