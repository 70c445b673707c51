import { type SQL, sql } from "drizzle-orm";
import { urgencyOf } from "../../db/event-urgency.ts";
import { outbox } from "../../db/platform-schema.ts";
import type { Deps, QueueName } from "../deps.ts";
import { DAY_MS } from "../time.ts";
import { idForEachRow, insertFrom, insertWhere, instantOf } from "./database.ts";
import type { BuilderDeps, Value } from "./prepared.ts";

/** How long an invocation's lease of an event lasts before another may publish it, in milliseconds. */
export const LEASE_MS = 30_000;

/**
 * How long marks of processed messages and delivery records are kept, in milliseconds: no queue keeps a message for
 * longer (Cloudflare Queues: at most 14 days).
 */
export const EVENT_KEPT_MS = 14 * DAY_MS;

export interface OutboxEvent {
  type: string;
  userId?: Value<string>;
  /** JSON text or an SQL expression for it. */
  payload: string | SQL;
  /** Queue whose consumer has a task for the type. Do not record an event without a consumer. */
  queue: OutboxQueue;
}

/** Queues of recorded events. The messages of codes are recorded in `otp_challenges`. */
export type OutboxQueue = Exclude<QueueName, "otp">;

/**
 * Records an event in the batch of its cause. The row is leased from the start: the invocation publishes it after the
 * response, alone or with other events of the isolate. If that invocation dies first, the cron publishes the event when
 * the lease is over.
 */
export function recordEvent(deps: BuilderDeps, event: OutboxEvent, condition: SQL) {
  const now = deps.now();
  return insertWhere(
    deps,
    outbox,
    {
      urgency: urgencyOf(event.type),
      id: deps.newId(),
      type: event.type,
      userId: event.userId ?? null,
      payload: event.payload,
      queue: event.queue,
      createdAt: now,
      leasedUntil: sql`${now} + ${LEASE_MS}`,
      leasedBy: deps.invocationId,
      attempts: 1,
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
      urgency: urgencyOf(event.type),
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

/** The row of `outbox` is one of these. @param keys JSON array of `[urgency, id, …]`. */
export function isOneOfEvents(keys: Value<string>): SQL {
  return sql`(${outbox.urgency}, ${outbox.id}) in (select value ->> 0, value ->> 1 from json_each(${keys}))`;
}

/** Columns that publishing an event needs. */
export const publishedColumns = {
  urgency: outbox.urgency,
  id: outbox.id,
  type: outbox.type,
  userId: outbox.userId,
  payload: outbox.payload,
  queue: outbox.queue,
  createdAt: outbox.createdAt,
  attempts: outbox.attempts,
};

export type OutboxRow = { [K in keyof typeof publishedColumns]: (typeof outbox.$inferSelect)[K] };

/** Collects the events returned by `recordEvent` statements; absent results count as none. */
export function eventsOf(...results: readonly (readonly OutboxRow[] | undefined)[]): OutboxRow[] {
  return results.flatMap((rows) => rows ?? []);
}
