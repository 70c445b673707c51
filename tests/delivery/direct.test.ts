import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, signUp, testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { FALLBACK, fakeInternet, fallback, type Host, SPARROW, sparrow, sparrowRefusal } from "../support/internet.ts";
import { closeBreakers, databaseWithout, productionEnv, providerVars, SETTLING_A_CODE } from "../support/production.ts";
import { consume } from "../support/queue.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { readBudget, setTaken } from "../support/sms-budget.ts";

beforeAll(keepSentEvents);

const MINUTE = 60_000;

beforeEach(async () => {
  stopClock({ timers: true });
  await closeBreakers();
  await setTaken(0);
  // No code of an earlier test waits.
  await testEnv.DB.prepare("update otp_challenges set sealed_code = null").run();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const EMAIL = { send: async () => ({ messageId: "any" }) } as unknown as SendEmail;
/** Only the variables and e-mail, because the simulator provides the other bindings. */
const env = { ...providerVars, EMAIL, SMS_DAILY_BUDGET: "1000" } as unknown as Partial<Env>;
const refusing: Host = () => sparrowRefusal(1012);
const failing: Host = () => new Response("canary", { status: 500 });

interface Sending {
  hosts?: { sparrow: Host; fallback: Host };
  faults?: (call: BindingCall) => Fault | undefined;
}

/** Requests a code in production; `calls` counts the providers' calls so far. */
async function request(identifier: string, { hosts = { sparrow, fallback }, faults }: Sending = {}) {
  const received = fakeInternet({ [SPARROW]: hosts.sparrow, [FALLBACK]: hosts.fallback });
  const simulation = new Simulation(1);
  const options = { ip: newIp(), json: { identifier }, env };
  const answer = await simulation.call("POST", "/api/auth/otp/request", options, faults ? { faults } : {});
  const later = simulation.log.filter(({ binding, beforeResponse }) => binding === "D1" && !beforeResponse);
  return {
    answer,
    simulation,
    /** Rows that each round trip to D1 after the response wrote. */
    rowsLater: later.map(({ rowsWritten }) => rowsWritten),
    calls: () => Object.values(received).flat().length,
  };
}

/** Lets the minute tick and the queue finish the work. */
async function settle(simulation: Simulation): Promise<void> {
  for (let minute = 0; minute < 4; minute++) {
    for (let round = 0; round < 3; round++) {
      await simulation.deliver(2, { env });
      vi.setSystemTime(Date.now() + 10_000);
    }
    vi.setSystemTime(Date.now() + MINUTE / 2 + 1_000);
    await simulation.tick(2, { env });
  }
}

const rowOf = (identifier: string) =>
  testEnv.DB.prepare("select * from otp_challenges where identifier = ? order by created_at desc")
    .bind(identifier)
    .first<Record<string, unknown>>();

describe("A code that its request sends", () => {
  test("leaves after the response in two round trips: one row for the budget and one for the outcome", async () => {
    const { identifier } = await signUp(newPhone(), { ip: newIp() });
    vi.setSystemTime(Date.now() + 2 * 60 * MINUTE);
    const sms = await request(identifier);
    expect([sms.rowsLater, sms.calls(), sms.simulation.queue.held]).toEqual([[1, 1], 1, []]);
    expect(sms.simulation.log.filter(({ binding }) => binding === "D1")).toHaveLength(3);
    await request(newEmail());
    const email = await request(newEmail());
    expect([email.rowsLater, email.simulation.queue.held]).toEqual([[1, 1], []]);
  });

  test("is not recorded in the outbox or in deliveries, and its sealed code is erased once it is sent", async () => {
    const count = async () =>
      await testEnv.DB.prepare(
        "select (select count(*) from recorded_events) + (select count(*) from deliveries) as n",
      ).first<number>("n");
    const before = await count();
    const identifier = newPhone();
    await request(identifier);
    expect(await count()).toBe(before);
    expect(await rowOf(identifier)).toMatchObject({ sealed_code: null, delivered_at: Date.now(), send_attempts: 1 });
  });

  test("is left to the queue for three seconds if every provider refuses, without counting an attempt", async () => {
    const identifier = newPhone();
    const delays: unknown[] = [];
    const sendBatch = async (messages: Iterable<MessageSendRequest>) =>
      void delays.push(...[...messages].map(({ delaySeconds }) => delaySeconds));
    fakeInternet({ [SPARROW]: refusing, [FALLBACK]: () => new Response(null, { status: 429 }) });
    const production = productionEnv({ OTP_QUEUE: { sendBatch } });
    const answer = await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, env: production });
    expect([answer.status, delays]).toEqual([200, [3]]);
    expect(await rowOf(identifier)).toMatchObject({ claimed_until: 0, send_attempts: 0, delivered_at: null });
  });

  test("is sent by the queue once a provider accepts it, and the person gets one message", async () => {
    const identifier = newPhone();
    const { simulation } = await request(identifier, { hosts: { sparrow: refusing, fallback: refusing } });
    expect(simulation.queue.held).toHaveLength(1);
    vi.restoreAllMocks();
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    await settle(simulation);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
    expect(simulation.queue.held).toEqual([]);
  });

  test("is left to the queue without a call if every breaker is open, and nothing is taken from the budget", async () => {
    const until = Date.now() + MINUTE;
    await testEnv.DB.prepare(
      "insert into provider_breakers select value, 5, '[]', null, ?, 0 from json_each('[\"sparrow\",\"sms-fallback\"]')",
    )
      .bind(until)
      .run();
    const { simulation, calls } = await request(newPhone());
    expect([calls(), (await readBudget()).taken, simulation.queue.held.length]).toEqual([0, 0, 1]);
  });

  test("is dropped for good if the budget reserves the rest of the day for accounts", async () => {
    await setTaken(900);
    const identifier = newPhone();
    const { answer, simulation, calls } = await request(identifier);
    expect(answer).toMatchObject({ status: 200 });
    await settle(simulation);
    expect(calls()).toBe(0);
    expect(await rowOf(identifier)).toMatchObject({ sealed_code: null, undeliverable_at: expect.any(Number) });
  });

  test("may arrive twice, never three times, if providers do not say whether they accepted it", async () => {
    const { simulation, calls } = await request(newPhone(), { hosts: { sparrow: failing, fallback: failing } });
    await settle(simulation);
    expect(calls()).toBe(2);
  });

  test("may arrive twice if its outcome could not be recorded", async () => {
    const identifier = newPhone();
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const forgetful = productionEnv({ ...databaseWithout(SETTLING_A_CODE), OTP_QUEUE: { sendBatch: async () => {} } });
    await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, env: forgetful });
    await settle(new Simulation(1));
    expect(received[SPARROW]).toHaveLength(2);
  });

  test.each(["die-before", "die-after", "throw-before", "throw-after"] satisfies Fault[])(
    "R14: reaches its recipient once or twice, counted, after the fault %s at any call behind the response",
    async (fault) => {
      for (let at = 1; ; at++) {
        await setTaken(0);
        // No code of a call that died waits.
        await testEnv.DB.prepare("update otp_challenges set sealed_code = null").run();
        let hasMet = false;
        const faults = ({ index }: BindingCall) => {
          if (index !== at) return undefined;
          hasMet = true;
          return fault;
        };
        const identifier = newPhone();
        const { answer, simulation, calls } = await request(identifier, { faults });
        if (!hasMet) return expect(at, "calls that met the fault").toBeGreaterThan(3);
        if (answer === "died" || answer.status === 503) continue;
        await settle(simulation);
        const { delivered_at, send_attempts } = (await rowOf(identifier)) ?? {};
        expect([1, 2], `call ${at}`).toContain(calls());
        expect(Number(send_attempts), `call ${at}`).toBeGreaterThanOrEqual(calls());
        expect((await readBudget()).taken).toBeGreaterThanOrEqual(calls());
        expect(delivered_at, `call ${at}`).toEqual(expect.any(Number));
      }
    },
  );
});

describe("A code that waits for the queue", () => {
  test("is erased and not sent once a newer code of the identifier was verified", async () => {
    const identifier = newPhone();
    const { simulation } = await request(identifier, { hosts: { sparrow: refusing, fallback: refusing } });
    vi.setSystemTime(Date.now() + MINUTE + 1_000);
    vi.restoreAllMocks();
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const options = { ip: newIp(), env: productionEnv() };
    await call("POST", "/api/auth/otp/request", { ...options, json: { identifier } });
    const text = new URLSearchParams(received[SPARROW]?.[0]?.body).get("text") ?? "";
    const otp = /\d{6}/.exec(text)?.[0];
    expect(await call("POST", "/api/auth/otp/verify", { ...options, json: { identifier, otp } })).toMatchObject({
      status: 200,
    });
    const sealed = await testEnv.DB.prepare(
      "select count(*) as n from otp_challenges where identifier = ? and sealed_code is not null",
    )
      .bind(identifier)
      .first("n");
    expect(sealed).toBe(0);
    await settle(simulation);
    expect(received[SPARROW]).toHaveLength(1);
  });

  test("is not sent once its account is deleted", async () => {
    const { identifier, access } = await signUp(newPhone(), { ip: newIp() });
    vi.setSystemTime(Date.now() + 2 * MINUTE);
    const { simulation } = await request(identifier, { hosts: { sparrow: refusing, fallback: refusing } });
    const message = simulation.queue.held[0]?.body;
    expect((await call("DELETE", "/api/auth/account", { token: access })).status).toBe(200);
    vi.restoreAllMocks();
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], productionEnv())).toEqual({ acked: [0], retried: [] });
    await settle(simulation);
    expect(Object.values(received).flat()).toEqual([]);
  });
});
