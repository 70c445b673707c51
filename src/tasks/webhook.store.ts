import { and, eq, sql } from "drizzle-orm";
import { processedEvents } from "../db/platform-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import { type OutboxRow, recordEvent } from "../platform/data/outbox.ts";
import type { Statement } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { selectUserState, type UserState } from "../users/user-state.store.ts";

/** Marks of messages that their endpoint has taken. */
const DELIVERED = "webhook";

type StoreDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

/** A change of a user, to be told to one endpoint. */
export interface DueWebhook {
  type: string;
  user_id: string;
  /** When the user changed, in milliseconds since the epoch. */
  occurred_at: number;
  endpoint: string;
}

/**
 * Records a message for each endpoint, once however often the event comes, and gives the rows to relay; after a lost
 * answer a repetition gives none, and the cron relays them.
 */
export async function insertDueWebhooks(
  deps: StoreDeps,
  cause: { consumer: string; eventId: string },
  due: DueWebhook[],
): Promise<OutboxRow[]> {
  const { mark, isFirst } = processOnce(deps, cause.consumer, cause.eventId);
  const statements: Record<string, Statement> = { mark };
  for (const webhook of due) {
    const event = { type: "webhook.due", userId: webhook.user_id, payload: JSON.stringify(webhook) };
    statements[`to ${webhook.endpoint}`] = recordEvent(deps, { ...event, queue: "tasks" }, isFirst);
  }
  const results = await runBatch(deps, statements);
  return due.flatMap(({ endpoint }) => results[`to ${endpoint}`] as OutboxRow[]);
}

/** Whether the message was delivered, and what its endpoint is to be told: undefined where the user is gone. */
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

/** Notes that the endpoint has taken the message, so that its further copies send nothing. */
export async function markDelivered(deps: StoreDeps, eventId: string): Promise<void> {
  await runBatch(deps, { mark: processOnce(deps, DELIVERED, eventId).mark });
}
