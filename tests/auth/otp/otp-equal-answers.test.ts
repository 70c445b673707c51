import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { newId } from "../../support/ids.ts";
import { visible } from "../../support/otp-calls.ts";
import { productionEnv, stopTime } from "../../support/production.ts";
import { consume } from "../../support/queue.ts";
import { Simulation } from "../../support/simulator/simulation.ts";

const DAY = 24 * 3_600_000;
let today = Date.UTC(2032, 0, 1, 6);
let clock: ReturnType<typeof stopTime>;
beforeEach(() => {
  today += 2 * DAY;
  clock = stopTime();
  vi.setSystemTime(today);
});
afterEach(() => {
  vi.useRealTimers();
});

const kinds = {
  phone: { newIdentifier: newPhone, setting: "SMS_DAILY_BUDGET", table: "sms_budget_days" },
  "e-mail": { newIdentifier: newEmail, setting: "EMAIL_DAILY_BUDGET", table: "email_budget_days" },
} as const;

/** One request, with all binding calls made before its response. */
async function requestFor(identifier: string, env: Partial<Env>, headers: Record<string, string>) {
  await testEnv.DB.prepare("delete from sms_send_limits").run();
  const simulation = new Simulation(1);
  const answer = await simulation.call("POST", "/api/auth/otp/request", {
    ip: newIp(),
    json: { identifier },
    env,
    headers,
  });
  if (answer === "died") throw new Error("a call without a fault died");
  const work = simulation.log
    .filter(({ beforeResponse }) => beforeResponse)
    .map(({ binding, operation, detail, rowsWritten }) => ({ binding, operation, detail, rowsWritten }));
  return { visible: visible(answer), work };
}

describe.each(Object.entries(kinds))("A code for a %s", (_kind, { newIdentifier, setting, table }) => {
  /** One identifier of each kind, and the environment in which the last one is a test identifier. */
  async function people(budget: number) {
    const [known, banned, unknown, reviewer] = Array.from({ length: 4 }, newIdentifier) as [
      string,
      string,
      string,
      string,
    ];
    await signUp(known, { ip: newIp() });
    const { userId } = await signUp(banned, { ip: newIp() });
    await testEnv.DB.prepare("update users set status = 'BANNED' where id = ?").bind(userId).run();
    clock.advance(2 * 3_600_000);
    const until = new Date(Date.now() + 5 * DAY).toISOString().slice(0, 10);
    const env = {
      [setting]: String(budget),
      TEST_IDENTIFIERS: JSON.stringify([{ identifier: reviewer, code: "424242", until }]),
    } as unknown as Partial<Env>;
    return { all: { known, banned, unknown, reviewer }, env };
  }

  const setTaken = (taken: number) => {
    const day = new Date(Date.now() + 345 * 60_000).toISOString().slice(0, 10);
    return testEnv.DB.prepare(`insert or replace into ${table} values (?, 0, ?, null, 0, 0)`).bind(day, taken).run();
  };

  const outcomes: [string, number, number][] = [
    ["requested", 0, 200],
    ["requested while only the reserve is left", 8, 200],
    ["refused because the last one was just sent", 0, 429],
    ["refused because the budget is spent", 10, 503],
  ];

  test.each(
    outcomes.flatMap(([what, taken, status]) => [false, true].map((isKeyed) => ({ what, taken, status, isKeyed }))),
  )(
    "$what ($status, with a key: $isKeyed) gives the same response and work for known, banned, unknown and test identifiers",
    async ({ taken, status, isKeyed }) => {
      const { all, env } = await people(10);
      const found = [];
      for (const identifier of Object.values(all)) {
        // The budget is reset, because it counted the codes of the identifiers before this one.
        await setTaken(taken);
        const headers: Record<string, string> = isKeyed ? { "idempotency-key": crypto.randomUUID() } : {};
        if (status === 429) {
          const first = await requestFor(identifier, env, {});
          expect(first.visible.status).toBe(200);
        }
        const { visible, work } = await requestFor(identifier, env, headers);
        found.push({ visible, work });
      }
      const [one] = found;
      expect(one?.visible.status).toBe(status);
      expect(one?.work.filter(({ binding }) => binding === "D1")).toHaveLength(1);
      for (const other of found.slice(1)) expect(other).toEqual(one);
    },
  );

  test("is 503 for a test identifier as well if no provider is configured for the channel", async () => {
    const { all, env } = await people(10);
    const none = productionEnv({
      ...env,
      SPARROW_TOKEN: "",
      SPARROW_FROM: "",
      SMS_FALLBACK_URL: "",
      SMS_FALLBACK_SECRET: "",
      EMAIL_FROM: "",
    });
    const found = [];
    for (const identifier of Object.values(all)) found.push(await requestFor(identifier, none, {}));
    for (const { visible } of found) expect(visible).toEqual(found[0]?.visible);
    expect(found[0]?.visible.status).toBe(503);
  });

  test("is never sent to a test identifier, neither by its request nor by cron or queue", async () => {
    const { all, env } = await people(10);
    const identifier = all.reviewer;
    await requestFor(identifier, env, {});
    clock.advance(61_000);
    const simulation = new Simulation(1);
    await simulation.tick(1, { env });
    expect(simulation.queue.held.filter(({ body }) => JSON.stringify(body).includes(identifier))).toEqual([]);
    const row = await testEnv.DB.prepare("select cid, created_at, expires_at from otp_challenges where identifier = ?")
      .bind(identifier)
      .first();
    const payload = JSON.stringify({ ...row, to: identifier });
    const message = { event_id: newId(), type: "otp.requested", user_id: null, payload, created_at: 0 };
    expect(await consume([message], env)).toEqual({ acked: [0], retried: [] });
    const sent = await testEnv.DB.prepare("select count(*) as n from local_outbox where recipient = ?")
      .bind(identifier)
      .first("n");
    expect(sent).toBe(0);
  });
});
