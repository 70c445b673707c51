import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { firstIdAt } from "../../src/platform/uuid.ts";
import { stopClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { runMinutes } from "../support/tasks.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Each test uses its own day, so that runs of other tests are over. */
let today = Date.UTC(2027, 0, 1, 0, 30);

beforeEach(() => {
  today += DAY_MS;
  stopClock({ at: today, timers: true });
});
afterEach(() => vi.useRealTimers());

async function insertAuditRows(userId: string, howMany: number, createdAt: number): Promise<void> {
  await env.DB.prepare(
    `insert into audit_logs (id, user_id, action, entity_type, entity_id, by_staff, created_at)
      select ?4 || '-' || ?1 || '-' || value, ?1, 'VIEW', 'user', ?1, 0, ?2
      from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?3) select value from n)`,
  )
    .bind(userId, createdAt, howMany, firstIdAt(createdAt))
    .run();
}

const runOf = (name: string, since: number) =>
  env.DB.prepare("select * from job_runs where name = ? and period_started_at >= ? order by period_started_at desc")
    .bind(name, since)
    .first();

describe("cleanup_expired_audit_logs", () => {
  it("deletes rows older than 365 days and no younger ones", async () => {
    const userId = "audit-age";
    await insertAuditRows(userId, 3, today - 365 * DAY_MS - 60_000);
    await insertAuditRows(userId, 2, today - 365 * DAY_MS + 2 * HOUR_MS);
    await runMinutes(new Simulation(1), 1);
    expect(await count("from audit_logs where user_id = ?", userId)).toBe(2);
    expect(await runOf("cleanup_expired_audit_logs", today - DAY_MS)).toMatchObject({
      finished_at: expect.any(Number),
    });
  });

  it("deletes every due row and finishes its run despite faults and overlapping ticks", async () => {
    const userId = "audit-crash";
    await insertAuditRows(userId, 2600, today - 400 * DAY_MS);
    for (let seed = 1; seed <= 6; seed++) {
      const simulation = new Simulation(seed);
      const random = simulation.scheduler.random;
      const kinds: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
      const faults = ({ binding }: BindingCall) =>
        binding === "D1" && random() < 0.2 ? kinds[Math.floor(random() * kinds.length)] : undefined;
      await simulation.tick(3, { faults });
      await simulation.deliver(2, { faults });
      vi.setSystemTime(Date.now() + 61_000);
    }
    await runMinutes(new Simulation(9), 2);
    expect(await count("from audit_logs where user_id = ?", userId)).toBe(0);
    expect(await count("from job_runs where name = 'cleanup_expired_audit_logs' and finished_at is null")).toBe(0);
  });

  it("runs once a day for any number of ticks", async () => {
    await runMinutes(new Simulation(1), 3);
    const before = await runOf("cleanup_expired_audit_logs", today - DAY_MS);
    await runMinutes(new Simulation(2), 3);
    expect(await runOf("cleanup_expired_audit_logs", today - DAY_MS)).toEqual(before);
  });
});

describe("purge_expired_rows", () => {
  it("deletes codes after a day, guards after a week without attempts, and expired keys, and keeps the rest", async () => {
    const old = today - 10 * DAY_MS;
    const insertAll = async (mark: string, at: number) => {
      await env.DB.batch([
        env.DB.prepare(
          `insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at,
            expires_at, attempts_familiar, attempts_other)
            values (printf('%012x', ?2) || ?1, ?1, 'n', 1, 'other', '', '', ?2, ?2, 0, 0)`,
        ).bind(mark, at),
        env.DB.prepare("insert into otp_network_guards values (?1, 'n', '[]', 0, 0, null, ?2)").bind(mark, at),
        env.DB.prepare("insert into otp_class_guards values (?1, 'other', '[]', 1, 0, null, ?2)").bind(mark, at),
        env.DB.prepare("insert into network_guess_limits values (?1, ?2, 1)").bind(mark, at),
        env.DB.prepare("insert into idempotency_keys values (?1, '', '', null, ?2)").bind(mark, at),
        env.DB.prepare("insert into sms_send_limits values ('network', ?1, ?2, 1, ?2, 1)").bind(mark, at),
      ]);
    };
    await insertAll("purge-old", old);
    await insertAll("purge-new", today);
    await runMinutes(new Simulation(1), 2);
    const left = async (mark: string) => [
      await count("from otp_challenges where identifier = ?", mark),
      await count("from otp_network_guards where identifier = ?", mark),
      await count("from otp_class_guards where identifier = ?", mark),
      await count("from network_guess_limits where network = ?", mark),
      await count("from idempotency_keys where key_hash = ?", mark),
      await count("from sms_send_limits where key = ?", mark),
    ];
    expect(await left("purge-old")).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await left("purge-new")).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("keeps a day's SMS calls for 90 days", async () => {
    const dayOf = (age: number) => new Date(today - age * DAY_MS).toISOString().slice(0, 10);
    for (const age of [92, 89]) {
      await env.DB.prepare("insert into sms_budget_days values (?, 10, 1, null, 0, 0)").bind(dayOf(age)).run();
    }
    await runMinutes(new Simulation(1), 2);
    const left = (age: number) => count("from sms_budget_days where day = ?", dayOf(age));
    expect([await left(92), await left(89)]).toEqual([0, 1]);
  });

  it("keeps an ended session for 30 days and an event until it is sent", async () => {
    await env.DB.prepare(
      `insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
        social_provider, locale, date_joined, updated_at, version)
        values ('purge-user', 'p', 'purge-user', 0, 0, 'purge-user', 'ACTIVE', 'user', 'PHONE', 'en', 0, 0, 1)`,
    ).run();
    const session = (id: string, idle: number, absolute: number, revoked: number | null) =>
      env.DB.prepare(
        `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays, idle_ttl_ms,
          idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, revoked_by, ip, user_agent, device_name, method)
          values (?1, 'purge-user', 0, 0, 0, '', 0, '', 0, 0, ?2, ?3, ?4, 'r', null, '', null, null, 'OTP_PHONE')`,
      ).bind(id, idle, absolute, revoked);
    const far = today + 50 * DAY_MS;
    const event = env.DB.prepare(
      `insert into outbox (id, type, payload, queue, created_at, leased_until, attempts) values (?, 'e-waiting', '{}', 'tasks', 0, 9e15, 0)`,
    ).bind(`${firstIdAt(today - 16 * DAY_MS)}-event`);
    await env.DB.batch([
      session("s-revoked-31", far, far, today - 31 * DAY_MS),
      session("s-revoked-29", far, far, today - 29 * DAY_MS),
      session("s-idle-31", today - 31 * DAY_MS, today - DAY_MS, null),
      session("s-idle-29", today - 29 * DAY_MS, today - DAY_MS, null),
      session("s-live", far, far, null),
      event,
    ]);
    await runMinutes(new Simulation(1), 2);
    const { results } = await env.DB.prepare("select id from sessions where user_id = 'purge-user' order by id").all();
    expect(results.map(({ id }) => id)).toEqual(["s-idle-29", "s-live", "s-revoked-29"]);
    const events = await env.DB.prepare("select type from outbox where type glob 'e-*' order by type").all();
    expect(events.results.map(({ type }) => type)).toEqual(["e-waiting"]);
  });

  it("stays far below 1,000 queries in one invocation", async () => {
    await insertAuditRows("audit-many", 120_000, today - 400 * DAY_MS);
    const simulation = new Simulation(1);
    await simulation.tick();
    await simulation.deliver();
    const perInvocation = Map.groupBy(simulation.log, ({ invocation }) => invocation.id);
    for (const calls of perInvocation.values()) {
      const queries = calls.reduce((sum, { binding, detail }) => sum + (binding === "D1" ? detail.length : 0), 0);
      expect(queries).toBeLessThan(500);
    }
    expect(await count("from audit_logs where user_id = 'audit-many'")).toBeGreaterThan(0);
    vi.setSystemTime(Date.now() + 61_000);
    await runMinutes(simulation, 2);
    expect(await count("from audit_logs where user_id = 'audit-many'")).toBe(0);
  });
});

describe("data of browser flows and used ID tokens", () => {
  it("is deleted an hour after it expired, and not while a used code may still be repeated", async () => {
    const id = crypto.randomUUID();
    const proof = (name: string, expiresAt: number) =>
      env.DB.prepare("insert into social_proofs (proof_hash, created_at, expires_at, is_burned) values (?, ?, ?, 0)")
        .bind(`${name} ${id}`, expiresAt, expiresAt)
        .run();
    const state = (name: string, expiresAt: number) =>
      env.DB.prepare("insert into social_states (state_hash, expires_at) values (?, ?)")
        .bind(`${name} ${id}`, expiresAt)
        .run();
    for (const insert of [proof, state]) {
      await insert("old", today - HOUR_MS - 60_000);
      await insert("young", today - 170_000);
    }
    await runMinutes(new Simulation(1), 1);
    expect(await count("from social_proofs where proof_hash = ?", `old ${id}`)).toBe(0);
    expect(await count("from social_proofs where proof_hash = ?", `young ${id}`)).toBe(1);
    expect(await count("from social_states where state_hash = ?", `old ${id}`)).toBe(0);
    expect(await count("from social_states where state_hash = ?", `young ${id}`)).toBe(1);
    for (const job of ["purge_expired_rows", "cleanup_unlinked_social_accounts"]) {
      expect(await runOf(job, today - DAY_MS), job).toMatchObject({ finished_at: expect.any(Number) });
    }
  });
});
