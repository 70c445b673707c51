import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stopClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import { naivePublish, naiveTick } from "../support/naive/naive-publish.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { SEEDS } from "./describe-races.ts";

/** A day after those of all other tests, so that nothing they left behind is due. */
let now = Date.UTC(2069, 5, 1, 12);

beforeEach(async () => {
  now += 86_400_000;
  stopClock({ at: now, timers: true });
  // Completes what earlier tests left pending: events, job runs, and users who would become inactive.
  await env.DB.batch([
    env.DB.prepare("delete from outbox"),
    env.DB.prepare("update job_runs set finished_at = leased_until where finished_at is null"),
    env.DB.prepare("update users set last_login = ?").bind(now + 10 * 86_400_000),
  ]);
});
afterEach(() => vi.useRealTimers());

const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

/** Inserts a user and `howMany` due events that each cause one notification. */
async function insertEvents(userId: string, howMany: number): Promise<void> {
  await env.DB.batch([
    env.DB.prepare(
      `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
        social_provider, locale, date_joined, last_login, updated_at, version)
        values (?1, ?1, ?1, 0, 1, ?1, 'ACTIVE', 'user', 'PHONE', 'en', ?2, ?2, ?2, 1)`,
    ).bind(userId, now),
    env.DB.prepare(
      `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
        select ?1 || '-' || value, 'auth.new_device', ?1, '{}', 'tasks', ?3, 0, 0
        from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)`,
    ).bind(userId, howMany, now),
  ]);
}

/** Lets a minute pass, so that the leases of crashed invocations expire, and runs the cron. */
async function nextMinute(simulation: Simulation): Promise<void> {
  vi.setSystemTime(Date.now() + 61_000);
  await simulation.tick();
  await simulation.deliver();
}

const effectsOf = (userId: string) => count("from notifications where user_id = ?", userId);
const openOf = (userId: string) => count("from outbox where user_id = ?", userId);

describe("R14: concurrent publishers and consumers", () => {
  it.each(seeds)(
    "apply 250 events once each, with 8 publishers of which one dies after sending (seed %i)",
    async (seed) => {
      const userId = `publish-${seed}-${now}`;
      await insertEvents(userId, 250);
      const simulation = new Simulation(seed);
      let hasDied = false;
      const faults = ({ binding }: BindingCall): Fault | undefined => {
        if (binding !== "QUEUE" || hasDied) return undefined;
        hasDied = true;
        return "die-after";
      };
      await simulation.tick(8, { faults });
      expect(hasDied).toBe(true);
      expect(simulation.queue.held.length).toBeGreaterThanOrEqual(250);
      // The crashed publisher sent its events without deleting them, so they are sent again.
      expect([50, 100]).toContain(await openOf(userId));
      await simulation.deliver(2);
      await nextMinute(simulation);
      expect(await effectsOf(userId)).toBe(250);
      expect(await openOf(userId)).toBe(0);
    },
  );

  it.each(seeds)("lose and duplicate nothing whichever call fails or crashes (seed %i)", async (seed) => {
    const userId = `publish-faults-${seed}-${now}`;
    await insertEvents(userId, 60);
    const kinds: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
    for (let minute = 0; minute < 3; minute++) {
      const simulation = new Simulation(seed * 100 + minute);
      const { random } = simulation.scheduler;
      const faults = () => (random() < 0.2 ? kinds[Math.floor(random() * kinds.length)] : undefined);
      await simulation.tick(8, { faults });
      // Messages that were not acknowledged are redelivered.
      const held = structuredClone(simulation.queue.held);
      await simulation.deliver(2, { faults });
      simulation.queue.held.push(...held);
      await simulation.deliver(1, { faults });
      simulation.queue.held.push(...held);
      await simulation.deliver();
      vi.setSystemTime(Date.now() + 61_000);
    }
    await nextMinute(new Simulation(seed));
    await nextMinute(new Simulation(seed));
    expect(await effectsOf(userId)).toBe(60);
    expect(await openOf(userId)).toBe(0);
  });

  it.each(seeds)("apply one message delivered to 8 consumers at once only once (seed %i)", async (seed) => {
    const userId = `consumer-${seed}-${now}`;
    await insertEvents(userId, 1);
    const simulation = new Simulation(seed);
    await simulation.tick();
    await simulation.deliver(8);
    expect(await effectsOf(userId)).toBe(1);
  });

  it("apply copies of one message in one batch once", async () => {
    const userId = `batch-${now}`;
    await insertEvents(userId, 1);
    const simulation = new Simulation(1);
    await simulation.tick();
    const [message] = simulation.queue.held.splice(0);
    if (!message) throw new Error("nothing was published");
    await simulation.deliverBatch(Array.from({ length: 10 }, (_, i) => ({ ...message, id: `copy-${i}` })));
    expect(await effectsOf(userId)).toBe(1);
  });
});

describe("A publisher and a consumer that read, act and then delete or mark", () => {
  /**
   * Publishes 50 events with eight publishers and consumes each message twice.
   *
   * @returns the numbers of messages and of effects.
   */
  async function runNaive(seed: number, isCalm: boolean) {
    const userId = `naive-publish-${seed}-${isCalm}-${now}`;
    await insertEvents(userId, 50);
    const simulation = new Simulation(seed, naivePublish, isCalm);
    await simulation.race(Array.from({ length: 8 }, () => ({ method: "POST", path: "/publish" })));
    const sent = simulation.queue.held.splice(0).map(({ body }) => body as { id: string });
    const consumers = [...sent, ...sent].map(({ id }) => ({
      method: "POST",
      path: `/consume?id=${id}&user=${userId}`,
    }));
    await simulation.race(consumers);
    return { sent: sent.length, effects: await effectsOf(userId) };
  }

  it("are correct alone and duplicate messages and effects in a race", async () => {
    expect(await runNaive(1, true)).toEqual({ sent: 50, effects: 50 });
    const raced = await runNaive(1, false);
    expect(raced.sent).toBeGreaterThan(50);
    expect(raced.effects).toBeGreaterThan(50);
  });
});

describe("R15: overlapping ticks", () => {
  it.each(seeds)("run each job once per period (seed %i)", async (seed) => {
    const simulation = new Simulation(seed);
    vi.setSystemTime(now + 86_400_000);
    await simulation.tick(5);
    await simulation.deliver(2);
    // A run with more work than one invocation does continues with the next ticks.
    for (let minute = 0; minute < 5; minute++) await nextMinute(simulation);
    const since = now;
    const runs = await env.DB.prepare(
      "select name, count(*) as n, min(finished_at is not null) as done from job_runs where period_started_at > ? group by name",
    )
      .bind(since)
      .all<{ name: string; n: number; done: number }>();
    expect(runs.results.length).toBeGreaterThan(0);
    expect(runs.results.filter(({ n, done }) => n !== 1 || done !== 1)).toEqual([]);
    const finished = await count("from job_runs where period_started_at > ? and chunks > 0", since);
    expect(finished).toBe(runs.results.length);
    now += 2 * 86_400_000;
  });

  it("detects that a cron that reads, works and then records is correct alone and wrong in a race", async () => {
    const workOf = async (isCalm: boolean) => {
      const userId = `naive-tick-${isCalm}-${now}`;
      await insertEvents(userId, 0);
      await env.DB.prepare("delete from job_runs where name = 'naive'").run();
      const ticks = Array.from({ length: 5 }, () => ({ method: "POST", path: `/tick?user=${userId}` }));
      await new Simulation(1, naiveTick, isCalm).race(ticks);
      return effectsOf(userId);
    };
    expect(await workOf(true)).toBe(1);
    expect(await workOf(false)).toBeGreaterThan(1);
  });
});
