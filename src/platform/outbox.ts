import { and, eq, inArray, isNotNull, isNull, lte, type SQL, sql } from "drizzle-orm";
import { outbox } from "../db/platform-schema.ts";
import { idForEachRow, inOneTrip, insertFrom, insertWhere, instantOf, withDeadline } from "./database.ts";
import type { Deps, QueueName } from "./deps.ts";
import { describeError } from "./log.ts";
import { after } from "./prepared.ts";

/** How long one invocation may hold events before another relays them. */
const LEASE_MS = 30_000;
/** Events a claim takes at most: the most that one `sendBatch` carries. */
const CLAIM_SIZE = 100;
/** Claims one cron tick makes at most. */
const CLAIMS_PER_TICK = 10;
/** Events that a second queue hears of too, in a message of another type: one row serves both. */
const ECHOES: Readonly<Record<string, { queue: QueueName; type: string }>> = Object.fromEntries(
  ["user.created", "user.updated", "user.deleted"].map((type) => [type, { queue: "search", type: "user_search.due" }]),
);

export interface OutboxEvent {
  /** Made here where absent. */
  id?: string;
  type: string;
  userId?: string | SQL;
  /** JSON text, or SQL that gives it. */
  payload: string | SQL;
  /** Absent while nothing consumes the type: the row then waits unrelayed. */
  queue?: QueueName;
  /** When the payload must be gone, sent or not. */
  eraseAt?: number;
}

/**
 * The statement that records an event in the batch of its cause. The row is born leased to this invocation, which
 * relays it right after the response; if it dies first, the cron relays it when the lease is over.
 */
export function recordEvent(
  deps: Pick<Deps, "db" | "now" | "newId" | "attemptId">,
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
      queue: event.queue ?? null,
      createdAt: now,
      eraseAt: event.eraseAt ?? null,
      leasedUntil: after(now, LEASE_MS),
      leasedBy: deps.attemptId,
      attempts: 1,
      sentAt: null,
    },
    condition,
  ).returning(relayed);
}

/**
 * As `recordEvent`, an event for each user that `from` (a FROM clause and what follows it, of rows with a
 * `users.id`) gives; left to the next cron tick, since there may be many.
 */
export function recordEventForEach(
  deps: Pick<Deps, "db" | "now" | "newId">,
  event: { type: string; queue: QueueName },
  from: SQL,
) {
  const now = instantOf(deps.now());
  return insertFrom(
    deps,
    outbox,
    {
      id: idForEachRow(deps),
      type: event.type,
      userId: sql`users.id`,
      payload: sql`json_object('user_id', users.id)`,
      queue: event.queue,
      createdAt: now,
      leasedUntil: now,
      attempts: 0,
    },
    from,
  );
}

const relayed = {
  id: outbox.id,
  type: outbox.type,
  userId: outbox.userId,
  payload: outbox.payload,
  queue: outbox.queue,
  createdAt: outbox.createdAt,
};

/** The statement that reads an event as the relay takes it. */
export function selectEvent(deps: Pick<Deps, "db">, id: string) {
  return deps.db.select(relayed).from(outbox).where(eq(outbox.id, id));
}

export type OutboxRow = { [K in keyof typeof relayed]: (typeof outbox.$inferSelect)[K] };

/** What travels in a queue message. */
export interface EventMessage {
  event_id: string;
  type: string;
  user_id: string | null;
  payload: string;
  created_at: number;
}

type RelayDeps = Pick<Deps, "db" | "queues" | "now" | "log" | "attemptId">;

/** Sends the rows to their queues and marks them sent. What fails stays leased and is relayed by a later tick. */
export async function relay(deps: RelayDeps, rows: OutboxRow[]): Promise<{ sent: number; failed: number }> {
  const sendable = rows.filter((row) => row.queue !== null && row.payload !== null);
  const messages = sendable.flatMap((row) => {
    const own = { queue: row.queue as QueueName, message: toMessage(row) };
    const echo = ECHOES[row.type];
    return echo ? [own, { queue: echo.queue, message: { ...own.message, type: echo.type } }] : [own];
  });
  const failed = new Set<string>();
  await Promise.all(
    [...Map.groupBy(messages, ({ queue }) => queue)].map(async ([queue, group]) => {
      try {
        await sendEvents(
          deps,
          queue,
          group.map(({ message }) => message),
        );
      } catch (error) {
        for (const { message } of group) failed.add(message.event_id);
        deps.log.warn("relay_failed", { queue, events: group.length, reason: describeError(error) });
      }
    }),
  );
  const sent = sendable.map(({ id }) => id).filter((id) => !failed.has(id));
  // Unmarked they are sent once more when the lease is over; their consumers know them by their id.
  if (sent.length > 0)
    await markSent(deps, sent).catch(() => deps.log.warn("relay_not_marked", { events: sent.length }));
  return { sent: sent.length, failed: sendable.length - sent.length };
}

/** Puts messages into a queue: at most 100, as one call takes. */
export async function sendEvents(deps: Pick<Deps, "queues">, queue: QueueName, events: EventMessage[]): Promise<void> {
  const messages = events.map((body) => ({ body, contentType: "json" as const }));
  await withDeadline(deps.queues[queue].sendBatch(messages));
}

function toMessage(row: OutboxRow): EventMessage {
  return {
    event_id: row.id,
    type: row.type,
    user_id: row.userId,
    payload: row.payload ?? "{}",
    created_at: row.createdAt,
  };
}

async function markSent(deps: RelayDeps, ids: string[]): Promise<void> {
  await inOneTrip(deps, {
    mark: deps.db
      .update(outbox)
      .set({
        sentAt: deps.now(),
        payload: sql`case when ${outbox.eraseAt} is null then ${outbox.payload} end`,
      })
      .where(sql`${outbox.id} in (select value from json_each(${JSON.stringify(ids)}))`),
  });
}

/** Relays what no living invocation holds; bounded, and safe to run several times at once: each claim is a lease. */
export async function relayDueEvents(deps: RelayDeps): Promise<{ sent: number; failed: number }> {
  const total = { sent: 0, failed: 0 };
  for (let round = 0; round < CLAIMS_PER_TICK; round++) {
    const now = deps.now();
    const due = and(isNull(outbox.sentAt), isNotNull(outbox.queue), lte(outbox.leasedUntil, now));
    const { claimed } = await inOneTrip(deps, {
      claimed: deps.db
        .update(outbox)
        .set({
          leasedUntil: now + LEASE_MS,
          leasedBy: deps.attemptId,
          attempts: sql`${outbox.attempts} + 1`,
        })
        .where(
          inArray(
            outbox.id,
            deps.db
              .select({ id: outbox.id })
              .from(outbox)
              .where(and(due, isNotNull(outbox.payload)))
              .limit(CLAIM_SIZE),
          ),
        )
        .returning(relayed),
    });
    const outcome = await relay(deps, claimed);
    total.sent += outcome.sent;
    total.failed += outcome.failed;
    if (claimed.length < CLAIM_SIZE) break;
  }
  return total;
}

/** Erases payloads whose time is over, sent or not, and closes their rows to the relay; at most 500 a call. */
export async function eraseExpiredPayloads(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  const { erased } = await inOneTrip(deps, {
    erased: deps.db
      .update(outbox)
      .set({ payload: null, queue: null })
      .where(
        inArray(
          outbox.id,
          deps.db
            .select({ id: outbox.id })
            .from(outbox)
            .where(and(isNotNull(outbox.eraseAt), isNotNull(outbox.payload), lte(outbox.eraseAt, deps.now())))
            .limit(500),
        ),
      )
      .returning({ id: outbox.id }),
  });
  return erased.length;
}
