import { inArray, sql } from "drizzle-orm";
import { outbox } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps, QueueName } from "../deps.ts";
import { runBatch } from "./database.ts";
import { LEASE_MS, type OutboxRow, relayed } from "./outbox.ts";
import { derived, prepared, type StatementDeps } from "./prepared.ts";
import { hasQueriesLeft } from "./query-count.ts";
import { type Refusal, settleRefused } from "./refused-events.ts";
import { type EventMessage, type SendOutcome, sendEach } from "./send-events.ts";

/** Events a claim takes at most: the most that one `sendBatch` carries. */
const CLAIM_SIZE = 100;
/** A tick makes no further claim after this time, so that it ends before the next one begins. */
const TICK_MS = 45_000;
/** Calls of D1 and of queues after which a tick makes no further claim; a Worker may make 1,000 in an invocation. */
const CALLS_PER_TICK = 900;
/** The values of `outbox.urgency`, the most urgent first. */
const URGENCIES = [0, 1, 2, 3];
/** Events that a second queue hears of too, in a message of another type: one row serves both. */
const FAN_OUT: Readonly<Record<string, { queue: QueueName; type: string }>> = Object.fromEntries(
  ["user.created", "user.updated", "user.deleted"].map((type) => [type, { queue: "search", type: "user_search.due" }]),
);

type RelayDeps = StatementDeps & Pick<Deps, "queues" | "log">;

export interface RelayOutcome {
  sent: number;
  /** Events that stay in the outbox for a later tick. */
  failed: number;
  /** Events that became dead letters, since no queue takes them. */
  buried: number;
  /** How often queues were called. */
  calls: number;
}

/**
 * Sends the rows to their queues and marks them sent. An event that fails stays leased and is relayed by a later tick;
 * one that a queue refuses for good becomes a dead letter.
 */
export async function relay(deps: RelayDeps, rows: OutboxRow[]): Promise<RelayOutcome> {
  const sendable = rows.filter((row) => row.queue !== null && row.payload !== null);
  const messages = sendable.flatMap((row) => {
    const own = { queue: row.queue as QueueName, message: toMessage(row) };
    const echo = FAN_OUT[row.type];
    return echo ? [own, { queue: echo.queue, message: { ...own.message, type: echo.type } }] : [own];
  });
  const outcomes = await Promise.all(
    [...Map.groupBy(messages, ({ queue }) => queue)].map(async ([queue, group]) => {
      const events = group.map(({ message }) => message);
      return { queue, outcome: await sendEach(deps, queue, events) };
    }),
  );
  const refusals = new Map<string, Refusal>();
  for (const { queue, outcome } of outcomes) noteRefused(deps, refusals, queue, outcome);
  const [refused, sent] = divide(sendable, ({ id }) => refusals.has(id));
  // An unmarked event is sent again when its lease is over; its consumers know it by its id.
  if (sent.length > 0) {
    await markSent(deps, sent);
  }
  const buried = await settleRefused(deps, refused, refusals);
  const calls = outcomes.reduce((sum, { outcome }) => sum + outcome.calls, 0);
  return { sent: sent.length, failed: refused.length - buried, buried, calls };
}

/** Marks events sent, without sending them, and erases payloads that must not be kept. A failure leaves them to the cron. */
export async function markSent(deps: RelayDeps, rows: readonly OutboxRow[]): Promise<void> {
  const ids = rows.map(({ id }) => id);
  await runBatch(deps, markStatements(deps, ids)).catch(() =>
    deps.log.warn("relay_not_marked", { events: ids.length }),
  );
}

/** Notes why each event was refused, and raises one alert for the queue. */
function noteRefused(
  deps: Pick<Deps, "log">,
  refusals: Map<string, Refusal>,
  queue: QueueName,
  { accepted, refused }: SendOutcome,
): void {
  for (const { event, reason, isFinal } of refused) {
    const known = refusals.get(event.event_id);
    if (known?.isFinal) continue;
    refusals.set(event.event_id, { reason: `${queue}: ${reason}`, isFinal, isQueueWorking: accepted > 0 });
  }
  if (refused[0]) raiseAlert(deps, "relay_failed", { queue, events: refused.length, reason: refused[0].reason });
}

/** Events of an isolate that leave together, and when their gatherer counts as dead. */
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
export async function publishCoalesced(deps: RelayDeps & Pick<Deps, "config">, rows: OutboxRow[]): Promise<void> {
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

/**
 * Relays the events that no living invocation holds, the most urgent first, until none is left or the tick's time or
 * calls are used up. Several may run at once: each claim is a lease. Events of an urgency of which a whole claim failed
 * wait for a later tick, so that a queue that is down holds up neither its own later classes nor another queue.
 */
export async function relayDueEvents(deps: RelayDeps & Pick<Deps, "queries">): Promise<RelayOutcome> {
  const total: RelayOutcome = { sent: 0, failed: 0, buried: 0, calls: 0 };
  const startedAt = deps.now();
  const queriesBefore = deps.queries.used;
  let urgencies = URGENCIES;
  while (urgencies.length > 0) {
    const calls = total.calls + deps.queries.used - queriesBefore;
    if (calls >= CALLS_PER_TICK || !hasQueriesLeft(deps) || deps.now() - startedAt >= TICK_MS) {
      raiseAlert(deps, "relay_behind", { sent: total.sent, calls });
      break;
    }
    const claimed = await claimDue(deps, urgencies);
    const outcome = await relay(deps, claimed);
    for (const key of ["sent", "failed", "buried", "calls"] as const) total[key] += outcome[key];
    if (claimed.length < CLAIM_SIZE) break;
    if (outcome.sent + outcome.buried === 0) {
      const failed = new Set(claimed.map(({ urgency }) => urgency));
      urgencies = urgencies.filter((urgency) => !failed.has(urgency));
    }
  }
  return total;
}

async function claimDue(deps: RelayDeps, urgencies: readonly number[]) {
  const now = deps.now();
  // A cross join is never reordered: class by class, each by one range of the index, and no further than the limit.
  const due = sql`(select due.id from json_each(${JSON.stringify(urgencies)}) class cross join outbox due
    where due.urgency = class.value and due.leased_until <= ${now}
      and due.sent_at is null and due.queue is not null and due.payload is not null limit ${sql.raw(String(CLAIM_SIZE))})`;
  const { claimed } = await runBatch(deps, {
    claimed: deps.db
      .update(outbox)
      .set({
        leasedUntil: now + LEASE_MS,
        leasedBy: deps.invocationId,
        attempts: sql`${outbox.attempts} + 1`,
      })
      .where(inArray(outbox.id, due))
      .returning({ ...relayed, urgency: outbox.urgency }),
  });
  return claimed;
}

function divide<T>(rows: readonly T[], isFirst: (row: T) => boolean): [T[], T[]] {
  return [rows.filter(isFirst), rows.filter((row) => !isFirst(row))];
}
