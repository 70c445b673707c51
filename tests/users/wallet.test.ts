import { describe, expect, it } from "vitest";
import { call } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { newUser } from "../support/people.ts";
import { deliver, newEvent, topUp } from "../support/platform.ts";
import { consume } from "../support/queue.ts";
import { Simulation } from "../support/simulator/simulation.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const clock = useClock();

const wallet = (token: string) => call("GET", "/api/users/wallet", { token });
const usage = (token: string) => call("GET", "/api/users/analytics/usage-stats", { token });
const now = () => new Date().toISOString();

describe("users/wallet", () => {
  it("contains only the signup points at first", async () => {
    const { access } = await newUser();
    expect((await wallet(access)).body.data).toEqual({
      balance: "0.00",
      currency: "NPR",
      points: { current_points: 50, total_points: 50 },
      last_updated: now(),
    });
  });

  it("shows the balance, which can be negative, and the time of the last change of balance or points", async () => {
    const { access, userId } = await newUser();
    clock.advance(MINUTE_MS);
    await deliver([topUp(userId, "20.05", {}, { transaction_type: "FINE", wallet_delta: "-20.05" })]);
    expect((await wallet(access)).body.data).toMatchObject({ balance: "-20.05", last_updated: now() });
    clock.advance(MINUTE_MS);
    await deliver([newEvent(userId, "points.changed", { delta: -70, reason: "redeemed", reference: "gift" })]);
    expect((await wallet(access)).body.data).toEqual({
      balance: "-20.05",
      currency: "NPR",
      points: { current_points: -20, total_points: 50 },
      last_updated: now(),
    });
  });
});

describe("users/analytics/usage-stats", () => {
  it("is all zero at first", async () => {
    const { access } = await newUser();
    expect((await usage(access)).body.data).toEqual({
      total_rentals: 0,
      total_spent: "0.00",
      total_points_earned: 50,
      total_referrals: 0,
      timely_returns: 0,
      late_returns: 0,
      favorite_stations_count: 0,
      last_rental_date: null,
      member_since: now(),
    });
  });

  it("shows the totals of what the platform reported", async () => {
    const { access, userId } = await newUser();
    const joined = now();
    clock.advance(MINUTE_MS);
    const last = now();
    const returned = (rental_id: string, on_time: boolean) =>
      newEvent(userId, "rental.returned", { rental_id, on_time, amount: "30" });
    await deliver([
      newEvent(userId, "rental.started", { rental_id: "a", station_id: "s" }),
      newEvent(userId, "rental.started", { rental_id: "b", station_id: "s" }, { occurred_at: joined }),
      returned("a", true),
      returned("b", false),
      returned("c", false),
      topUp(userId, "99.99"),
      newEvent(userId, "station.favorited", { station_id: "s" }),
      newEvent(userId, "station.favorited", { station_id: "t" }, { occurred_at: joined }),
      newEvent(userId, "station.unfavorited", { station_id: "t" }),
    ]);
    expect((await usage(access)).body.data).toEqual({
      total_rentals: 2,
      total_spent: "99.99",
      total_points_earned: 50,
      total_referrals: 0,
      timely_returns: 1,
      late_returns: 2,
      favorite_stations_count: 1,
      last_rental_date: last,
      member_since: joined,
    });
  });
});

describe.each([
  ["users/wallet", wallet],
  ["users/analytics/usage-stats", usage],
] as const)("%s", (_path, get) => {
  it("requires a valid session of an active user", async () => {
    const { access, refresh } = await newUser();
    const banned = await newUser();
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", banned.userId);
    expect(await get(banned.access)).toMatchObject({ status: 401, body: { error: { code: "token_not_valid" } } });
    await call("POST", "/api/auth/logout", { token: access, json: { refresh_token: refresh } });
    expect(await get(access)).toMatchObject({ status: 401, body: { error: { code: "token_not_valid" } } });
  });
});

describe("generate_user_analytics_report", () => {
  const request = (userId: string, id: string = newId()) => ({
    event_id: id,
    type: "analytics_report.requested",
    user_id: userId,
    payload: JSON.stringify({ user_id: userId }),
    created_at: Date.now(),
  });
  const run = (...requests: unknown[]) => consume(requests, {}, 1, "tasks");
  const reportOf = async (userId: string) => {
    const [row] = await rows<{ report: string; expires_at: number }>(
      "select report, expires_at from analytics_reports where user_id = ?",
      userId,
    );
    return row && { ...row, report: JSON.parse(row.report) };
  };

  it("stores a report of wallet and usage for an hour", async () => {
    const { access, userId } = await newUser();
    await deliver([topUp(userId, "5.00")]);
    expect(await run(request(userId))).toEqual({ acked: [0], retried: [] });
    const { points, ...money } = (await wallet(access)).body.data;
    expect(await reportOf(userId)).toEqual({
      report: { user_id: userId, usage: (await usage(access)).body.data, wallet: money, points, generated_at: now() },
      expires_at: Date.now() + HOUR_MS,
    });
  });

  it("stores one report per request and replaces it for the next request", async () => {
    const { userId } = await newUser();
    const first = request(userId);
    await run(first, first);
    const before = await reportOf(userId);
    clock.advance(MINUTE_MS);
    await deliver([topUp(userId, "5.00")]);
    await run(first);
    expect(await reportOf(userId)).toEqual(before);
    await run(request(userId));
    expect(await reportOf(userId)).toMatchObject({ report: { wallet: { balance: "5.00" }, generated_at: now() } });
  });

  it("does nothing for an unknown user, and dead-letters a message without a user", async () => {
    const id = newId();
    expect(await run(request(crypto.randomUUID()), { ...request(id), payload: "{}" })).toEqual({
      acked: [0, 1],
      retried: [],
    });
    expect(await rows("select reason from dead_letters where user_id = ?", id)).toEqual([
      { reason: "payload: user_id invalid_type" },
    ]);
  });

  it("a report is purged by purge_expired_rows after its hour", async () => {
    const [early, late] = [await newUser(), await newUser()];
    await run(request(early.userId));
    clock.advance(HOUR_MS / 2);
    await run(request(late.userId));
    clock.advance(HOUR_MS / 2 + 1);
    const period = Date.now();
    await rows(
      "insert into job_runs (name, period_started_at, chunks, processed, leased_until) values ('purge_expired_rows', ?, 0, 0, 0)",
      period,
    );
    const due = { event_id: newId(), type: "job.due", user_id: null, created_at: period };
    await run({ ...due, payload: JSON.stringify({ name: "purge_expired_rows", period_started_at: period }) });
    expect(await reportOf(early.userId)).toBeUndefined();
    expect(await reportOf(late.userId)).toBeDefined();
  });
});

describe("a user with ten years of history", () => {
  /** Inserts rentals, favorites and ledger rows, with their totals. */
  async function giveHistory(userId: string, howMany: number): Promise<void> {
    const numbers =
      "(with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)";
    for (const sql of [
      `insert into rentals (user_id, rental_id, started_at, returned_at, returned_event_id, is_on_time, amount_minor)
        select ?1, 'old-' || value, value, value + 1, 'e', value % 2, 100 from ${numbers}`,
      `insert into favorite_stations select ?1, 'old-' || value, 1, value, 'e' from ${numbers}`,
      `insert into wallet_transactions select 'w-' || ?1 || '-' || value, ?1, 'old', ?1 || '-' || value, 'RENTAL', 100, -100,
        'NPR', value, value from ${numbers}`,
      `insert into point_transactions (id, user_id, delta, reason, reference, created_at) select 'p-' || ?1 || '-' || value, ?1, 1, 'old', 'old-' || value, value from ${numbers}`,
    ])
      await rows(sql, userId, howMany);
    await deliver([topUp(userId, "1.00")]);
  }

  const rowsRead = (simulation: Simulation) => simulation.log.reduce((sum, call) => sum + call.rowsRead, 0);
  const trips = (simulation: Simulation, binding: string) =>
    simulation.log.filter((call) => call.binding === binding && call.beforeResponse).length;

  it("costs as many rows as a week-old user for each route and event, and one round trip for each route", async () => {
    const costs = [];
    for (const howMany of [10, 10_000]) {
      const { access: token, userId } = await newUser();
      await giveHistory(userId, howMany);
      const cost: Record<string, number> = {};
      for (const path of ["/api/users/wallet", "/api/users/analytics/usage-stats"]) {
        const simulation = new Simulation(1);
        expect(await simulation.call("GET", path, { token })).toMatchObject({ status: 200 });
        expect([trips(simulation, "D1"), trips(simulation, "KV")]).toEqual([1, 0]);
        cost[path] = rowsRead(simulation);
      }
      for (const event of [
        newEvent(userId, "rental.started", { rental_id: "new", station_id: "s" }),
        newEvent(userId, "rental.returned", { rental_id: "new", on_time: true, amount: "1" }),
        topUp(userId, "1.00"),
        newEvent(userId, "points.changed", { delta: 1, reason: "x", reference: "new" }),
        newEvent(userId, "station.favorited", { station_id: "new" }),
      ]) {
        const simulation = new Simulation(1);
        await simulation.consume("platform-events", [{ id: "m", body: event, attempts: 1 }]);
        cost[event.type] = rowsRead(simulation);
      }
      costs.push(cost);
    }
    console.log(JSON.stringify(costs));
    for (const [name, cost] of Object.entries(costs[1] ?? {})) {
      expect(cost, name).toBeGreaterThan(0);
      // A lookup reads one more row if its key is not the last of its index.
      expect.soft(Math.abs(cost - (costs[0]?.[name] ?? 0)), name).toBeLessThan(5);
    }
    for (const route of ["/api/users/wallet", "/api/users/analytics/usage-stats"])
      expect(costs[1]?.[route]).toBe(costs[0]?.[route]);
  });
});
