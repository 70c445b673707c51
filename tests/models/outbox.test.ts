import fc from "fast-check";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { replayStatements } from "../../scripts/replay.ts";
import { urgencyOf } from "../../src/db/event-urgency.ts";
import { testEnv } from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { insertUser } from "../support/platform.ts";
import { databaseWithout } from "../support/production.ts";
import { consume } from "../support/queue.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { type TaskMessage, tick } from "../support/tasks.ts";
import { checkModel, command, wait } from "./run-model.ts";

beforeAll(keepSentEvents);
afterEach(() => vi.restoreAllMocks());

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** An event according to the rules: it is pending until it takes effect, and takes effect once. */
interface ModelEvent {
  id: string;
  isSent: boolean;
  leasedUntil: number;
  hasEffect: boolean;
  /** The number of its dead letters that have not been replayed. */
  dead: number;
}

interface Model {
  events: ModelEvent[];
  /** Messages in the queue. */
  held: { event: ModelEvent; attempts: number }[];
  /** Events whose messages were acknowledged; a queue may still redeliver them. */
  acknowledged: ModelEvent[];
}

interface Real {
  userId: string;
  messages: Map<string, TaskMessage>;
}

/** Expects the database to match the model for every event. */
async function expectState({ events }: Model, { userId }: Real): Promise<void> {
  const found = await rows<ModelEvent & { effects: number }>(
    `select o.id, o.is_sent as isSent,
        (select count(*) from processed_events p where p.event_id = o.id) as effects,
        (select count(*) from dead_letters d where d.event_id = o.id and d.replayed_at is null) as dead
      from recorded_events o where o.user_id = ? and o.type = 'auth.new_device' order by o.id`,
    userId,
  );
  const expected = events.map(({ id, isSent, hasEffect, dead }) => ({
    id,
    isSent: Number(isSent),
    effects: Number(hasEffect),
    dead,
  }));
  expect(found).toEqual(expected.sort((a, b) => (a.id < b.id ? -1 : 1)));
  const [notes] = await rows<{ n: number }>("select count(*) as n from notifications where user_id = ?", userId);
  expect(notes?.n).toBe(events.filter(({ hasEffect }) => hasEffect).length);
}

/** A step after which database and model must match. */
const step = (
  name: string,
  act: (model: Model, real: Real) => Promise<void>,
  check?: (model: Readonly<Model>) => boolean,
) =>
  command<Model, Real>(
    name,
    async (model, real) => {
      await act(model, real);
      await expectState(model, real);
    },
    check,
  );

/** Records an event that is leased by the invocation that recorded it. */
const record = step("record", async ({ events }, { userId }) => {
  const id = newId();
  const leasedUntil = Date.now() + 30 * SECOND;
  await run(
    `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
      values (?, ?, 'auth.new_device', ?, '{}', 'tasks', ?, ?, 1)`,
    urgencyOf("auth.new_device"),
    id,
    userId,
    Date.now(),
    leasedUntil,
  );
  events.push({ id, isSent: false, leasedUntil, hasEffect: false, dead: 0 });
});

type Fate = "sends" | "is refused" | "sends and fails" | "sends and cannot delete";

const publish = (fate: Fate) =>
  step(`publish ${fate}`, async (model, { userId, messages }) => {
    const now = Date.now();
    const due = model.events.filter(({ isSent, leasedUntil }) => !isSent && leasedUntil <= now);
    const sendBatch = async (sent: Iterable<{ body: TaskMessage }>) => {
      const own = [...sent]
        .map(({ body }) => body)
        .filter((body) => body.user_id === userId && body.type === "auth.new_device");
      if (fate !== "is refused") for (const body of own) messages.set(body.event_id, structuredClone(body));
      if (fate === "is refused" || fate === "sends and fails") throw new Error("Queue is overloaded");
    };
    const broken = fate === "sends and cannot delete" ? databaseWithout(/^delete from "outbox"/) : {};
    await tick({ TASK_QUEUE: { sendBatch } as unknown as Queue, ...broken });
    for (const event of due) {
      event.leasedUntil = now + 30 * SECOND;
      event.isSent = fate === "sends";
      if (fate !== "is refused") model.held.push({ event, attempts: 0 });
    }
  });

/** Delivers one of the queue's messages. */
const deliver = (index: number, fails: boolean, isLastAttempt: boolean) =>
  step(
    `deliver ${index}${fails ? ", which fails" : ""}${isLastAttempt ? " for the last time" : ""}`,
    async (model, { messages }) => {
      const [message] = model.held.splice(index % model.held.length, 1);
      if (!message) return;
      const { event } = message;
      const attempts = isLastAttempt ? 12 : Math.min(message.attempts + 1, 11);
      const env = fails ? databaseWithout(/insert into "notifications"/) : {};
      const result = await consume([messages.get(event.id)], env, attempts, "tasks");
      if (!fails) {
        expect(result).toEqual({ acked: [0], retried: [] });
        event.hasEffect = true;
        model.acknowledged.push(event);
      } else if (attempts === 12) {
        expect(result).toEqual({ acked: [0], retried: [] });
        event.dead += 1;
      } else {
        expect(result).toEqual({ acked: [], retried: [0] });
        model.held.push({ event, attempts });
      }
    },
    (model) => model.held.length > 0,
  );

const redeliver = step(
  "redeliver acknowledged messages",
  async ({ acknowledged }, { messages }) => {
    const copies = acknowledged.map(({ id }) => messages.get(id));
    expect((await consume([...copies, ...copies], {}, 2, "tasks")).retried).toEqual([]);
  },
  (model) => model.acknowledged.length > 0,
);

const replay = step(
  "replay a dead letter",
  async ({ events }) => {
    const event = events.find(({ dead }) => dead > 0);
    if (!event) return;
    const [letter] = await rows<{ id: string }>(
      "select id from dead_letters where event_id = ? and replayed_at is null",
      event.id,
    );
    // The second replay finds nothing to do.
    for (const rows of [1, 0]) {
      const [, marked] = await testEnv.DB.batch(
        replayStatements(letter?.id ?? "").map((each) => testEnv.DB.prepare(each)),
      );
      expect(marked?.results).toHaveLength(rows);
    }
    event.dead -= 1;
    event.isSent = false;
    event.leasedUntil = 0;
  },
  (model) => model.events.some(({ dead }) => dead > 0),
);

test("R14, ASVS 2.3.3: an event takes effect once, whatever crashes, fails or is redelivered", {
  timeout: 3_600_000,
}, async () => {
  await checkModel<Model, Real>(
    [
      fc.constant(record),
      fc.constant(record),
      fc.constantFrom<Fate>("sends", "sends", "is refused", "sends and fails", "sends and cannot delete").map(publish),
      fc.constantFrom<Fate>("sends", "sends", "is refused", "sends and fails", "sends and cannot delete").map(publish),
      fc.tuple(fc.nat(5), fc.boolean(), fc.boolean()).map(([index, fails, isLast]) => deliver(index, fails, isLast)),
      fc.tuple(fc.nat(5), fc.boolean(), fc.boolean()).map(([index, fails, isLast]) => deliver(index, fails, isLast)),
      fc.constant(redeliver),
      fc.constant(replay),
      fc.constantFrom(SECOND, 30 * SECOND - 1, 30 * SECOND, MINUTE).map(wait),
      fc.constant(wait(30 * SECOND)),
    ],
    async () => {
      // Completes what other runs left pending.
      await run("delete from outbox");
      const model: Model = { events: [], held: [], acknowledged: [] };
      const real: Real = { userId: await insertUser(Date.now()), messages: new Map() };
      /** Expects every recorded event to take effect once nothing fails any more. */
      const finish = async () => {
        while (model.events.some(({ dead }) => dead > 0)) await replay.run(model, real);
        await wait(MINUTE).run(model, real);
        await publish("sends").run(model, real);
        while (model.held.length > 0) await deliver(0, false, false).run(model, real);
        expect(model.events.filter(({ hasEffect }) => !hasEffect)).toEqual([]);
      };
      return { model, real, finish };
    },
    { share: 3, steps: 50 },
  );
});
