import { z } from "zod";
import { describeEvent, PLATFORM_EVENT } from "../../events/intake.service.ts";

/** Queue message of an outbox event; the payload is JSON text. */
const envelope = z.object({
  event_id: z.string(),
  type: z.string(),
  user_id: z.string().nullable(),
  payload: z.string(),
  created_at: z.number(),
});
export type Envelope = z.infer<typeof envelope>;

/** The queue on which other services send their events unwrapped. */
const PLATFORM_QUEUE = "platform-events";

/** Fields that every event of another service has and none of our own messages has. */
const foreign = z.looseObject({ source: z.unknown(), occurred_at: z.unknown(), data: z.unknown() });

/**
 * Returns our own messages unchanged and wraps an event of another service, of any shape, as the payload of a
 * `platform.event`, so that both share retries, dead letters and replay. Undefined if the message is neither.
 */
export function readEnvelope(queue: string, message: Message): Envelope | undefined {
  const parsed = envelope.safeParse(message.body);
  if (!queue.endsWith(PLATFORM_QUEUE)) {
    if (parsed.success) return parsed.data;
    // The dead letter queue receives messages of all queues, so platform events arrive there too.
    if (!foreign.safeParse(message.body).success) return undefined;
  }
  const { eventId, userId, payload } = describeEvent(message.body);
  return {
    event_id: eventId ?? message.id,
    type: PLATFORM_EVENT,
    user_id: userId,
    payload,
    created_at: message.timestamp.getTime(),
  };
}
