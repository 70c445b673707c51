import { deadLetters } from "../db/platform-schema.ts";
import { inOneTrip } from "./database.ts";
import type { Deps } from "./deps.ts";

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

/** Keeps the message with its reason, for a person to look at and replay. */
export async function insertDeadLetter(
  deps: Pick<Deps, "db" | "now" | "newId" | "log">,
  letter: DeadLetter,
): Promise<void> {
  const row = { ...letter, id: deps.newId(), createdAt: deps.now() };
  await inOneTrip(deps, { kept: deps.db.insert(deadLetters).values(row) });
  deps.log.error("dead_letter", { dead_letter_id: row.id, queue: row.queue, reason: row.reason });
}
