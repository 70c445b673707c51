import { createExecutionContext } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { outbox } from "../../src/db/platform-schema.ts";
import { runBatch } from "../../src/platform/data/database.ts";
import { recordEvent } from "../../src/platform/data/outbox.ts";
import { publishCoalesced, relayDueEvents } from "../../src/platform/data/relay.ts";
import { buildDeps, type Deps } from "../../src/platform/deps.ts";
import { call, newIp, newPhone, testEnv, verify } from "../support/client.ts";

afterEach(() => vi.useRealTimers());

/** A queue that keeps the messages of each call. */
function recordingQueue() {
  const calls: { event_id: string }[][] = [];
  const sendBatch = async (messages: { body: { event_id: string } }[]) => {
    calls.push(messages.map(({ body }) => body));
  };
  return { calls, binding: { sendBatch } as unknown as Queue };
}

/** D1 as it is, counting its trips. */
function countingDatabase() {
  let trips = 0;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "batch") trips += 1;
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { DB, trips: () => trips };
}

const unsent = async () =>
  (await testEnv.DB.prepare("select count(*) n from outbox where sent_at is null and queue is not null").first<number>(
    "n",
  )) ?? 0;

/** An invocation of a Worker that gathers for so long. */
function invoke(gatherMs: number, env: Partial<Env>): Promise<Deps> {
  const gathering = { EVENT_GATHER_MS: String(gatherMs) } as Partial<Env>;
  return buildDeps({ ...testEnv, ...gathering, ...env }, createExecutionContext(), "relay");
}

/** Records so many events, which the invocation then relays. */
async function record(deps: Deps, count = 1) {
  const statements = Array.from({ length: count }, (_, i) => [
    `event${i}`,
    recordEvent(deps, { type: "auth.new_device", payload: "{}", queue: "tasks" }, sql`true`),
  ]);
  const found: Record<string, (typeof outbox.$inferSelect)[]> = await runBatch(deps, Object.fromEntries(statements));
  return Object.values(found).flat();
}

describe("Events of one isolate", () => {
  test("of twelve who register at once leave in one call a queue, and are marked in one trip", async () => {
    const [tasks, search, database] = [recordingQueue(), recordingQueue(), countingDatabase()];
    const before = await unsent();
    const people = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const [identifier, ip] = [newPhone(), newIp()];
        return { ip, json: { identifier, verification_token: await verify(identifier, { ip }) } };
      }),
    );
    const env = { EVENT_GATHER_MS: "400", TASK_QUEUE: tasks.binding, SEARCH_QUEUE: search.binding, DB: database.DB };
    const answers = await Promise.all(
      people.map((person) => call("POST", "/api/auth/register", { ...person, env: env as unknown as Partial<Env> })),
    );
    expect(answers.map(({ status }) => status)).toEqual(people.map(() => 201));
    expect([tasks.calls, search.calls].map((calls) => calls.map((messages) => messages.length))).toEqual([[12], [12]]);
    expect(new Set(tasks.calls.flat().map(({ event_id }) => event_id)).size).toBe(12);
    expect(database.trips()).toBe(13);
    expect(await unsent()).toBe(before);
  });

  test("leave at once where nothing is to be waited for", async () => {
    const tasks = recordingQueue();
    const deps = await invoke(0, { TASK_QUEUE: tasks.binding });
    await publishCoalesced(deps, await record(deps));
    expect(tasks.calls.length).toBe(1);
  });

  test("are a hundred a call at most", async () => {
    const tasks = recordingQueue();
    const deps = await Promise.all([60, 40, 1].map(() => invoke(50, { TASK_QUEUE: tasks.binding })));
    const rows = await Promise.all(deps.map((each, i) => record(each, [60, 40, 1][i])));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    expect(tasks.calls.map((messages) => messages.length)).toEqual([100, 1]);
  });

  test("that cannot be sent go out by the cron, all of them", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2072, 1, 1) });
    const broken = { sendBatch: async () => Promise.reject(new Error("queue")) } as unknown as Queue;
    const deps = await Promise.all([0, 1, 2].map(() => invoke(30, { TASK_QUEUE: broken })));
    const rows = await Promise.all(deps.map((each) => record(each)));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    const tasks = recordingQueue();
    vi.setSystemTime(Date.now() + 31_000);
    await relayDueEvents(await invoke(30, { TASK_QUEUE: tasks.binding }));
    const ids = rows.flat().map(({ id }) => id);
    expect(tasks.calls.flat().map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(ids));
  });

  test("that cannot be marked are sent once more, by the same ids", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2073, 1, 1) });
    const tasks = recordingQueue();
    const deps = await Promise.all([0, 1].map(() => invoke(30, { TASK_QUEUE: tasks.binding })));
    const rows = await Promise.all(deps.map((each) => record(each)));
    const spy = vi.spyOn(testEnv.DB, "batch").mockRejectedValue(new Error("D1"));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    spy.mockRestore();
    vi.setSystemTime(Date.now() + 31_000);
    await relayDueEvents(await invoke(30, { TASK_QUEUE: tasks.binding }));
    const ids = rows.flat().map(({ id }) => id);
    const sent = tasks.calls.flat().map(({ event_id }) => event_id);
    for (const id of ids) expect(sent.filter((each) => each === id).length).toBe(2);
  });

  test("that are large leave in as many calls as a queue's 256 KB ask for", async () => {
    const tasks = recordingQueue();
    const deps = await invoke(0, { TASK_QUEUE: tasks.binding });
    const payload = JSON.stringify({ text: "ब".repeat(8_000) });
    const rows = (await record(deps, 20)).map((row) => ({ ...row, payload }));
    await publishCoalesced(deps, rows);
    expect(tasks.calls.flat().length).toBe(20);
    expect(tasks.calls.length).toBeGreaterThan(1);
    for (const messages of tasks.calls) {
      expect(new TextEncoder().encode(JSON.stringify(messages)).length).toBeLessThan(256_000);
    }
  });

  test("that a dead invocation had gathered go out by the cron, and do not hold later ones up", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.UTC(2071, 1, 1) });
    const tasks = recordingQueue();
    const [first, second, third] = await Promise.all([0, 1, 2].map(() => invoke(250, { TASK_QUEUE: tasks.binding })));
    if (!first || !second || !third) throw new Error("three invocations were asked for");
    const [lost, lostToo, kept] = [await record(first), await record(second), await record(third)];
    void publishCoalesced(first, lost);
    await publishCoalesced(second, lostToo);
    // The isolate goes on, without the invocation that gathers.
    vi.clearAllTimers();
    vi.setSystemTime(Date.now() + 2_000);
    const relayed = publishCoalesced(third, kept);
    await vi.advanceTimersByTimeAsync(250);
    vi.useRealTimers();
    await relayed;
    const idsOf = (rows: { id: string }[]) => rows.map(({ id }) => id).sort();
    expect(tasks.calls.map((messages) => messages.map(({ event_id }) => event_id))).toEqual([idsOf(kept)]);

    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2071, 1, 1) + 31_000 });
    await relayDueEvents(await invoke(250, { TASK_QUEUE: tasks.binding }));
    const recovered = tasks.calls.slice(1).flat();
    expect(recovered.map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(idsOf([...lost, ...lostToo])));
  });
});
