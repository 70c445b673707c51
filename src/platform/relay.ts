import { and, inArray, isNotNull, isNull, lte, sql } from "drizzle-orm";
import { outbox } from "../db/platform-schema.ts";
import { inOneTrip, withDeadline } from "./database.ts";
import type { Deps, QueueName } from "./deps.ts";
import { describeError } from "./log.ts";
import { LEASE_MS, type OutboxRow, relayed } from "./outbox.ts";
import { derived, prepared, type StatementDeps } from "./prepared.ts";

/** Events a claim takes at most: the most that one `sendBatch` carries. */
const CLAIM_SIZE = 100;
/** Claims one cron tick makes at most. */
const CLAIMS_PER_TICK = 10;
/** Events that a second queue hears of too, in a message of another type: one row serves both. */
const ECHOES: Readonly<Record<string, { queue: QueueName; type: string }>> = Object.fromEntries(
  ["user.created", "user.updated", "user.deleted"].map((type) => [type, { queue: "search", type: "user_search.due" }]),
);

/** What travels in a queue message. */
export interface EventMessage {
  event_id: string;
  type: string;
  user_id: string | null;
  payload: string;
  created_at: number;
}

type RelayDeps = StatementDeps & Pick<Deps, "queues" | "log">;

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
    await inOneTrip(deps, markStatements(deps, sent)).catch(() =>
      deps.log.warn("relay_not_marked", { events: sent.length }),
    );
  return { sent: sent.length, failed: sendable.length - sent.length };
}

/** Events of an isolate that leave together, and when whoever gathers them is taken for dead. */
interface Gathering {
  rows: OutboxRow[];
  until: number;
}

const gatherings = new WeakMap<D1Database, Gathering>();
/** A timer may be this late. */
const PATIENCE_MS = 1_000;

/**
 * Relays events together with those that other invocations of this isolate record within EVENT_GATHER_MS: one call a
 * queue and one trip for all of them. Of an invocation that dies meanwhile, the cron relays what it had gathered.
 */
export async function relayTogether(deps: RelayDeps & Pick<Deps, "config">, rows: OutboxRow[]): Promise<void> {
  const { eventGatherMs } = deps.config;
  if (rows.length === 0) return;
  const database = deps.db.$client;
  const running = gatherings.get(database);
  if (running && deps.now() < running.until && running.rows.length + rows.length <= CLAIM_SIZE) {
    running.rows.push(...rows);
    return;
  }
  const own = { rows: [...rows], until: deps.now() + eventGatherMs + PATIENCE_MS };
  if (eventGatherMs > 0) {
    gatherings.set(database, own);
    await new Promise((resolve) => setTimeout(resolve, eventGatherMs));
    if (gatherings.get(database) === own) gatherings.delete(database);
  }
  await relay(deps, own.rows);
}

/** Of the 256 KB that one `sendBatch` carries, what is left beside the queue's own headers, by far. */
const MAX_BATCH_BYTES = 200_000;
const encoder = new TextEncoder();

/** Puts at most 100 messages into a queue, in one call unless they are too large together. */
export async function sendEvents(deps: Pick<Deps, "queues">, queue: QueueName, events: EventMessage[]): Promise<void> {
  const batches: EventMessage[][] = [];
  let room = 0;
  for (const event of events) {
    const bytes = encoder.encode(JSON.stringify(event)).length;
    if (bytes > room) {
      batches.push([]);
      room = MAX_BATCH_BYTES;
    }
    batches.at(-1)?.push(event);
    room -= bytes;
  }
  const sendings = batches.map((batch) => {
    const messages = batch.map((body) => ({ body, contentType: "json" as const }));
    return withDeadline(deps.queues[queue].sendBatch(messages));
  });
  await Promise.all(sendings);
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

const markStatements = prepared((deps, ids: string[]) => ({
  mark: deps.db
    .update(outbox)
    .set({
      sentAt: deps.now(),
      payload: sql`case when ${outbox.eraseAt} is null then ${outbox.payload} end`,
    })
    .where(sql`${outbox.id} in (select value from json_each(${derived(ids, JSON.stringify)}))`),
}));

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
