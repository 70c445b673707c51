import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import { describeError } from "../platform/log.ts";
import { tasks } from "./registry.ts";

/** What a task says of one message: it is done with, or must come again in so many seconds. */
export type TaskOutcome = { done: true; note: string } | { done: false; retryInSeconds: number; note: string };

/** Work that a queue message asks for; safe to run twice. */
export interface Task {
  /** The event's `type`. */
  type: string;
  run(deps: Deps, event: { id: string; payload: unknown }): Promise<TaskOutcome>;
}

const envelope = z.object({
  event_id: z.string(),
  type: z.string(),
  payload: z.string().transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "must be JSON" });
      return z.NEVER;
    }
  }),
});

/** Seconds between tries: few at first, never many, since people wait for some of these. */
const retrySeconds = (attempts: number) => Math.min(2 * attempts, 10);
/** Seconds before a message that cannot be read is looked at again, by a newer version perhaps. */
const UNREADABLE_RETRY_SECONDS = 60;

/** Runs each message's task on its own: one that fails is retried with growing delay and holds no other back. */
export async function consumeBatch(deps: Deps, batch: MessageBatch): Promise<void> {
  await Promise.all(batch.messages.map((message) => consume(deps, message)));
}

async function consume(deps: Deps, message: Message): Promise<void> {
  const parsed = envelope.safeParse(message.body);
  const task = parsed.success ? tasks.get(parsed.data.type) : undefined;
  if (!parsed.success || !task) {
    // After its last try the platform drops it: nothing of ours looks like this.
    deps.log.error("message_refused", {
      reason: parsed.success ? "unknown type" : "malformed",
      message_id: message.id,
    });
    message.retry({ delaySeconds: UNREADABLE_RETRY_SECONDS });
    return;
  }
  const { event_id: id, type } = parsed.data;
  try {
    const outcome = await task.run(deps, { id, payload: parsed.data.payload });
    deps.log.info("task", { type, event_id: id, attempt: message.attempts, done: outcome.done, note: outcome.note });
    if (outcome.done) message.ack();
    else message.retry({ delaySeconds: outcome.retryInSeconds });
  } catch (error) {
    deps.log.warn("task_failed", { type, event_id: id, attempt: message.attempts, reason: describeError(error) });
    message.retry({ delaySeconds: retrySeconds(message.attempts) });
  }
}
