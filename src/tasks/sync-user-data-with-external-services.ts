import { z } from "zod";
import { endpointIdOf } from "../delivery/webhook.ts";
import { publish } from "../platform/data/publish.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";
import { insertDueWebhooks } from "./webhook.store.ts";

const payloadSchema = z.object({ user_id: z.string() });

const name = "sync_user_data_with_external_services";

/**
 * Turns each change of a user into one message per configured webhook endpoint, so that each is delivered and retried
 * independently.
 */
export const syncUserDataWithExternalServices: Task = {
  name,
  types: ["user.created", "user.updated", "user.deleted"],
  async run(deps, event): Promise<TaskOutcome> {
    const { webhooks } = deps.config;
    if (webhooks.length === 0) return { done: true, note: "no webhook" };
    const { user_id } = payloadSchema.parse(event.payload);
    const endpoints = await Promise.all(webhooks.map(endpointIdOf));
    const due = endpoints.map((endpoint) => ({ type: event.type, user_id, occurred_at: event.createdAt, endpoint }));
    const rows = await insertDueWebhooks(deps, { consumer: name, eventId: event.id }, due);
    await publish(deps, rows);
    return { done: true, note: rows.length > 0 ? `due: ${rows.length}` : "seen before" };
  },
};
