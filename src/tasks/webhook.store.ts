import { and, eq, sql } from "drizzle-orm";
import { processedEvents } from "../db/platform-schema.ts";
import { mergeStatements, runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { type OutboxRow, recordEvent } from "../platform/data/outbox.ts";
import type { Statements } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { selectUserState, type UserState } from "../users/user-state.store.ts";

/** Consumer name under which delivered webhooks are marked as processed. */
const DELIVERED = "webhook";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** A change of a user to report to one endpoint. */
export interface DueWebhook {
  type: string;
  user_id: string;
  /** When the user changed (epoch ms). */
  occurred_at: number;
  endpoint: string;
}

/**
 * Records one message per endpoint, once even if the event is redelivered.
 *
 * @returns the rows to publish. If a lost answer leads to a redelivery, that returns none and the cron publishes them.
 */
export async function insertDueWebhooks(
  deps: StoreDeps,
  cause: { consumer: string; eventId: string },
  due: DueWebhook[],
): Promise<OutboxRow[]> {
  const { mark, isFirst } = processOnce(deps, cause.consumer, cause.eventId);
  const messages = due.map((webhook): Statements => {
    const event = { type: "webhook.due", userId: webhook.user_id, payload: JSON.stringify(webhook) };
    return { [`to ${webhook.endpoint}`]: recordEvent(deps, { ...event, queue: "tasks" }, isFirst) };
  });
  const results: Record<string, unknown> = await runBatch(deps, mergeStatements({ mark }, ...messages));
  return due.flatMap(({ endpoint }) => results[`to ${endpoint}`] as OutboxRow[]);
}

/**
 * Reads whether the message was delivered, and the user's current state; `user` is undefined if the user was deleted.
 */
export async function findDelivery(
  deps: Pick<Deps, "db" | "log">,
  eventId: string,
  userId: string,
): Promise<{ isDelivered: boolean; user: UserState | undefined }> {
  const { delivered, user } = await runBatch(deps, {
    delivered: deps.db
      .select({ one: sql`1` })
      .from(processedEvents)
      .where(and(eq(processedEvents.consumer, DELIVERED), eq(processedEvents.eventId, eventId))),
    user: selectUserState(deps, userId),
  });
  return { isDelivered: delivered.length > 0, user: user[0] };
}

/** Marks the message as delivered, so that redelivered copies are not sent. */
export async function markDelivered(deps: StoreDeps, eventId: string): Promise<void> {
  await runBatch(deps, { mark: processOnce(deps, DELIVERED, eventId).mark });
}
