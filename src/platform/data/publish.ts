import { sql } from "drizzle-orm";
import { URGENCIES } from "../../db/event-urgency.ts";
import { outbox } from "../../db/platform-schema.ts";
import { raiseAlert } from "../alerts.ts";
import type { Deps, QueueName } from "../deps.ts";
import { runBatch } from "./database.ts";
import { isOneOfEvents, LEASE_MS, type OutboxRow, publishedColumns } from "./outbox.ts";
import { prepare, type StatementDeps } from "./prepared.ts";
import { hasQueriesLeft } from "./query-count.ts";
import { type Refusal, recordRefusedEvents } from "./refused-events.ts";
import { type EventMessage, type SendOutcome, sendEach } from "./send-events.ts";

/** Maximum number of events per claim, which is the most that one `sendBatch` accepts. */
const CLAIM_SIZE = 100;
/** A tick makes no further claim after this time, so that it ends before the next tick. */
const TICK_MS = 45_000;
/**
 * Number of D1 statements and queue calls after which a tick makes no further claim. D1 allows 1,000 statements per
 * invocation.
 */
const CALLS_PER_TICK = 900;
type PublishDeps = StatementDeps & Pick<Deps, "queues" | "fanOut" | "keepsPayload" | "log">;

export interface PublishOutcome {
  sent: number;
  /** Events left in the outbox for a later tick. */
  failed: number;
  /** Events that became dead letters. */
  deadLettered: number;
  /** Number of queue calls. */
  calls: number;
  /** Queues that accepted none of the events. */
  downQueues: QueueName[];
}

/**
 * Sends the rows to their queues and deletes them. Some events also go to a second queue, see `Deps.fanOut`.
 * If sending fails, the event stays leased and a later tick sends it; if a queue refuses it for good or too often, it
 * becomes a dead letter.
 */
export async function publish(deps: PublishDeps, rows: OutboxRow[]): Promise<PublishOutcome> {
  const messages = rows.flatMap((row) => {
    const own = { queue: row.queue as QueueName, message: toMessage(row) };
    const copy = deps.fanOut[row.type];
    return copy ? [own, { queue: copy.queue, message: { ...own.message, type: copy.type } }] : [own];
  });
  const outcomes = await Promise.all(
    [...Map.groupBy(messages, ({ queue }) => queue)].map(async ([queue, group]) => {
      const events = group.map(({ message }) => message);
      return { queue, outcome: await sendEach(deps, queue, events) };
    }),
  );
  const refusals = new Map<string, Refusal>();
  for (const { queue, outcome } of outcomes) collectRefusals(deps, refusals, queue, outcome);
  const [refused, sent] = partition(rows, ({ id }) => refusals.has(id));
  if (sent.length > 0) await deleteSent(deps, sent);
  const deadLettered = await recordRefusedEvents(deps, refused, refusals);
  const calls = outcomes.reduce((sum, { outcome }) => sum + outcome.calls, 0);
  const isDown = ({ outcome }: (typeof outcomes)[number]) => outcome.accepted === 0 && outcome.refused.length > 0;
  const downQueues = outcomes.filter(isDown).map(({ queue }) => queue);
  return { sent: sent.length, failed: refused.length - deadLettered, deadLettered, calls, downQueues };
}

/**
 * Deletes events that were sent. If this fails, they are sent again when their lease is over; consumers recognise them
 * by their id.
 */
async function deleteSent(deps: PublishDeps, rows: readonly OutboxRow[]): Promise<void> {
  const keys = rows.map(({ urgency, id }) => [urgency, id]);
  await runBatch(deps, deleteStatements(deps, { keys: JSON.stringify(keys) })).catch(() =>
    deps.log.warn("publish_not_marked", { events: keys.length }),
  );
}

/** Collects the refusals by event and raises one alert per queue. */
function collectRefusals(
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
  if (refused[0]) raiseAlert(deps, "publish_failed", { queue, events: refused.length, reason: refused[0].reason });
}

/**
 * Events of an isolate that are published together, and the time after which the collecting invocation counts as dead.
 */
interface PendingGroup {
  rows: OutboxRow[];
  until: number;
}

const pendingGroups = new WeakMap<D1Database, PendingGroup>();
/** How late a timer may fire, in milliseconds. */
const TIMER_TOLERANCE_MS = 1_000;

/**
 * Publishes events together with those that other invocations of this isolate record within EVENT_GATHER_MS, with one
 * call per queue and one batch to delete them. If the collecting invocation dies, the cron publishes the events.
 */
export async function publishCoalesced(deps: PublishDeps & Pick<Deps, "config">, rows: OutboxRow[]): Promise<void> {
  const { eventGatherMs } = deps.config;
  if (rows.length === 0) return;
  const database = deps.db.$client;
  const running = pendingGroups.get(database);
  if (running && deps.now() < running.until && running.rows.length + rows.length <= CLAIM_SIZE) {
    running.rows.push(...rows);
    return;
  }
  const own = { rows: [...rows], until: deps.now() + eventGatherMs + TIMER_TOLERANCE_MS };
  if (eventGatherMs > 0) {
    pendingGroups.set(database, own);
    await new Promise((resolve) => setTimeout(resolve, eventGatherMs));
    if (pendingGroups.get(database) === own) pendingGroups.delete(database);
  }
  await publish(deps, own.rows);
}

function toMessage(row: OutboxRow): EventMessage {
  return {
    event_id: row.id,
    type: row.type,
    user_id: row.userId,
    payload: row.payload,
    created_at: row.createdAt,
  };
}

const deleteStatements = prepare(["keys"], (deps, { keys }) => ({
  sent: deps.db.delete(outbox).where(isOneOfEvents(keys)),
}));

/**
 * Publishes the events without a valid lease, most urgent first, until none are left or the tick's time or calls are
 * used up. Concurrent calls are safe, because each claim is a lease. If a queue accepts none of a claim's events, its
 * events wait for a later tick, so that a queue that is down does not block others.
 */
export async function publishDueEvents(
  deps: PublishDeps & Pick<Deps, "queries">,
): Promise<Omit<PublishOutcome, "downQueues">> {
  const total = { sent: 0, failed: 0, deadLettered: 0, calls: 0 };
  const down = new Set<QueueName>();
  const startedAt = deps.now();
  const queriesBefore = deps.queries.used;
  for (;;) {
    const calls = total.calls + deps.queries.used - queriesBefore;
    if (calls >= CALLS_PER_TICK || !hasQueriesLeft(deps) || deps.now() - startedAt >= TICK_MS) {
      raiseAlert(deps, "publish_behind", { sent: total.sent, calls });
      break;
    }
    const claimed = await claimDue(deps, down);
    const outcome = await publish(deps, claimed);
    for (const key of ["sent", "failed", "deadLettered", "calls"] as const) total[key] += outcome[key];
    if (claimed.length < CLAIM_SIZE) break;
    for (const queue of outcome.downQueues) down.add(queue);
  }
  return total;
}

/** Claims the most urgent events that are due and go to none of the queues that are down. */
async function claimDue(deps: PublishDeps, down: ReadonlySet<QueueName>) {
  const now = deps.now();
  const downQueues = JSON.stringify([...down]);
  const copiedThere = Object.keys(deps.fanOut).filter((type) => down.has(deps.fanOut[type]?.queue as QueueName));
  // SQLite never reorders a cross join, so this reads one range of the key per urgency, most urgent first, up to the
  // limit. It skips events whose lease is valid: recent or postponed ones.
  const due = sql`(${outbox.urgency}, ${outbox.id}) in (select due.urgency, due.id
    from json_each(${JSON.stringify(URGENCIES)}) class cross join outbox due
    where due.urgency = class.value and due.leased_until <= ${now}
      and due.queue not in (select value from json_each(${downQueues}))
      and due.type not in (select value from json_each(${JSON.stringify(copiedThere)})) limit ${sql.raw(String(CLAIM_SIZE))})`;
  const { claimed } = await runBatch(deps, {
    claimed: deps.db
      .update(outbox)
      .set({
        leasedUntil: now + LEASE_MS,
        leasedBy: deps.invocationId,
        attempts: sql`${outbox.attempts} + 1`,
      })
      .where(due)
      .returning(publishedColumns),
  });
  return claimed;
}

function partition<T>(rows: readonly T[], matches: (row: T) => boolean): [T[], T[]] {
  return [rows.filter(matches), rows.filter((row) => !matches(row))];
}
