import { sql } from "drizzle-orm";
import { deadLetters, outbox } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps } from "../deps.ts";
import { idForEachRow, insertFrom, instantOf, runBatch } from "./database.ts";
import { keptReason } from "./dead-letters.ts";
import { LEASE_MS, type OutboxRow } from "./outbox.ts";
import { MAX_PAYLOAD_BYTES } from "./payload-size.ts";

/** Why a queue did not take an event. */
export interface Refusal {
  reason: string;
  /** No queue will ever take it. */
  isFinal: boolean;
  /** The queue took another event at the same time: the refusal is about this one. */
  isQueueWorking: boolean;
}

/** Attempts after which an event that a working queue refuses becomes a dead letter. */
const MAX_ATTEMPTS = 12;
/** Age at which an event that was refused so often becomes a dead letter, whether or not its queue works. */
const MAX_AGE_MS = 24 * 60 * 60_000;
/** Attempts that follow each other as soon as a lease is over; from then on the delay doubles. */
const PROMPT_ATTEMPTS = 3;
const MAX_DELAY_MS = 60 * 60_000;

type SettleDeps = Pick<Deps, "db" | "now" | "newId" | "log">;

/**
 * Decides about events that a queue refused: one that can never go, or was refused too often, becomes a dead letter; one
 * that a working queue refuses waits longer after each attempt; all others keep their lease and go with a later tick.
 *
 * @returns how many became dead letters. Never throws: what is not recorded here goes with a later tick.
 */
export async function settleRefused(
  deps: SettleDeps,
  rows: readonly OutboxRow[],
  refusals: ReadonlyMap<string, Refusal>,
): Promise<number> {
  const hopeless: [string, string][] = [];
  const delays: [string, number][] = [];
  for (const { id, attempts, createdAt } of rows) {
    const refusal = refusals.get(id);
    if (!refusal) continue;
    const isTriedEnough = attempts >= MAX_ATTEMPTS && (refusal.isQueueWorking || deps.now() - createdAt >= MAX_AGE_MS);
    if (refusal.isFinal || isTriedEnough) hopeless.push([id, keptReason(`not relayed: ${refusal.reason}`)]);
    else if (refusal.isQueueWorking && attempts > PROMPT_ATTEMPTS)
      delays.push([id, Math.min(LEASE_MS * 2 ** (attempts - PROMPT_ATTEMPTS), MAX_DELAY_MS)]);
  }
  if (hopeless.length + delays.length === 0) return 0;
  try {
    return await recordRefused(deps, Object.fromEntries(hopeless), Object.fromEntries(delays));
  } catch {
    deps.log.warn("relay_not_marked", { events: hopeless.length + delays.length });
    return 0;
  }
}

async function recordRefused(
  deps: SettleDeps,
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
        // What must be erased is never kept, and a payload that is too large is not either.
        payload: sql`case when o.erase_at is null and length(cast(o.payload as blob)) <= ${MAX_PAYLOAD_BYTES} then o.payload end`,
        reason: sql`r.value`,
        attempts: sql`o.attempts`,
        createdAt: now,
      },
      sql`from json_each(${JSON.stringify(reasons)}) r cross join outbox o where o.id = r.key and o.sent_at is null`,
    ).returning({ id: deadLetters.id, queue: deadLetters.queue, reason: deadLetters.reason }),
    // Closed to the relay as if it were sent; a replay opens the row again.
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
