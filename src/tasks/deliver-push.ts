import { eq } from "drizzle-orm";
import { z } from "zod";
import { forgetPushToken, selectPushDevices } from "../auth/device/device.store.ts";
import { notifications } from "../db/user-schema.ts";
import { deliver } from "../delivery/deliver.ts";
import { messageDelivery } from "../delivery/delivery.store.ts";
import { PUSH_LIFE_MS } from "../delivery/fcm.ts";
import { listProviders } from "../delivery/providers.ts";
import { runBatch } from "../platform/data/database.ts";
import type { Task, TaskOutcome } from "./engine/task.ts";

const payloadSchema = z.object({ notification_id: z.string() });

const RETRY_SECONDS = 30;

/**
 * Sends a notification to each of the user's devices with an open session, and removes tokens that the push service
 * reports as invalid.
 */
export const deliverPush: Task = {
  name: "deliver_push",
  types: ["push.requested"],
  async run(deps, event): Promise<TaskOutcome> {
    const { notification_id: id } = payloadSchema.parse(event.payload);
    const { userId } = event;
    if (!userId || listProviders(deps, "push", "").length === 0) return { done: true, note: "no provider" };
    const { notification, targets } = await runBatch(deps, {
      notification: deps.db.select().from(notifications).where(eq(notifications.id, id)),
      targets: selectPushDevices(deps, userId),
    });
    const [row] = notification;
    if (!row) return { done: true, note: "no such notification" };
    const expiresAt = row.createdAt + PUSH_LIFE_MS;
    if (expiresAt <= deps.now()) return { done: true, note: "expired" };
    const results = await Promise.all(
      targets.map((device) => {
        const message = {
          id: `${event.id}:${device.id}`,
          channel: "push",
          to: device.fcmToken,
          userId,
          cause: event.id,
          title: row.title,
          text: row.message,
          data: { notification_id: row.id, notification_type: row.notificationType },
          expiresAt,
        } as const;
        return deliver(deps, messageDelivery(deps, message.id), message, () =>
          forgetPushToken(deps, device.id, device.fcmToken),
        );
      }),
    );
    const unfinished = results.filter(({ isDone }) => !isDone);
    if (unfinished.length === 0) return { done: true, note: `${targets.length} devices` };
    return { done: false, retryInSeconds: RETRY_SECONDS, note: unfinished.map(({ note }) => note).join("; ") };
  },
};
