import { and, eq, inArray, isNotNull, lte, type SQL, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import type { Deps, QueueName } from "../deps.ts";
import { DAY_MS } from "../time.ts";
import { idForEachRow, insertFrom, insertWhere, instantOf, runBatch } from "./database.ts";
import { after } from "./prepared.ts";

/** How long an invocation's lease of an event lasts before another may publish it, in milliseconds. */
export const LEASE_MS = 30_000;

/**
 * How long sent events, marks of processed messages and delivery records are kept, in milliseconds: no queue keeps a
 * message for longer (Cloudflare Queues: at most 14 days).
 */
export const EVENT_KEPT_MS = 14 * DAY_MS;

export interface OutboxEvent {
  /** Generated if absent. */
  id?: string;
  type: string;
  userId?: string | SQL;
  /** JSON text or an SQL expression for it. */
  payload: string | SQL;
  /** Queue whose consumer has a task for the type. Do not record an event without a consumer. */
  queue: QueueName;
  /** When the payload must be erased, sent or not (epoch ms). */
  eraseAt?: number;
}

/**
 * Records an event in the batch of its cause. The row is leased from the start: the invocation publishes it after the
 * response, alone or with other events of the isolate. If that invocation dies first, the cron publishes the event when
 * the lease is over.
 */
export function recordEvent(
  deps: Pick<Deps, "db" | "now" | "newId" | "invocationId">,
  event: OutboxEvent,
  condition: SQL,
) {
  const now = deps.now();
  return insertWhere(
    deps,
    outbox,
    {
      id: event.id ?? deps.newId(),
      type: event.type,
      userId: event.userId ?? null,
      payload: event.payload,
      queue: event.queue,
      createdAt: now,
      eraseAt: event.eraseAt ?? null,
      leasedUntil: after(now, LEASE_MS),
      leasedBy: deps.invocationId,
      attempts: 1,
      sentAt: null,
    },
    condition,
  ).returning(publishedColumns);
}

/**
 * Like `recordEvent`, for each user that `from` selects (a FROM clause and what follows it). The next
 * cron tick publishes them, because there may be many.
 */
export function recordEventForEach(
  deps: Pick<Deps, "db" | "now" | "newId">,
  event: { type: string; queue: QueueName; userId: SQL },
  from: SQL,
) {
  const now = instantOf(deps.now());
  return insertFrom(
    deps,
    outbox,
    {
      id: idForEachRow(deps),
      type: event.type,
      userId: event.userId,
      payload: sql`json_object('user_id', ${event.userId})`,
      queue: event.queue,
      createdAt: now,
      leasedUntil: now,
      attempts: 0,
    },
    from,
  );
}

/** Columns that publishing an event needs. */
export const publishedColumns = {
  id: outbox.id,
  type: outbox.type,
  userId: outbox.userId,
  payload: outbox.payload,
  queue: outbox.queue,
  createdAt: outbox.createdAt,
  attempts: outbox.attempts,
};

/** Reads an event for publishing. */
export function selectEvent(deps: Pick<Deps, "db">, id: string) {
  return deps.db.select(publishedColumns).from(outbox).where(eq(outbox.id, id));
}

export type OutboxRow = { [K in keyof typeof publishedColumns]: (typeof outbox.$inferSelect)[K] };

/** Collects the events returned by `recordEvent` statements; absent results count as none. */
export function eventsOf(...results: readonly (readonly OutboxRow[] | undefined)[]): OutboxRow[] {
  return results.flatMap((rows) => rows ?? []);
}

/** Maximum payloads per statement and statements per tick: twice the codes of 100 sign-ins per second. */
const erased = { perStatement: 1_000, statements: 12 };

/**
 * Erases expired payloads, sent or not, so that they are never published; at most 12,000 per call.
 *
 * @returns the number of erased payloads.
 */
export async function eraseExpiredPayloads(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  let total = 0;
  for (let statement = 0; statement < erased.statements; statement++) {
    const count = await eraseChunk(deps);
    total += count;
    if (count < erased.perStatement) break;
  }
  return total;
}

async function eraseChunk(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  const { found } = await runBatch(deps, {
    found: deps.db
      .update(outbox)
      .set({ payload: null, queue: null })
      .where(
        inArray(
          outbox.id,
          deps.db
            .select({ id: outbox.id })
            .from(outbox)
            .where(and(isNotNull(outbox.eraseAt), isNotNull(outbox.payload), lte(outbox.eraseAt, deps.now())))
            .limit(erased.perStatement),
        ),
      )
      .returning({ id: outbox.id }),
  });
  return found.length;
}
