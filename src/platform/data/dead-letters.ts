import { sql } from "drizzle-orm";
import { deadLetters } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { cut, storable } from "../http/text.ts";
import { insertFrom, instantOf, runBatch } from "./database.ts";
import { fitsPayload } from "./payload-size.ts";

/** A message that could not be processed. */
export interface DeadLetter {
  queue: string;
  eventId: string | null;
  type: string | null;
  userId: string | null;
  /** JSON text; null if it must not be stored. */
  payload: string | null;
  /** Reason for the failure, without values from the payload. */
  reason: string;
  /** Stack frames of the last attempt, without the error message. */
  trace?: string | undefined;
  attempts: number;
}

/** Number of attempts before a message, or an event that a working queue refuses, becomes a dead letter. */
export const MAX_ATTEMPTS = 12;

const MAX_REASON_LENGTH = 1_000;
/** Longer than any valid id or event type. */
const MAX_NAME_LENGTH = 200;
const MAX_TRACE_LENGTH = 4_000;

/** The reason as a dead letter stores it: at most 1,000 characters, none of them a control character. */
export const truncateReason = (reason: string): string => storable(reason, MAX_REASON_LENGTH);

/**
 * Stores the message with its reason, for an operator to inspect and replay, and raises an alert. All texts are
 * truncated, and well-formed whatever their sender wrote. A payload is left out if it is over 64 KB, which the reason
 * says, or if its user's account has been deleted.
 */
export async function insertDeadLetter(
  deps: Pick<Deps, "db" | "now" | "newId" | "log" | "keepsPayload">,
  letter: DeadLetter,
): Promise<void> {
  const isStorable = letter.payload === null || fitsPayload(letter.payload);
  const truncateName = (name: string | null) => (name === null ? null : storable(name, MAX_NAME_LENGTH));
  const row = {
    queue: letter.queue,
    eventId: truncateName(letter.eventId),
    type: truncateName(letter.type),
    userId: truncateName(letter.userId),
    reason: `${truncateReason(letter.reason)}${isStorable ? "" : " (payload too large to store)"}`,
    trace: letter.trace === undefined ? null : cut(letter.trace.toWellFormed(), MAX_TRACE_LENGTH),
    attempts: letter.attempts,
    id: deps.newId(),
    createdAt: deps.now(),
  };
  const payload = isStorable ? letter.payload : null;
  await runBatch(deps, {
    stored: insertFrom(
      deps,
      deadLetters,
      { ...row, createdAt: instantOf(row.createdAt), payload: sql`case when ${deps.keepsPayload} then o.payload end` },
      sql`from (select ${row.userId} as user_id, ${row.type} as type, ${payload} as payload) o`,
    ),
  });
  raiseAlert(deps, "dead_letter", { dead_letter_id: row.id, queue: row.queue, reason: row.reason });
}
