import { createExecutionContext } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test, vi } from "vitest";
import { buildDeps } from "../../../src/build-deps.ts";
import type { outbox } from "../../../src/db/platform-schema.ts";
import { runBatch } from "../../../src/platform/data/database.ts";
import { recordEvent } from "../../../src/platform/data/outbox.ts";
import { publishCoalesced, publishDueEvents } from "../../../src/platform/data/publish.ts";
import type { Deps } from "../../../src/platform/deps.ts";
import { call, newIp, newPhone, testEnv, verify } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";

afterEach(() => vi.useRealTimers());

/** A queue that records the messages of each call. */
function recordingQueue() {
  const calls: { event_id: string }[][] = [];
  const sendBatch = async (messages: { body: { event_id: string } }[]) => {
    calls.push(messages.map(({ body }) => body));
  };
  return { calls, binding: { sendBatch } as unknown as Queue };
}

/** D1 with a count of its batches. */
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

const unsent = async () => (await testEnv.DB.prepare("select count(*) n from outbox").first<number>("n")) ?? 0;

/** Dependencies of an invocation that waits `gatherMs` for other events. */
function invoke(gatherMs: number, env: Partial<Env>): Promise<Deps> {
  const gathering = { EVENT_GATHER_MS: String(gatherMs) } as Partial<Env>;
  return buildDeps({ ...testEnv, ...gathering, ...env }, createExecutionContext(), "publish");
}

/** Records `count` events and returns them for publishing. */
async function record(deps: Deps, count = 1) {
  const statements = Array.from({ length: count }, (_, i) => [
    `event${i}`,
    recordEvent(deps, { type: "auth.new_device", payload: "{}", queue: "tasks" }, sql`true`),
  ]);
  const found: Record<string, (typeof outbox.$inferSelect)[]> = await runBatch(deps, Object.fromEntries(statements));
  return Object.values(found).flat();
}

describe("Events recorded in one isolate", () => {
  test("are sent in one call per queue and marked in one batch for twelve concurrent registrations", async () => {
    const [tasks, search, database] = [recordingQueue(), recordingQueue(), countingDatabase()];
    const before = await unsent();
    const people = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const [identifier, ip] = [newPhone(), newIp()];
        return { ip, json: { identifier, verification_token: await verify(identifier, { ip }) } };
      }),
    );
    // Long enough for a busy machine: all twelve must be recorded before the first publishes.
    const env = { EVENT_GATHER_MS: "2000", TASK_QUEUE: tasks.binding, SEARCH_QUEUE: search.binding, DB: database.DB };
    const answers = await Promise.all(
      people.map((person) => call("POST", "/api/auth/register", { ...person, env: env as unknown as Partial<Env> })),
    );
    expect(answers.map(({ status }) => status)).toEqual(people.map(() => 201));
    expect([tasks.calls, search.calls].map((calls) => calls.map((messages) => messages.length))).toEqual([[12], [12]]);
    expect(new Set(tasks.calls.flat().map(({ event_id }) => event_id)).size).toBe(12);
    expect(database.trips()).toBe(13);
    expect(await unsent()).toBe(before);
  });

  test("are sent at once if the waiting time is 0", async () => {
    const tasks = recordingQueue();
    const deps = await invoke(0, { TASK_QUEUE: tasks.binding });
    await publishCoalesced(deps, await record(deps));
    expect(tasks.calls.length).toBe(1);
  });

  test("are sent at most a hundred per call", async () => {
    const tasks = recordingQueue();
    const deps = await Promise.all([60, 40, 1].map(() => invoke(50, { TASK_QUEUE: tasks.binding })));
    const rows = await Promise.all(deps.map((each, i) => record(each, [60, 40, 1][i])));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    expect(tasks.calls.map((messages) => messages.length)).toEqual([100, 1]);
  });

  test("are all sent by the cron if sending fails", async () => {
    stopClock({ at: Date.UTC(2072, 1, 1) });
    const broken = { sendBatch: async () => Promise.reject(new Error("queue")) } as unknown as Queue;
    const deps = await Promise.all([0, 1, 2].map(() => invoke(30, { TASK_QUEUE: broken })));
    const rows = await Promise.all(deps.map((each) => record(each)));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    const tasks = recordingQueue();
    vi.setSystemTime(Date.now() + 31_000);
    await publishDueEvents(await invoke(30, { TASK_QUEUE: tasks.binding }));
    const ids = rows.flat().map(({ id }) => id);
    expect(tasks.calls.flat().map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(ids));
  });

  test("are sent again with the same ids if they cannot be marked", async () => {
    stopClock({ at: Date.UTC(2073, 1, 1) });
    const tasks = recordingQueue();
    const deps = await Promise.all([0, 1].map(() => invoke(30, { TASK_QUEUE: tasks.binding })));
    const rows = await Promise.all(deps.map((each) => record(each)));
    const spy = vi.spyOn(testEnv.DB, "batch").mockRejectedValue(new Error("D1"));
    await Promise.all(deps.map((each, i) => publishCoalesced(each, rows[i] ?? [])));
    spy.mockRestore();
    vi.setSystemTime(Date.now() + 31_000);
    await publishDueEvents(await invoke(30, { TASK_QUEUE: tasks.binding }));
    const ids = rows.flat().map(({ id }) => id);
    const sent = tasks.calls.flat().map(({ event_id }) => event_id);
    for (const id of ids) expect(sent.filter((each) => each === id).length).toBe(2);
  });

  test("are split into calls of at most 256 KB", async () => {
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

  test("are sent by the cron if the invocation that collected them dies, without delaying later events", async () => {
    stopClock({ at: Date.UTC(2071, 1, 1), timers: true });
    const tasks = recordingQueue();
    const [first, second, third] = await Promise.all([0, 1, 2].map(() => invoke(250, { TASK_QUEUE: tasks.binding })));
    if (!first || !second || !third) throw new Error("three invocations were asked for");
    const [lost, lostToo, kept] = [await record(first), await record(second), await record(third)];
    void publishCoalesced(first, lost);
    await publishCoalesced(second, lostToo);
    // The isolate lives on without the invocation that collected the events.
    vi.clearAllTimers();
    vi.setSystemTime(Date.now() + 2_000);
    const publishing = publishCoalesced(third, kept);
    await vi.advanceTimersByTimeAsync(250);
    vi.useRealTimers();
    await publishing;
    const idsOf = (rows: { id: string }[]) => rows.map(({ id }) => id).sort();
    expect(tasks.calls.map((messages) => messages.map(({ event_id }) => event_id))).toEqual([idsOf(kept)]);

    stopClock({ at: Date.UTC(2071, 1, 1) + 31_000 });
    await publishDueEvents(await invoke(250, { TASK_QUEUE: tasks.binding }));
    const recovered = tasks.calls.slice(1).flat();
    expect(recovered.map(({ event_id }) => event_id)).toEqual(expect.arrayContaining(idsOf([...lost, ...lostToo])));
  });
});
