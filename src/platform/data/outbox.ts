import { and, eq, inArray, isNotNull, lte, type SQL, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import type { Deps, QueueName } from "../deps.ts";
import { idForEachRow, insertFrom, insertWhere, instantOf, runBatch } from "./database.ts";
import { after } from "./prepared.ts";

/** How long one invocation may hold events before another relays them. */
export const LEASE_MS = 30_000;

export interface OutboxEvent {
  /** Made here where absent. */
  id?: string;
  type: string;
  userId?: string | SQL;
  /** JSON text, or SQL that gives it. */
  payload: string | SQL;
  /** Queue whose consumer has a task for the type: an event that nobody consumes is not written. */
  queue: QueueName;
  /** When the payload must be gone, sent or not. */
  eraseAt?: number;
}

/**
 * The statement that records an event in the batch of its cause. The row is born leased: it is relayed
 * after the response, alone or with others of this isolate; if who does that dies first, the cron relays it when the lease
 * is over.
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

/** An event as the relay takes it. */
export const relayed = {
  id: outbox.id,
  type: outbox.type,
  userId: outbox.userId,
  payload: outbox.payload,
  queue: outbox.queue,
  createdAt: outbox.createdAt,
  attempts: outbox.attempts,
};

/** The statement that reads an event as the relay takes it. */
export function selectEvent(deps: Pick<Deps, "db">, id: string) {
  return deps.db.select(relayed).from(outbox).where(eq(outbox.id, id));
}

export type OutboxRow = { [K in keyof typeof relayed]: (typeof outbox.$inferSelect)[K] };

/** The events that statements of `recordEvent` have written, of all that were run; of absent results none. */
export function eventsOf(...results: readonly (readonly OutboxRow[] | undefined)[]): OutboxRow[] {
  return results.flatMap((rows) => rows ?? []);
}

/** Payloads that one statement erases at most, and how often a tick repeats it: twice the codes of 100 sign-ins a second. */
const erased = { perStatement: 1_000, statements: 12 };

/** Erases payloads whose time is over, sent or not, and closes their rows to the relay; at most 12,000 a call. */
export async function eraseExpiredPayloads(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
  let total = 0;
  for (let statement = 0; statement < erased.statements; statement++) {
    const count = await eraseSome(deps);
    total += count;
    if (count < erased.perStatement) break;
  }
  return total;
}

async function eraseSome(deps: Pick<Deps, "db" | "now" | "log">): Promise<number> {
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
