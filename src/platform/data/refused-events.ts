import { sql } from "drizzle-orm";
import { deadLetters, outbox } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import { idForEachRow, insertFrom, instantOf, runBatch } from "./database.ts";
import { MAX_ATTEMPTS, truncateReason } from "./dead-letters.ts";
import { LEASE_MS, type OutboxRow } from "./outbox.ts";
import { MAX_PAYLOAD_BYTES } from "./payload-size.ts";

/** Why a queue refused an event. */
export interface Refusal {
  reason: string;
  /** No queue will ever accept it. */
  isFinal: boolean;
  /** The queue accepted another event at the same time, so the refusal concerns this event. */
  isQueueWorking: boolean;
}

/** Age at which an event refused that often becomes a dead letter even if its queue is down. */
const MAX_AGE_MS = DAY_MS;
/** Number of attempts that are made as soon as the lease is over; then the delay doubles. */
const PROMPT_ATTEMPTS = 3;
const MAX_DELAY_MS = HOUR_MS;

type RefusalDeps = Pick<Deps, "db" | "now" | "newId" | "log">;

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
  const failed: [string, string][] = [];
  const delays: [string, number][] = [];
  for (const { id, attempts, createdAt } of rows) {
    const refusal = refusals.get(id);
    if (!refusal) continue;
    const isExhausted = attempts >= MAX_ATTEMPTS && (refusal.isQueueWorking || deps.now() - createdAt >= MAX_AGE_MS);
    if (refusal.isFinal || isExhausted) failed.push([id, truncateReason(`not published: ${refusal.reason}`)]);
    else if (refusal.isQueueWorking && attempts > PROMPT_ATTEMPTS)
      delays.push([id, Math.min(LEASE_MS * 2 ** (attempts - PROMPT_ATTEMPTS), MAX_DELAY_MS)]);
  }
  if (failed.length + delays.length === 0) return 0;
  try {
    return await writeRefused(deps, Object.fromEntries(failed), Object.fromEntries(delays));
  } catch {
    deps.log.warn("publish_not_marked", { events: failed.length + delays.length });
    return 0;
  }
}

async function writeRefused(
  deps: RefusalDeps,
  reasons: Readonly<Record<string, string>>,
  delays: Readonly<Record<string, number>>,
): Promise<number> {
  const now = instantOf(deps.now());
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
        payload: sql`case when length(cast(o.payload as blob)) <= ${MAX_PAYLOAD_BYTES} then o.payload end`,
        reason: sql`r.value`,
        attempts: sql`o.attempts`,
        createdAt: now,
      },
      sql`from json_each(${JSON.stringify(reasons)}) r cross join outbox o where o.id = r.key and o.sent_at is null`,
    ).returning({ id: deadLetters.id, queue: deadLetters.queue, reason: deadLetters.reason }),
    // Marked as sent so that they are not published again; a replay resets the row.
    closed: deps.db
      .update(outbox)
      .set({ sentAt: now, payload: null })
      .where(sql`${outbox.id} in (select key from json_each(${JSON.stringify(reasons)})) and ${outbox.sentAt} is null`),
    postponed: deps.db
      .update(outbox)
      .set({
        leasedUntil: sql`${now} + (select value from json_each(${JSON.stringify(delays)}) where key = ${outbox.id})`,
      })
      .where(sql`${outbox.id} in (select key from json_each(${JSON.stringify(delays)})) and ${outbox.sentAt} is null`),
  });
  for (const { id, queue, reason } of letters) raiseAlert(deps, "dead_letter", { dead_letter_id: id, queue, reason });
  return letters.length;
}
