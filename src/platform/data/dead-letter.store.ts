import { and, type SQL, sql } from "drizzle-orm";
import { urgencySql } from "../../db/event-urgency.ts";
import { deadLetters, outbox } from "../../db/platform-schema.ts";
import type { Deps } from "../deps.ts";
import { insertFrom, instantOf } from "./database.ts";

type LetterDeps = Pick<Deps, "db" | "now">;

/** The row of `dead_letters` waits for a decision: it was neither replayed nor discarded. */
export const isWaiting: SQL = sql.raw("replayed_at is null and discarded_at is null");

/** The row can be replayed: it waits, and it has an event with a payload. */
export const isReplayable: SQL = sql.raw(
  "replayed_at is null and discarded_at is null and type is not null and event_id is not null and payload is not null",
);

/** The row can be replayed with a payload that replaces its own, which may be missing. */
export const isReplayableWith: SQL = sql.raw(
  "replayed_at is null and discarded_at is null and type is not null and event_id is not null",
);

/**
 * Statements that replay dead letters, each once: they insert their events into the outbox as due, where an event with
 * several dead letters is inserted once, and then mark the letters. The next cron tick publishes the events.
 *
 * @param which the rows, all of them replayable.
 * @param payload SQL for the payload, if it is not the letter's own.
 */
export function replayLetters(deps: LetterDeps, which: SQL, payload: SQL = sql`payload`) {
  // Oldest first, so that the newest payload of an event stays.
  const letters = sql`from (select * from dead_letters where ${which} order by created_at, id) where true`;
  return {
    putBack: insertFrom(
      deps,
      outbox,
      {
        urgency: sql.raw(urgencySql("type")),
        id: sql`event_id`,
        type: sql`type`,
        userId: sql`user_id`,
        payload,
        queue: "tasks",
        createdAt: sql`created_at`,
        leasedUntil: sql`0`,
        attempts: sql`0`,
      },
      letters,
    ).onConflictDoUpdate({
      target: [outbox.urgency, outbox.id],
      set: { payload: sql`excluded.payload`, queue: "tasks", leasedUntil: 0, leasedBy: null, attempts: 0 },
    }),
    replayed: deps.db
      .update(deadLetters)
      .set({ replayedAt: instantOf(deps.now()) })
      .where(which)
      .returning({ id: deadLetters.id, type: deadLetters.type }),
  };
}

/** The statement that discards dead letters: they will not be replayed. */
export function discardLetters(deps: LetterDeps, which: SQL) {
  return deps.db
    .update(deadLetters)
    .set({ discardedAt: instantOf(deps.now()) })
    .where(and(isWaiting, which))
    .returning({ id: deadLetters.id, type: deadLetters.type });
}
