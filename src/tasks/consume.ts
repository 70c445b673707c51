import { z } from "zod";
import { randomId } from "../platform/crypto.ts";
import type { Deps } from "../platform/deps.ts";
import { describeError, traceOf } from "../platform/log.ts";
import { insertDeadLetter } from "./dead-letter.store.ts";
import { findTask } from "./registry.ts";
import type { Task } from "./task.ts";

/** What the relay puts into a queue; the payload is JSON text. */
const envelope = z.object({
  event_id: z.string(),
  type: z.string(),
  user_id: z.string().nullable(),
  payload: z.string(),
  created_at: z.number(),
});
type Envelope = z.infer<typeof envelope>;

/** Field of a payload that carries a sealed code; such a payload is never kept. */
export const SEALED_FIELD = "sealed_code";
/** Tries of a message before it is a dead letter. One that expires has no such limit: its task lets go of it. */
const MAX_ATTEMPTS = 12;
/** Longest delay between tries, in seconds; a person waits for a code, nobody for the rest. */
const MAX_RETRY_SECONDS = { urgent: 10, other: 600 };

/** Runs each message's task on its own: one that fails is retried with growing delay and holds no other back. */
export async function consumeBatch(deps: Deps, batch: MessageBatch): Promise<void> {
  await Promise.all(
    batch.messages.map((message) =>
      consume(deps, batch.queue, message).catch((error) => {
        // Not even the dead letter could be kept.
        deps.log.error("message_failed", { queue: batch.queue, reason: describeError(error) });
        message.retry({ delaySeconds: MAX_RETRY_SECONDS.other });
      }),
    ),
  );
}

/** Keeps what the platform gave up on, since no try of ours came to its end. */
export async function keepDeadLetters(deps: Deps, batch: MessageBatch): Promise<void> {
  for (const message of batch.messages) {
    const parsed = envelope.safeParse(message.body);
    const event = parsed.success ? parsed.data : undefined;
    await bury(deps, batch.queue, message, event, "no try came to its end").catch(() => message.retry());
  }
}

async function consume(deps: Deps, queue: string, message: Message): Promise<void> {
  const parsed = envelope.safeParse(message.body);
  const task = parsed.success ? findTask(parsed.data.type) : undefined;
  const payload = parsed.success ? parseJson(parsed.data.payload) : undefined;
  if (!parsed.success || !task || payload === undefined) {
    const reason = !parsed.success ? "malformed message" : task ? "payload is not JSON" : "unknown type";
    await bury(deps, queue, message, parsed.success ? parsed.data : undefined, reason);
    return;
  }
  const { event_id: id, type, user_id: userId, created_at: createdAt } = parsed.data;
  const about = { task: task.name, type, event_id: id, attempt: message.attempts };
  try {
    // Copies of one message may share a batch: each try has marks of its own.
    const own = { ...deps, attemptId: randomId(deps.randomBytes) };
    const outcome = await task.run(own, { id, type, userId, payload, createdAt });
    deps.log.info("task", { ...about, done: outcome.done, note: outcome.note });
    if (outcome.done) message.ack();
    else if (retrySeconds(task, message.attempts) === undefined)
      await bury(deps, queue, message, parsed.data, outcome.note);
    else message.retry({ delaySeconds: outcome.retryInSeconds });
  } catch (error) {
    const reason = error instanceof z.ZodError ? `payload: ${pathsOf(error)}` : describeError(error);
    deps.log.warn("task_failed", { ...about, reason });
    const delaySeconds = error instanceof z.ZodError ? undefined : retrySeconds(task, message.attempts);
    if (delaySeconds === undefined) await bury(deps, queue, message, parsed.data, reason, traceOf(error));
    else message.retry({ delaySeconds });
  }
}

/** Grows by doubling from two seconds, unless the task says otherwise; undefined after its last try. */
function retrySeconds(task: Task, attempts: number): number | undefined {
  if (task.retryDelays) return task.retryDelays[attempts - 1];
  if (task.isUrgent) return Math.min(2 ** attempts, MAX_RETRY_SECONDS.urgent);
  return attempts < MAX_ATTEMPTS ? Math.min(2 ** attempts, MAX_RETRY_SECONDS.other) : undefined;
}

/** Keeps the message as a dead letter, unless it may hold a sealed code, and lets go of it. */
async function bury(
  deps: Deps,
  queue: string,
  message: Message,
  event: Envelope | undefined,
  reason: string,
  trace?: string,
): Promise<void> {
  const payload = event?.payload ?? JSON.stringify(message.body) ?? "";
  await insertDeadLetter(deps, {
    queue,
    eventId: event?.event_id ?? null,
    type: event?.type ?? null,
    userId: event?.user_id ?? null,
    payload: payload.includes(SEALED_FIELD) ? null : payload,
    reason,
    trace,
    attempts: message.attempts,
  });
  message.ack();
}

/** Undefined where the text is not JSON; the parser's own words would quote it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pathsOf(error: z.ZodError): string {
  return error.issues.map(({ path, code }) => `${path.join(".")} ${code}`).join(", ");
}
