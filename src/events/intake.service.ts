import { raiseAlert } from "../platform/alerts.ts";
import { insertDeadLetter } from "../platform/data/dead-letters.ts";
import type { HomeKey } from "../platform/data/homes.ts";
import { fitsPayload, payloadRefusal } from "../platform/data/payload-size.ts";
import type { Deps } from "../platform/deps.ts";
import { jsonOf } from "../platform/json.ts";
import { describeError } from "../platform/log.ts";
import { type IntakeDeps, insertPlatformEvent } from "./intake.store.ts";
import { parsePlatformEvent, sourceName } from "./platform-event.ts";

/** Type that events of other services get in our queue and in dead letters. */
export const PLATFORM_EVENT = "platform.event";

/**
 * Result of recording an event. A refused event changes nothing. `fields` lists the invalid paths with the kind of
 * error, never with values.
 */
export type Recorded =
  | { accepted: true; duplicate: boolean }
  | { accepted: false; reason: "malformed"; fields: string[] }
  | { accepted: false; reason: "too_large" | "unknown_user" | "wrong_source" | "unknown_caller" };

/**
 * Applies an event of another service once, in any order and however often it is sent. Events of inactive and banned
 * users count, because they still own their rentals and money.
 *
 * @param source the authenticated sender, which must match the event's `source`. Undefined for events from the queue:
 *   only services of the platform are bound to it, so the event's own `source` is trusted.
 * @throws AppError `service_unavailable` if the database fails; the event may be sent again.
 */
export async function recordPlatformEvent(
  deps: IntakeDeps,
  source: string | undefined,
  given: unknown,
): Promise<Recorded> {
  const parsed = parsePlatformEvent(given, deps.now());
  if ("invalidFields" in parsed) return { accepted: false, reason: "malformed", fields: parsed.invalidFields };
  const { event } = parsed;
  if (source !== undefined && event.source !== source) return { accepted: false, reason: "wrong_source" };
  const outcome = await insertPlatformEvent(deps, event);
  if (outcome === "unknown_user") return { accepted: false, reason: outcome };
  return { accepted: true, duplicate: outcome === "known" };
}

/**
 * Records an event received by RPC. The props of the caller's binding identify the caller; a call without them is
 * refused. Malformed events, events over 64 KB of JSON and events of unknown users are refused too, and stored as dead
 * letters like those from the queue.
 */
export async function recordFromCaller(deps: Deps, props: unknown, given: unknown): Promise<Recorded> {
  const caller = sourceName.safeParse(props instanceof Object && "caller" in props ? props.caller : undefined);
  const outcome: Recorded = caller.success
    ? await recordFromService(deps, caller.data, given)
    : { accepted: false, reason: "unknown_caller" };
  const reason = outcome.accepted ? null : outcome.reason;
  deps.log.info("platform_event", { caller: caller.data ?? null, accepted: outcome.accepted, reason });
  if (reason === "malformed" || reason === "too_large" || reason === "unknown_user") {
    // The caller gets the refusal even if the dead letter cannot be stored.
    await storeRefused(deps, given, refusalOf(outcome)).catch((error) =>
      raiseAlert(deps, "dead_letter_lost", { reason: describeError(error) }),
    );
  }
  return outcome;
}

async function recordFromService(deps: IntakeDeps, source: string, given: unknown): Promise<Recorded> {
  // First, because a refusal that is stored can be replayed, and a replay trusts the event's own source.
  if (isOfOther(source, given)) return { accepted: false, reason: "wrong_source" };
  if (!fitsPayload(describeEvent(given).payload)) return { accepted: false, reason: "too_large" };
  return recordPlatformEvent(deps, source, given);
}

/** Whether the event, of any shape, names another service than the sender. */
function isOfOther(sender: string, given: unknown): boolean {
  const named = sourceName.safeParse(given instanceof Object && "source" in given ? given.source : undefined);
  return named.success && named.data !== sender;
}

/** Reason for the refusal, as text for the log and the dead letter. */
export function refusalOf(outcome: Recorded): string {
  if (outcome.accepted) return "accepted";
  return outcome.reason === "malformed" ? `malformed: ${outcome.fields.join(", ")}` : outcome.reason.replace("_", " ");
}

/** Extracts the ids and the payload that a dead letter records, from an event of any shape. */
export function describeEvent(given: unknown): { eventId: string | null; userId: string | null; payload: string } {
  const fields: Readonly<Record<string, unknown>> = given instanceof Object ? { ...given } : {};
  const text = (value: unknown, maxLength: number) =>
    typeof value === "string" && value.length <= maxLength ? value : null;
  const [source, id] = [text(fields.source, 64), text(fields.id, 100)];
  return {
    eventId: source && id ? `${source}:${id}` : null,
    userId: text(fields.user_id, 36)?.toLowerCase() ?? null,
    payload: jsonOf(given) ?? "null",
  };
}

/** Whose data an event of any shape concerns. An event without a user concerns nobody's; it is always refused. */
export function homeOfEvent(given: unknown): HomeKey {
  const { userId } = describeEvent(given);
  return userId === null ? "every" : { user: userId };
}

async function storeRefused(deps: Deps, given: unknown, reason: string): Promise<void> {
  const { eventId, userId, payload } = describeEvent(given);
  await insertDeadLetter(deps, {
    queue: "PlatformEvents",
    eventId: eventId ?? deps.newId(),
    type: PLATFORM_EVENT,
    userId,
    payload,
    reason: payloadRefusal(payload) ?? reason,
    attempts: 1,
  });
}
