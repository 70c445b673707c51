import { deadLetters } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { runBatch } from "./database.ts";
import { fitsPayload } from "./payload-size.ts";

/** A message that nobody could serve. */
export interface DeadLetter {
  queue: string;
  eventId: string | null;
  type: string | null;
  userId: string | null;
  /** JSON text; null where it must not be kept. */
  payload: string | null;
  /** What went wrong, without values of the payload. */
  reason: string;
  /** Stack frames of the last try, without the error's own words. */
  trace?: string | undefined;
  attempts: number;
}

const MAX_REASON_LENGTH = 1_000;
/** Longer than every id and type of an event; only a malformed message has longer ones. */
const MAX_NAME_LENGTH = 200;
const MAX_TRACE_LENGTH = 4_000;

/** The reason as a dead letter keeps it: at most 1,000 characters. */
export const keptReason = (reason: string): string => reason.slice(0, MAX_REASON_LENGTH);

/**
 * Stores the message with its reason, for a person to look at and replay, and raises an alert. Every text is bounded; a
 * payload above 64 KB is left out, and the reason says so.
 */
export async function insertDeadLetter(
  deps: Pick<Deps, "db" | "now" | "newId" | "log">,
  letter: DeadLetter,
): Promise<void> {
  const isKept = letter.payload === null || fitsPayload(letter.payload);
  const named = (name: string | null) => name?.slice(0, MAX_NAME_LENGTH) ?? null;
  const row = {
    queue: letter.queue,
    eventId: named(letter.eventId),
    type: named(letter.type),
    userId: named(letter.userId),
    payload: isKept ? letter.payload : null,
    reason: `${keptReason(letter.reason)}${isKept ? "" : " (payload too large to keep)"}`,
    trace: letter.trace?.slice(0, MAX_TRACE_LENGTH) ?? null,
    attempts: letter.attempts,
    id: deps.newId(),
    createdAt: deps.now(),
  };
  await runBatch(deps, { kept: deps.db.insert(deadLetters).values(row) });
  raiseAlert(deps, "dead_letter", { dead_letter_id: row.id, queue: row.queue, reason: row.reason });
}
