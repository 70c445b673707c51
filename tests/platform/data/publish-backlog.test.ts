import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { urgencyOf } from "../../../src/db/event-urgency.ts";
import { notifySecurityEvents } from "../../../src/tasks/notify-security-events.ts";
import { testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { recordLog } from "../../support/production.ts";
import { insertSmsCodes } from "../../support/sms-budget.ts";
import { tick } from "../../support/tasks.ts";

const MINUTE_MS = 60_000;
/** Later than the dates of other tests, so that none of their events are due here. */
let now = Date.UTC(2081, 0, 1);

beforeAll(() =>
  run(
    `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
      social_provider, locale, date_joined, updated_at, version)
      values ('someone', 's', 's', 0, 0, 's', 'ACTIVE', 'user', 'PHONE', 'en', ?1, ?1, 1)`,
    now,
  ),
);
beforeEach(async () => {
  now += 10 * 24 * 60 * MINUTE_MS;
  stopClock({ at: now });
  await run("delete from outbox");
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Message {
  event_id: string;
  type: string;
  payload: string;
}

/** A queue that stores messages; `refuses` selects messages that make their whole call fail. */
function queue(refuses: (message: Message) => boolean = () => false) {
  const taken: Message[] = [];
  let calls = 0;
  const sendBatch = async (messages: Iterable<{ body: Message }>) => {
    calls += 1;
    const bodies = [...messages].map(({ body }) => body);
    if (bodies.length > 100) throw new Error("Queue sendBatch failed: too many messages");
    if (bodies.some(refuses)) throw new Error("Queue sendBatch failed: Bad Request");
    taken.push(...bodies);
  };
  return {
    binding: { sendBatch } as unknown as Queue,
    taken,
    calls: () => calls,
    /** Event ids of the accepted messages of a type. */
    ids: (type: string) => taken.filter((message) => message.type === type).map(({ event_id }) => event_id),
  };
}

/** The database with a count of the statements that it runs. */
function countingDatabase() {
  let statements = 0;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name !== "batch") return Reflect.get(target, name).bind(target);
      return (batch: D1PreparedStatement[]) => {
        statements += batch.length;
        return target.batch(batch);
      };
    },
  });
  return { DB, statements: () => statements };
}

/** Runs one cron tick, then advances the clock by a minute. */
async function passMinute(env: Partial<Env>): Promise<void> {
  await tick(env);
  vi.setSystemTime(Date.now() + MINUTE_MS);
}

async function insertEvent(event: { id: string; type: string; payload?: string }) {
  await run(
    `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
      values (?, ?, ?, 'someone', ?, 'tasks', ?, ?, 1)`,
    urgencyOf(event.type),
    event.id,
    event.type,
    event.payload ?? "{}",
    Date.now(),
    Date.now() - 1,
  );
}

/** Reminders just recorded by a job, all due before any event recorded later. */
async function insertReminders(howMany: number): Promise<void> {
  await run(
    `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
      select ${urgencyOf("profile.reminder_due")}, 'reminder-' || ?1 || '-' || value, 'profile.reminder_due', 'u' || value, '{}', 'tasks', ?1, ?1 - 1000, 0
      from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)`,
    Date.now(),
    howMany,
  );
}

const letterOf = async (eventId: string) => (await rows("select * from dead_letters where event_id = ?", eventId))[0];
const openOf = async (eventId: string) =>
  (await rows<{ attempts: number; leased_until: number }>("select * from outbox where id = ?", eventId))[0];

describe("Publishing with a backlog", () => {
  it("sends every security warning before the changes of users", () => {
    expect(notifySecurityEvents.types.length).toBeGreaterThan(5);
    const later = notifySecurityEvents.types.filter((type) => urgencyOf(type) > 0);
    expect(later).toEqual([]);
  });

  it("sends a delayed code and deletion in its first tick despite 60,000 reminders, and the reminders within three", async () => {
    await insertReminders(60_000);
    await insertEvent({ id: "lost-deletion", type: "user.deleted" });
    const [code] = await insertSmsCodes(1);
    const [tasks, otp, search] = [queue(), queue(), queue()];
    const env = { TASK_QUEUE: tasks.binding, OTP_QUEUE: otp.binding, SEARCH_QUEUE: search.binding };
    for (let minute = 1; minute <= 3; minute++) {
      const database = countingDatabase();
      const callsBefore = tasks.calls() + otp.calls() + search.calls();
      await passMinute({ ...env, DB: database.DB });
      const calls = tasks.calls() + otp.calls() + search.calls() - callsBefore + database.statements();
      expect(calls, `calls of tick ${minute}`).toBeLessThan(1_000);
      // Nothing consumes the queue here, so each tick sends the message again.
      expect(otp.taken.map(({ payload }) => payload)).toEqual(Array.from({ length: minute }, () => code?.payload));
      expect(search.ids("user_search.due")).toEqual(["lost-deletion"]);
      expect(tasks.ids("user.deleted")).toEqual(["lost-deletion"]);
      expect(tasks.taken.slice(0, 100).map(({ event_id }) => event_id)).toContain("lost-deletion");
      // Number of events that jobs may record in a minute.
      expect(new Set(tasks.ids("profile.reminder_due")).size).toBeGreaterThanOrEqual(Math.min(60_000, 20_000 * minute));
    }
    expect(new Set(tasks.ids("profile.reminder_due")).size).toBe(60_000);
  }, 120_000);

  it("finds due events by index ranges, without sorting", async () => {
    const seen: string[] = [];
    const DB = new Proxy(testEnv.DB, {
      get(target, name) {
        if (name !== "prepare") return Reflect.get(target, name).bind(target);
        return (text: string) => {
          seen.push(text);
          return target.prepare(text);
        };
      },
    });
    await passMinute({ DB, TASK_QUEUE: queue().binding });
    const claim = seen.find((text) => /^update "outbox"/.test(text) && text.includes("cross join"));
    if (!claim) throw new Error("no claim was made");
    const parameters = [...claim.matchAll(/\?/g)].map(() => 0);
    const plan = (await rows<{ detail: string }>(`explain query plan ${claim}`, ...parameters)).map(
      ({ detail }) => detail,
    );
    expect(plan.join("\n")).toMatch(/SEARCH due USING PRIMARY KEY \(urgency=\?\)/);
    expect(plan.join("\n")).toMatch(/SEARCH outbox USING PRIMARY KEY \(urgency=\? AND id=\?\)/);
    expect(plan.join("\n")).not.toMatch(/TEMP B-TREE|SCAN (outbox|due)/);
  });

  it("keeps sending to other queues while the OTP queue is down", async () => {
    await insertSmsCodes(101);
    await insertEvent({ id: "deletion-beside-codes", type: "user.deleted" });
    await insertReminders(250);
    const [tasks, otp] = [queue(), queue(() => true)];
    await passMinute({ TASK_QUEUE: tasks.binding, OTP_QUEUE: otp.binding, SEARCH_QUEUE: queue().binding });
    expect(otp.taken).toEqual([]);
    expect(tasks.ids("user.deleted")).toEqual(["deletion-beside-codes"]);
    expect(tasks.ids("profile.reminder_due")).toHaveLength(250);
    const working = queue();
    await passMinute({ OTP_QUEUE: working.binding });
    expect(working.taken).toHaveLength(101);
  });

  it("keeps sending tasks of the same urgency while the search queue refuses a whole claim", async () => {
    for (let i = 0; i < 101; i++)
      await insertEvent({ id: `change-${String(i).padStart(3, "0")}`, type: "user.updated" });
    await insertEvent({ id: "task-behind-changes", type: "kyc.decided" });
    expect(urgencyOf("user.updated")).toBe(urgencyOf("kyc.decided"));
    const [tasks, search] = [queue(), queue(() => true)];
    await passMinute({ TASK_QUEUE: tasks.binding, OTP_QUEUE: queue().binding, SEARCH_QUEUE: search.binding });
    expect(tasks.ids("kyc.decided")).toEqual(["task-behind-changes"]);
    expect(await rows("select 1 from outbox")).toHaveLength(101);
    const working = queue();
    await passMinute({ TASK_QUEUE: tasks.binding, SEARCH_QUEUE: working.binding });
    expect(new Set(working.ids("user_search.due")).size).toBe(101);
  });

  it("makes a bounded number of calls while a queue is down, and sends everything once it recovers", async () => {
    await insertReminders(1_000);
    const down = queue(() => true);
    await passMinute({ TASK_QUEUE: down.binding });
    expect(down.calls()).toBeLessThan(300);
    const lines = recordLog();
    const back = queue();
    await passMinute({ TASK_QUEUE: back.binding });
    expect(new Set(back.ids("profile.reminder_due")).size).toBe(1_000);
    expect(lines).toContainEqual(expect.objectContaining({ event: "minute_tick", published: 1_000 }));
  });
});

describe("An event that its queue refuses", () => {
  it("does not block others, waits longer after each attempt, and becomes a dead letter after twelve", async () => {
    const id = `poison-${now}`;
    await insertEvent({ id, type: "auth.new_device" });
    const lines = recordLog();
    const tasks = queue(({ event_id }) => event_id === id);
    const delays: number[] = [];
    for (let ticks = 0; ticks < 20 && !(await letterOf(id)); ticks++) {
      const before = await openOf(id);
      // Other events of the same minute, in the same call.
      await insertReminders(3);
      await passMinute({ TASK_QUEUE: tasks.binding });
      const after = await openOf(id);
      if (after && after.attempts > (before?.attempts ?? 0))
        delays.push((after.leased_until - Date.now() + MINUTE_MS) / 1000);
      expect((await rows("select 1 from outbox")).length).toBeLessThanOrEqual(1);
      vi.setSystemTime(Math.max(Date.now(), after?.leased_until ?? 0));
    }
    expect(delays.slice(0, 6)).toEqual([30, 30, 60, 120, 240, 480]);
    expect(delays.every((delay, i) => delay >= (delays[i - 1] ?? 0))).toBe(true);
    const letter = await letterOf(id);
    expect(letter).toMatchObject({ type: "auth.new_device", queue: "tasks", payload: "{}", attempts: 12 });
    expect(letter?.reason).toContain("Bad Request");
    expect(lines).toContainEqual(expect.objectContaining({ event: "publish_failed", alert: true, queue: "tasks" }));
    expect(lines).toContainEqual(
      expect.objectContaining({ event: "dead_letter", alert: true, dead_letter_id: letter?.id }),
    );
    await passMinute({ TASK_QUEUE: tasks.binding });
    expect(await rows("select 1 from dead_letters where event_id = ?", id)).toHaveLength(1);
    expect(await openOf(id)).toBeUndefined();
  }, 60_000);

  it("does not become a dead letter while its queue is down, until a day has passed", async () => {
    const id = `outage-${now}`;
    await insertEvent({ id, type: "auth.new_device" });
    const down = queue(() => true);
    for (let minute = 0; minute < 30; minute++) await passMinute({ TASK_QUEUE: down.binding });
    expect(await letterOf(id)).toBeUndefined();
    expect((await openOf(id))?.attempts).toBeGreaterThan(12);
    const younger = `${id}-younger`;
    vi.setSystemTime(now + 1);
    await insertEvent({ id: younger, type: "auth.new_device" });
    await run("update outbox set attempts = 20 where id = ?", younger);
    vi.setSystemTime(now + 24 * 60 * MINUTE_MS);
    await passMinute({ TASK_QUEUE: down.binding });
    expect(await letterOf(younger)).toBeUndefined();
    expect((await letterOf(id))?.reason).toContain("not published: tasks");
  });

  it("becomes a dead letter without its payload if that exceeds 64 KB of UTF-8; one byte less is sent", async () => {
    // Three bytes per letter, two for the quotation marks, and the rest as padding.
    const text = (bytes: number) => `"${"ब".repeat((bytes - 4) / 3)}${"a".repeat(2 + ((bytes - 4) % 3))}"`;
    const size = 64 * 1024;
    const length = (payload: string) => new TextEncoder().encode(payload).length;
    expect([length(text(size)), length(text(size + 1))]).toEqual([size, size + 1]);
    await insertEvent({ id: `fits-${now}`, type: "auth.new_device", payload: text(size) });
    await insertEvent({ id: `exceeds-${now}`, type: "auth.new_device", payload: text(size + 1) });
    await insertEvent({ id: `neighbour-${now}`, type: "auth.new_device" });
    const tasks = queue();
    await passMinute({ TASK_QUEUE: tasks.binding });
    expect(tasks.ids("auth.new_device").sort()).toEqual([`fits-${now}`, `neighbour-${now}`]);
    const letter = await letterOf(`exceeds-${now}`);
    expect(letter).toMatchObject({ payload: null, queue: "tasks", user_id: "someone" });
    expect(letter?.reason).toContain(`payload of ${size + 1} bytes`);
    expect(await openOf(`exceeds-${now}`)).toBeUndefined();
  });

  it("becomes a dead letter without its payload if its user was deleted, unless it announces that", async () => {
    const insert = (id: string, type: string, text: string) =>
      run(
        `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
          values (?, ?, ?, 'deleted', ?, 'tasks', ?, ?, 1)`,
        ...[urgencyOf(type), id, type, text, Date.now(), Date.now() - 1],
      );
    // Each is refused for good, because escaping its payload makes the message too large for a queue.
    const text = (more = "") => `{"text":"${'\\"'.repeat(32_000)}"${more}}`;
    await insert(`changed-${now}`, "user.identifier_changed", text());
    await insert(`deleted-${now}`, "user.deleted", text());
    await insert(`webhook-${now}`, "webhook.due", text(`,"type":"user.deleted"`));
    await insert(`other-${now}`, "webhook.due", text(`,"type":"user.updated"`));
    await passMinute({ TASK_QUEUE: queue().binding });
    const kept = async (name: string) => typeof (await letterOf(`${name}-${now}`))?.payload === "string";
    expect([await kept("changed"), await kept("deleted"), await kept("webhook"), await kept("other")]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it("becomes a dead letter if JSON escaping makes its message exceed the queue's limit", async () => {
    const id = `quotes-${now}`;
    await insertEvent({ id, type: "auth.new_device", payload: JSON.stringify({ text: '"'.repeat(32_000) }) });
    const tasks = queue();
    await passMinute({ TASK_QUEUE: tasks.binding });
    expect(tasks.ids("auth.new_device")).toEqual([]);
    expect((await letterOf(id))?.reason).toContain("message of 128");
  });
});
