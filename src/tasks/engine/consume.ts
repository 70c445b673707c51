import { z } from "zod";
import { CODE_DUE } from "../../delivery/deliver-code.ts";
import { raiseAlert } from "../../platform/alerts.ts";
import { randomId } from "../../platform/crypto.ts";
import { insertDeadLetter, MAX_ATTEMPTS } from "../../platform/data/dead-letters.ts";
import { atHome, type HomeKey } from "../../platform/data/homes.ts";
import { payloadRefusal } from "../../platform/data/payload-size.ts";
import type { Deps } from "../../platform/deps.ts";
import { jsonOf, parseJson } from "../../platform/json.ts";
import { describeError, logWith, traceOf } from "../../platform/log.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";
import { findTask } from "./registry.ts";
import type { Task, TaskEvent } from "./task.ts";

/** Longest delay between attempts, in seconds. It is short for codes, because the user is waiting. */
const MAX_RETRY_SECONDS = { urgent: 10, other: 600 };

/** Runs the task of each message. A failing message is retried with growing delay and does not hold up the others. */
export async function consumeBatch(deps: Deps, batch: MessageBatch): Promise<void> {
  const readable = await Promise.all(batch.messages.map((message) => read(deps, batch.queue, message)));
  const received = readable.filter((each) => each !== undefined);
  const groups = Map.groupBy(received, ({ task, message }) => (task.check ? task : message));
  await Promise.all([...groups.values()].map((group) => run(deps, batch.queue, group)));
}

/** Stores messages that Cloudflare dead-lettered because no attempt completed. */
export async function storeDeadLetters(deps: Deps, batch: MessageBatch): Promise<void> {
  for (const message of batch.messages) {
    const event = readEnvelope(batch.queue, message);
    await deadLetter(deps, batch.queue, message, event, "no attempt completed");
  }
}

interface Received {
  message: Message;
  envelope: Envelope;
  event: TaskEvent;
  task: Task;
}

/**
 * Parses the message for its task. A message that no task can process is stored as a dead letter; undefined is
 * returned.
 */
async function read(deps: Deps, queue: string, message: Message): Promise<Received | undefined> {
  const envelope = readEnvelope(queue, message);
  const task = envelope && findTask(envelope.type);
  const refusal = envelope && payloadRefusal(envelope.payload);
  const payload = envelope && !refusal ? parseJson(envelope.payload) : undefined;
  if (!envelope || !task || payload === undefined) {
    const reason = !envelope ? "malformed message" : task ? "payload is not JSON" : "unknown type";
    await deadLetter(deps, queue, message, envelope, refusal ?? reason);
    return undefined;
  }
  const { event_id: id, type, user_id: userId, created_at: createdAt } = envelope;
  const event = { id, type, userId, payload, createdAt };
  try {
    task.check?.(event);
  } catch (error) {
    await retryOrDeadLetter(deps, queue, { message, envelope, event, task }, error);
    return undefined;
  }
  return { message, envelope, event, task };
}

/** Runs the task once for the whole group; its outcome applies to every message. */
async function run(deps: Deps, queue: string, group: Received[]): Promise<void> {
  const [first, ...others] = group;
  if (!first) return;
  const { task } = first;
  try {
    // Copies of one message may be in the same batch, so each run gets its own invocation id.
    const log = logWith(deps.log, { message_id: first.message.id, messages: group.length });
    const runDeps = { ...deps, log, invocationId: randomId(deps.randomBytes) };
    const outcome = await atHome(runDeps, homeOf(first, others), (home) =>
      task.run(home, first.event, ...others.map(({ event }) => event)),
    );
    for (const received of group) {
      const { message, envelope } = received;
      deps.log.info("task", { ...about(received), done: outcome.done, note: outcome.note });
      if (outcome.done) message.ack();
      else if ("isFinal" in outcome || retrySeconds(task, message.attempts) === undefined)
        await deadLetter(deps, queue, message, envelope, outcome.note);
      else message.retry({ delaySeconds: growingDelay(task, message.attempts, outcome.retryInSeconds) });
    }
  } catch (error) {
    await Promise.all(group.map((received) => retryOrDeadLetter(deps, queue, received, error)));
  }
}

/** The home of the group: several messages, or one without a user, may concern many users. */
function homeOf({ task, event }: Received, others: readonly Received[]): HomeKey {
  if (task.home) return task.home(event);
  return others.length > 0 || event.userId === null ? "every" : { user: event.userId };
}

async function retryOrDeadLetter(deps: Deps, queue: string, received: Received, error: unknown): Promise<void> {
  const { message, envelope, task } = received;
  const reason = error instanceof z.ZodError ? `payload: ${pathsOf(error)}` : describeError(error);
  deps.log.warn("task_failed", { ...about(received), reason });
  const delaySeconds = error instanceof z.ZodError ? undefined : retrySeconds(task, message.attempts);
  if (delaySeconds === undefined) await deadLetter(deps, queue, message, envelope, reason, traceOf(error));
  else message.retry({ delaySeconds });
}

const about = ({ task, event, message }: Received) => ({
  task: task.name,
  type: event.type,
  event_id: event.id,
  message_id: message.id,
  attempt: message.attempts,
});

/** The delay requested by the task, doubled after each attempt; urgent tasks get exactly the delay they request. */
function growingDelay(task: Task, attempts: number, seconds: number): number {
  if (task.isUrgent) return seconds;
  return Math.min(seconds * 2 ** (attempts - 1), Math.max(seconds, MAX_RETRY_SECONDS.other));
}

/**
 * The delay after an error in seconds, doubling from two unless the task defines its own; undefined after the last
 * attempt. Urgent messages have no last attempt: their task drops them once they expire.
 */
function retrySeconds(task: Task, attempts: number): number | undefined {
  if (task.retryDelays) return task.retryDelays[attempts - 1];
  if (task.isUrgent) return Math.min(2 ** attempts, MAX_RETRY_SECONDS.urgent);
  return attempts < MAX_ATTEMPTS ? Math.min(2 ** attempts, MAX_RETRY_SECONDS.other) : undefined;
}

/**
 * Stores the message as a dead letter, without its payload if it sends a code, and acknowledges it. If it cannot be
 * stored, the message is retried.
 */
async function deadLetter(
  deps: Deps,
  queue: string,
  message: Message,
  event: Envelope | undefined,
  reason: string,
  trace?: string,
): Promise<void> {
  const payload = event?.payload ?? jsonOf(message.body) ?? "";
  const letter = {
    queue,
    eventId: event?.event_id ?? null,
    type: event?.type ?? null,
    userId: event?.user_id ?? null,
    // The message of a code names a person, and is of no use once the code has expired.
    payload: event?.type === CODE_DUE ? null : payload,
    reason,
    trace,
    attempts: message.attempts,
  };
  try {
    const { userId } = letter;
    await atHome(deps, userId === null ? "every" : { user: userId }, (home) => insertDeadLetter(home, letter));
    message.ack();
  } catch (error) {
    raiseAlert(deps, "message_failed", { queue, reason: describeError(error) });
    message.retry({ delaySeconds: MAX_RETRY_SECONDS.other });
  }
}

function pathsOf(error: z.ZodError): string {
  return error.issues.map(({ path, code }) => `${path.join(".")} ${code}`).join(", ");
}
