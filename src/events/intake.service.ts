import { raiseAlert } from "../platform/alerts.ts";
import { insertDeadLetter } from "../platform/data/dead-letters.ts";
import { fitsPayload, payloadRefusal } from "../platform/data/payload-size.ts";
import type { Deps } from "../platform/deps.ts";
import { jsonOf } from "../platform/json.ts";
import { describeError } from "../platform/log.ts";
import { type IntakeDeps, insertPlatformEvent } from "./intake.store.ts";
import { parsePlatformEvent, sourceName } from "./platform-event.ts";

/** The type under which an event of the platform travels through our own queue and stands among the dead letters. */
export const PLATFORM_EVENT = "platform.event";

/** What became of an event. A refused one changed nothing; `fields` are paths with the kind of misfit, never values. */
export type Recorded =
  | { accepted: true; duplicate: boolean }
  | { accepted: false; reason: "malformed"; fields: string[] }
  | { accepted: false; reason: "too_large" | "unknown_user" | "wrong_source" | "unknown_caller" };

/**
 * Does what an event of another service says, once, whatever comes when and how often. An account that is banned or
 * sleeps still owns its rentals and money, so that its events count.
 *
 * @param source who sent it, where the door knows: the event must say the same. Undefined for the queue, which only the
 *   platform's own services are bound to: the event's word counts.
 * @throws AppError `service_unavailable` when the database fails: the same event may be sent again.
 */
export async function recordPlatformEvent(
  deps: IntakeDeps,
  source: string | undefined,
  given: unknown,
): Promise<Recorded> {
  const parsed = parsePlatformEvent(given, deps.now());
  if ("misfits" in parsed) return { accepted: false, reason: "malformed", fields: parsed.misfits };
  const { event } = parsed;
  if (source !== undefined && event.source !== source) return { accepted: false, reason: "wrong_source" };
  const outcome = await insertPlatformEvent(deps, event);
  if (outcome === "unknown_user") return { accepted: false, reason: outcome };
  return { accepted: true, duplicate: outcome === "known" };
}

/**
 * The RPC entrypoint: the props of the caller's binding say who it is, and one without is refused. An event above 64 KB
 * of JSON, a malformed one and one of an unknown user are refused too, and stored as dead letters like those of the queue.
 */
export async function recordFromCaller(deps: Deps, props: unknown, given: unknown): Promise<Recorded> {
  const caller = sourceName.safeParse(props instanceof Object && "caller" in props ? props.caller : undefined);
  const outcome: Recorded = caller.success
    ? await recordFromService(deps, caller.data, given)
    : { accepted: false, reason: "unknown_caller" };
  const reason = outcome.accepted ? null : outcome.reason;
  deps.log.info("platform_event", { caller: caller.data ?? null, accepted: outcome.accepted, reason });
  if (reason === "malformed" || reason === "too_large" || reason === "unknown_user") {
    // The caller is told in any case.
    await keepRefused(deps, given, refusalOf(outcome)).catch((error) =>
      raiseAlert(deps, "dead_letter_lost", { reason: describeError(error) }),
    );
  }
  return outcome;
}

async function recordFromService(deps: IntakeDeps, source: string, given: unknown): Promise<Recorded> {
  if (!fitsPayload(describeEvent(given).payload)) return { accepted: false, reason: "too_large" };
  return recordPlatformEvent(deps, source, given);
}

/** Why the event was refused, in words for the log and the dead letter. */
export function refusalOf(outcome: Recorded): string {
  if (outcome.accepted) return "accepted";
  return outcome.reason === "malformed" ? `malformed: ${outcome.fields.join(", ")}` : outcome.reason.replace("_", " ");
}

/** What a dead letter says of an event of any shape. */
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

async function keepRefused(deps: Deps, given: unknown, reason: string): Promise<void> {
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
