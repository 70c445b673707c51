import { sql } from "drizzle-orm";
import { deadLetters, outbox } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import { idForEachRow, insertFrom, instantOf, runBatch } from "./database.ts";
import { MAX_ATTEMPTS, truncateReason } from "./dead-letters.ts";
import { isOneOfEvents, LEASE_MS, type OutboxRow } from "./outbox.ts";
import { MAX_PAYLOAD_BYTES } from "./payload-size.ts";

/** Why a queue refused an event. */
export interface Refusal {
  reason: string;
  /** No queue will ever accept it. */
  isFinal: boolean;
  /** The queue accepted another event at the same time, so the refusal concerns this event. */
  isQueueWorking: boolean;
}

/** Age at which an event that was refused MAX_ATTEMPTS times becomes a dead letter even if its queue is down. */
const MAX_AGE_MS = DAY_MS;
/** Number of attempts that are made as soon as the lease is over; then the delay doubles. */
const PROMPT_ATTEMPTS = 3;
const MAX_DELAY_MS = HOUR_MS;

type RefusalDeps = Pick<Deps, "db" | "now" | "newId" | "log" | "keepsPayload">;

/**
 * Handles events that a queue refused. An event that can never be sent or was refused too often becomes a dead letter;
 * one that a working queue refuses waits longer after each attempt; all others keep their lease and are sent by a later
 * tick.
 *
 * @returns the number of dead letters. Never throws: events that cannot be recorded here are sent by a later tick.
 */
export async function recordRefusedEvents(
  deps: RefusalDeps,
  rows: readonly OutboxRow[],
  refusals: ReadonlyMap<string, Refusal>,
): Promise<number> {
  const failed: Told<string>[] = [];
  const delays: Told<number>[] = [];
  for (const { urgency, id, attempts, createdAt } of rows) {
    const refusal = refusals.get(id);
    if (!refusal) continue;
    const isExhausted = attempts >= MAX_ATTEMPTS && (refusal.isQueueWorking || deps.now() - createdAt >= MAX_AGE_MS);
    if (refusal.isFinal || isExhausted) failed.push([urgency, id, truncateReason(`not published: ${refusal.reason}`)]);
    else if (refusal.isQueueWorking && attempts > PROMPT_ATTEMPTS)
      delays.push([urgency, id, Math.min(LEASE_MS * 2 ** (attempts - PROMPT_ATTEMPTS), MAX_DELAY_MS)]);
  }
  if (failed.length + delays.length === 0) return 0;
  try {
    return await writeRefused(deps, failed, delays);
  } catch {
    deps.log.warn("publish_not_marked", { events: failed.length + delays.length });
    return 0;
  }
}

/** What is to be recorded about an event. */
type Told<T> = [urgency: number, id: string, value: T];

async function writeRefused(
  deps: RefusalDeps,
  reasons: readonly Told<string>[],
  delays: readonly Told<number>[],
): Promise<number> {
  const now = instantOf(deps.now());
  const failed = JSON.stringify(reasons);
  const delayed = JSON.stringify(delays);
  const { letters } = await runBatch(deps, {
    letters: insertFrom(
      deps,
      deadLetters,
      {
        id: idForEachRow(deps),
        queue: sql`o.queue`,
        eventId: sql`o.id`,
        type: sql`o.type`,
        userId: sql`o.user_id`,
        // Payloads that are too large are not stored.
        payload: sql`case when length(cast(o.payload as blob)) <= ${MAX_PAYLOAD_BYTES} and ${deps.keepsPayload} then o.payload end`,
        reason: sql`r.value ->> 2`,
        attempts: sql`o.attempts`,
        createdAt: now,
      },
      sql`from json_each(${failed}) r cross join outbox o where o.urgency = r.value ->> 0 and o.id = r.value ->> 1`,
    ).returning({ id: deadLetters.id, queue: deadLetters.queue, reason: deadLetters.reason }),
    // A replay inserts the event again.
    removed: deps.db.delete(outbox).where(isOneOfEvents(failed)),
    postponed: deps.db
      .update(outbox)
      .set({
        leasedUntil: sql`${now} + (select value ->> 2 from json_each(${delayed}) where value ->> 1 = ${outbox.id})`,
      })
      .where(isOneOfEvents(delayed)),
  });
  for (const { id, queue, reason } of letters) raiseAlert(deps, "dead_letter", { dead_letter_id: id, queue, reason });
  return letters.length;
}
