import type { Deps, QueueName } from "../deps.ts";
import { describeError } from "../log.ts";
import { DeadlineError, withDeadline } from "./database.ts";
import { byteLength, MAX_PAYLOAD_BYTES } from "./payload-size.ts";

/** Body of a queue message. */
export interface EventMessage {
  event_id: string;
  type: string;
  user_id: string | null;
  payload: string;
  created_at: number;
}

/** An event that a queue refused. */
export interface RefusedEvent {
  event: EventMessage;
  reason: string;
  /** No queue will ever accept it. */
  isFinal: boolean;
}

export interface SendOutcome {
  /** Number of accepted events. */
  accepted: number;
  refused: RefusedEvent[];
  /** Number of queue calls. */
  calls: number;
}

/**
 * Queues accepts messages of up to 128 KB (Cloudflare Queues limits), in which the payload is a JSON-escaped string.
 */
const MAX_MESSAGE_BYTES = 127_000;
/** Queues accepts 256 KB per `sendBatch` (Cloudflare Queues limits); the rest is reserved for headers. */
const MAX_BATCH_BYTES = 200_000;
/** Queues accepts at most 100 messages per `sendBatch`. */
const MAX_BATCH_SIZE = 100;

/**
 * Sends the events in as few calls as the limits of Queues allow. If a call fails, its events are sent again one by
 * one, so that one refused event does not block others; consumers recognise duplicates by their id. After a timeout the
 * events count as refused, because further calls would hang too.
 *
 * @param delaySeconds how long the queue holds them before it delivers them.
 */
export async function sendEach(
  deps: Pick<Deps, "queues">,
  queue: QueueName,
  events: readonly EventMessage[],
  delaySeconds = 0,
): Promise<SendOutcome> {
  const delay = delaySeconds > 0 ? { delaySeconds } : {};
  const outcome: SendOutcome = { accepted: 0, refused: [], calls: 0 };
  const send = async (batch: readonly EventMessage[]): Promise<unknown> => {
    outcome.calls += 1;
    const messages = batch.map((body) => ({ body, contentType: "json" as const, ...delay }));
    try {
      await withDeadline(deps.queues[queue].sendBatch(messages));
      outcome.accepted += batch.length;
      return undefined;
    } catch (error) {
      return error ?? new Error("refused without an error");
    }
  };
  const refuse = (batch: readonly EventMessage[], error: unknown) => {
    for (const event of batch) outcome.refused.push({ event, reason: describeError(error), isFinal: false });
  };
  const sendOrSplit = async (batch: readonly EventMessage[]): Promise<void> => {
    const error = await send(batch);
    if (error === undefined) return;
    if (batch.length === 1 || error instanceof DeadlineError) return refuse(batch, error);
    await Promise.all(
      batch.map(async (event) => {
        const own = await send([event]);
        if (own !== undefined) refuse([event], own);
      }),
    );
  };
  await Promise.all(splitIntoBatches(events, outcome.refused).map(sendOrSplit));
  return outcome;
}

/** Sends the events to the queue. @throws Error with the reason of the first refused event. */
export async function sendEvents(deps: Pick<Deps, "queues">, queue: QueueName, events: EventMessage[]): Promise<void> {
  const { refused } = await sendEach(deps, queue, events);
  if (refused[0]) throw new Error(refused[0].reason);
}

/** Splits the events into batches within the limits; events whose payload is too large are refused permanently. */
function splitIntoBatches(events: readonly EventMessage[], refused: RefusedEvent[]): EventMessage[][] {
  const batches: EventMessage[][] = [];
  let room = 0;
  for (const event of events) {
    const [payloadBytes, bytes] = [byteLength(event.payload), byteLength(JSON.stringify(event))];
    if (payloadBytes > MAX_PAYLOAD_BYTES || bytes > MAX_MESSAGE_BYTES) {
      const reason = `too large: payload of ${payloadBytes} bytes, message of ${bytes}`;
      refused.push({ event, reason, isFinal: true });
      continue;
    }
    if (bytes > room || batches.at(-1)?.length === MAX_BATCH_SIZE) {
      batches.push([]);
      room = MAX_BATCH_BYTES;
    }
    batches.at(-1)?.push(event);
    room -= bytes;
  }
  return batches;
}
