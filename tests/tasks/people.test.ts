import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { stopClock } from "../support/clock.ts";
import { count, rows } from "../support/database.ts";
import { finishOtherJobs } from "../support/jobs.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { runMinutes } from "../support/tasks.ts";

beforeAll(keepSentEvents);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Each test has a time of its own, so that no users of another test are due. */
let today = Date.UTC(2031, 0, 1, 4, 30);

beforeEach(async () => {
  today += 400 * DAY_MS;
  // Events that earlier tests left in the outbox would be sent first.
  await env.DB.prepare("delete from outbox").run();
  stopClock({ at: today, timers: true });
});
afterEach(() => vi.useRealTimers());

interface Person {
  joined: number;
  lastLogin?: number | null;
  status?: string;
  locale?: string;
  fullName?: string;
}

/** Inserts users `PREFIX-1` to `PREFIX-N` with profiles. */
async function insertPeople(prefix: string, howMany: number, person: Person): Promise<void> {
  const { joined, lastLogin = null, status = "ACTIVE", locale = "en", fullName = null } = person;
  const numbers =
    "(with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)";
  await env.DB.batch([
    env.DB.prepare(
      `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
        social_provider, locale, date_joined, last_login, updated_at, version)
        select ?1 || '-' || value, ?1, ?1 || '-' || value, 0, 1, ?1 || '-' || value, ?3, 'user', 'PHONE', ?4, ?5, ?6, ?5, 1
        from ${numbers}`,
    ).bind(prefix, howMany, status, locale, joined, lastLogin),
    env.DB.prepare(
      `insert into profiles (user_id, id, full_name, date_of_birth, address, created_at, updated_at)
        select ?1 || '-' || value, ?1 || '-' || value, ?3, '2000-01-01', 'Pokhara', 0, 0 from ${numbers}`,
    ).bind(prefix, howMany, fullName),
  ]);
}

describe("deactivate_inactive_users", () => {
  beforeEach(() => finishOtherJobs("deactivate_inactive_users", 1));

  it("deactivates each of 3,333 due users of 10,000 exactly once, despite 20 kills and overlapping ticks", async () => {
    await insertPeople("sleepy", 3_333, { joined: today - 300 * DAY_MS, lastLogin: today - 181 * DAY_MS });
    await insertPeople("awake", 6_667, { joined: today - 300 * DAY_MS, lastLogin: today - 179 * DAY_MS });
    let kills = 0;
    const kinds: Fault[] = ["die-before", "die-after"];
    for (let seed = 1; kills < 20; seed++) {
      const simulation = new Simulation(seed);
      const { random } = simulation.scheduler;
      const faults = ({ binding }: BindingCall) => {
        if (binding !== "D1" || kills >= 20 || random() > 0.25) return undefined;
        kills += 1;
        return kinds[kills % 2];
      };
      await simulation.tick(3, { faults });
      await simulation.deliver(2, { faults });
      vi.setSystemTime(Date.now() + 61_000);
    }
    const simulation = new Simulation(99);
    await runMinutes(simulation, 3);

    expect(
      await count(
        "from users where id glob 'sleepy-*' and status = 'INACTIVE' and status_reason = 'inactivity' and version = 2",
      ),
    ).toBe(3_333);
    expect(await count("from users where id glob 'awake-*' and status = 'ACTIVE' and version = 1")).toBe(6_667);
    for (const [table, column] of [
      ["audit_logs", "entity_id"],
      ["notifications", "user_id"],
      ["recorded_events", "user_id"],
    ]) {
      expect(await count(`from ${table} where ${column} glob 'sleepy-*'`), table).toBe(3_333);
      expect(await count(`from (select distinct ${column} from ${table} where ${column} glob 'sleepy-*')`), table).toBe(
        3_333,
      );
      expect(await count(`from ${table} where ${column} glob 'awake-*'`), table).toBe(0);
    }
    const perInvocation = Map.groupBy(simulation.log, ({ invocation }) => invocation.id);
    for (const calls of perInvocation.values()) {
      const queries = calls.reduce((sum, { binding, detail }) => sum + (binding === "D1" ? detail.length : 0), 0);
      expect(queries).toBeLessThan(1_000);
    }
  });

  it("stays within 1,000 queries in one invocation", async () => {
    await insertPeople("drowsy", 3_333, { joined: today - 300 * DAY_MS });
    const simulation = new Simulation(1);
    await simulation.tick();
    await simulation.deliver();
    expect(await count("from users where id glob 'drowsy-*' and status = 'INACTIVE'")).toBe(3_333);
    const perInvocation = Map.groupBy(simulation.log, ({ invocation }) => invocation.id);
    const queries = [...perInvocation.values()].map((calls) =>
      calls.reduce((sum, { binding, detail }) => sum + (binding === "D1" ? detail.length : 0), 0),
    );
    expect(Math.max(...queries)).toBeGreaterThan(17 * 5);
    expect(Math.max(...queries)).toBeLessThan(1_000);
  });

  it("considers the last sign-in, or the joining date if there is none, of ACTIVE users only", async () => {
    const long = today - 180 * DAY_MS - 1;
    const short = today - 180 * DAY_MS + 60_000;
    await insertPeople("edge-never", 1, { joined: long });
    await insertPeople("edge-new", 1, { joined: short });
    await insertPeople("edge-seen", 1, { joined: long, lastLogin: short });
    await insertPeople("edge-banned", 1, { joined: long, status: "BANNED" });
    await insertPeople("edge-nepali", 1, { joined: long, locale: "ne" });
    await runMinutes(new Simulation(1), 1);
    const found = await rows(
      "select id, status, status_reason as reason from users where id glob 'edge-*' order by id",
    );
    expect(found).toEqual([
      { id: "edge-banned-1", status: "BANNED", reason: null },
      { id: "edge-nepali-1", status: "INACTIVE", reason: "inactivity" },
      { id: "edge-never-1", status: "INACTIVE", reason: "inactivity" },
      { id: "edge-new-1", status: "ACTIVE", reason: null },
      { id: "edge-seen-1", status: "ACTIVE", reason: null },
    ]);
    const [audit] = await rows("select * from audit_logs where entity_id = 'edge-never-1'");
    expect(audit).toMatchObject({
      action: "UPDATE",
      entity_type: "user",
      actor_id: null,
      by_staff: 0,
      old_values: '{"status":"ACTIVE"}',
      new_values: '{"status":"INACTIVE"}',
    });
    const [english] = await rows<{ title: string }>("select * from notifications where user_id = 'edge-never-1'");
    const [nepali] = await rows<{ title: string }>("select * from notifications where user_id = 'edge-nepali-1'");
    expect(english?.title).toMatch(/^[ -~]+$/);
    expect(nepali?.title).toMatch(/[\u0900-\u097f]/);
  });
});

describe("send_profile_completion_reminder", () => {
  beforeEach(() => finishOtherJobs("remind_incomplete_profiles", 13));

  const remindersOf = (userId: string) =>
    count("from notifications where user_id = ? and notification_type = 'PROFILE_REMINDER'", userId);

  it("reminds on the first, third and seventh day after joining and never again", async () => {
    await insertPeople("unready", 1, { joined: today - DAY_MS / 2 });
    const seen: number[] = [];
    for (let day = 0; day <= 12; day++) {
      vi.setSystemTime(today + day * DAY_MS);
      await runMinutes(new Simulation(day), 2);
      seen.push(await remindersOf("unready-1"));
    }
    expect(seen).toEqual([0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
  });

  it("sends one reminder after days without a tick", async () => {
    await insertPeople("missed", 1, { joined: today - 5 * DAY_MS });
    await runMinutes(new Simulation(1), 2);
    expect(await remindersOf("missed-1")).toBe(1);
  });

  it("does not remind users with complete profiles or inactive accounts", async () => {
    await insertPeople("ready", 1, { joined: today - 2 * DAY_MS, fullName: "Asha Gurung" });
    await insertPeople("asleep", 1, { joined: today - 2 * DAY_MS, status: "INACTIVE" });
    await runMinutes(new Simulation(1), 2);
    expect([await remindersOf("ready-1"), await remindersOf("asleep-1")]).toEqual([0, 0]);
  });

  it("does not remind users whose profile was completed before the message arrived", async () => {
    await insertPeople("quick", 1, { joined: today - 2 * DAY_MS });
    const simulation = new Simulation(1);
    await simulation.tick();
    await simulation.deliver();
    await env.DB.prepare("update profiles set full_name = 'Asha Gurung' where user_id = 'quick-1'").run();
    vi.setSystemTime(Date.now() + 61_000);
    await runMinutes(simulation, 2);
    expect(await remindersOf("quick-1")).toBe(0);
  });

  it("reminds once in 20 hours, however often an incomplete profile is changed", async () => {
    await insertPeople("busy", 1, { joined: today - 100 * DAY_MS, lastLogin: today });
    const change = async (id: string) => {
      await env.DB.prepare(
        `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
          values (?, 'profile.reminder_due', 'busy-1', '{}', 'tasks', 0, 0, 0)`,
      )
        .bind(`${id}-${today}`)
        .run();
      await runMinutes(new Simulation(1), 1);
    };
    await change("first");
    await change("second");
    expect(await remindersOf("busy-1")).toBe(1);
    vi.setSystemTime(today + 20 * HOUR_MS - 1);
    await change("third");
    expect(await remindersOf("busy-1")).toBe(1);
    vi.setSystemTime(today + 20 * HOUR_MS);
    await change("fourth");
    expect(await remindersOf("busy-1")).toBe(2);
  });

  it("requests no second reminder while one is pending, but another one days after it was delivered", async () => {
    await insertPeople("waiting", 1, { joined: today - 2 * DAY_MS });
    const asked = () => count("from recorded_events where user_id = 'waiting-1' and type = 'profile.reminder_due'");
    const simulation = new Simulation(1);
    const minute = async () => {
      await simulation.tick();
      await simulation.deliver();
      vi.setSystemTime(Date.now() + 61_000);
    };
    await minute();
    expect(await asked()).toBe(1);
    // The third day: the first reminder is still held in the queue.
    vi.setSystemTime(today + 2 * DAY_MS);
    await minute();
    expect(await asked(), "the pending reminder also serves for the third day").toBe(1);
    await minute();
    await minute();
    expect(await remindersOf("waiting-1")).toBe(1);
    // The seventh day.
    vi.setSystemTime(today + 6 * DAY_MS);
    await minute();
    expect(await asked()).toBe(2);
  });

  it("reminds each user once despite duplicated messages and dying invocations", async () => {
    await insertPeople("many", 120, { joined: today - 2 * DAY_MS });
    for (let seed = 1; seed <= 5; seed++) {
      const simulation = new Simulation(seed);
      const { random } = simulation.scheduler;
      const kinds: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
      const faults = () => (random() < 0.1 ? kinds[Math.floor(random() * kinds.length)] : undefined);
      await simulation.tick(2, { faults });
      await simulation.deliver(2, { faults });
      await simulation.deliver(2, { faults });
      vi.setSystemTime(Date.now() + 61_000);
    }
    // Messages that failed in a consumer are redelivered by the queue; here the cron publishes them once more.
    await env.DB.prepare(
      `insert into outbox (urgency, id, type, user_id, payload, queue, created_at, leased_until, attempts)
        select 1, id, type, user_id, payload, queue, created_at, 0, 0 from recorded_events where user_id glob 'many-*'
        on conflict (urgency, id) do update set leased_until = 0`,
    ).run();
    await runMinutes(new Simulation(50), 4);
    expect(await count("from notifications where user_id glob 'many-*'")).toBe(120);
    expect(await count("from (select distinct user_id from notifications where user_id glob 'many-*')")).toBe(120);
    expect(await count("from recorded_events where user_id glob 'many-*' and type = 'push.requested'")).toBe(120);
  });
});
