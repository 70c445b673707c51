import type { Deps, QueueName } from "../deps.ts";
import { describeError } from "../log.ts";
import { DeadlineError, withDeadline } from "./database.ts";
import { byteLength, MAX_PAYLOAD_BYTES } from "./payload-size.ts";

/** What travels in a queue message. */
export interface EventMessage {
  event_id: string;
  type: string;
  user_id: string | null;
  payload: string;
  created_at: number;
}

/** An event that a queue did not take. */
export interface RefusedEvent {
  event: EventMessage;
  reason: string;
  /** No queue will ever take it. */
  isFinal: boolean;
}

export interface SendOutcome {
  /** How many events the queue took. */
  accepted: number;
  refused: RefusedEvent[];
  /** How often the queue was called. */
  calls: number;
}

/** A queue takes 128 KB in one message (Cloudflare Queues limits), which holds the payload as an escaped text. */
const MAX_MESSAGE_BYTES = 127_000;
/** A queue takes 256 KB in one `sendBatch` (Cloudflare Queues limits); the rest is room for the queue's own headers. */
const MAX_BATCH_BYTES = 200_000;
/** A queue takes at most 100 messages in one `sendBatch`. */
const MAX_BATCH_SIZE = 100;

/**
 * Sends the events to the queue in as few calls as its limits allow. The events of a call that fails are sent again one
 * by one, so that an event which the queue does not take holds no other back; consumers know an event that comes twice
 * by its id. After a call that was not answered in time the events count as refused, since more calls would hang too.
 */
export async function sendEach(
  deps: Pick<Deps, "queues">,
  queue: QueueName,
  events: readonly EventMessage[],
): Promise<SendOutcome> {
  const outcome: SendOutcome = { accepted: 0, refused: [], calls: 0 };
  const send = async (batch: readonly EventMessage[]): Promise<unknown> => {
    outcome.calls += 1;
    const messages = batch.map((body) => ({ body, contentType: "json" as const }));
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
  await Promise.all(divide(events, outcome.refused).map(sendOrSplit));
  return outcome;
}

/** Sends the events to the queue. @throws Error with the reason of the first event that the queue did not take. */
export async function sendEvents(deps: Pick<Deps, "queues">, queue: QueueName, events: EventMessage[]): Promise<void> {
  const { refused } = await sendEach(deps, queue, events);
  if (refused[0]) throw new Error(refused[0].reason);
}

/** Divides the events into what one call carries; those whose payload no event may have are refused for good. */
function divide(events: readonly EventMessage[], refused: RefusedEvent[]): EventMessage[][] {
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
