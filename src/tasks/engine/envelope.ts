import { z } from "zod";
import { describeEvent, PLATFORM_EVENT } from "../../events/intake.service.ts";

/** What the relay puts into a queue; the payload is JSON text. */
const envelope = z.object({
  event_id: z.string(),
  type: z.string(),
  user_id: z.string().nullable(),
  payload: z.string(),
  created_at: z.number(),
});
export type Envelope = z.infer<typeof envelope>;

/** The queue whose messages are events of other services, as they are. */
const PLATFORM_QUEUE = "platform-events";

/** What every event of another service names, and none of our own messages does. */
const foreign = z.looseObject({ source: z.unknown(), occurred_at: z.unknown(), data: z.unknown() });

/**
 * The message as the consumer takes it: one of our own as it is, an event of another service, of whatever shape, as the
 * payload of a `platform.event`; so that both have one way of retries, dead letters and replay. Undefined for what is
 * neither.
 */
export function readEnvelope(queue: string, message: Message): Envelope | undefined {
  const parsed = envelope.safeParse(message.body);
  if (!queue.endsWith(PLATFORM_QUEUE)) {
    if (parsed.success) return parsed.data;
    // The dead letters of every queue end in one.
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
