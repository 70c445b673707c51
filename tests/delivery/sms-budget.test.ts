import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, signUp, testEnv } from "../support/client.ts";
import {
  type Behaviour,
  FALLBACK,
  fakeInternet,
  fallback,
  type Host,
  misbehaviours,
  SPARROW,
  sparrow,
  sparrowRefusal,
} from "../support/internet.ts";
import { naiveBudget } from "../support/naive/naive-budget.ts";
import {
  closeBreakers,
  databaseWithout,
  productionEnv,
  providerVars,
  recordLog,
  stopTime,
} from "../support/production.ts";
import { acknowledged, consume, requestAndKeep, retried, type Sent } from "../support/queue.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { type QueueHandler, Simulation } from "../support/simulator/simulation.ts";
import { insertSmsCodes, readBudget, resetHourlyCounters, setTaken } from "../support/sms-budget.ts";

const DAY_MS = 24 * 3_600_000;

/** Each test uses its own day, because budgets are per day. */
let today = Date.UTC(2028, 0, 1, 6);
let clock: ReturnType<typeof stopTime>;
const startedAt = Date.now();

beforeEach(async () => {
  today += DAY_MS;
  clock = stopTime();
  vi.setSystemTime(today);
  await closeBreakers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const failing: Host = () => new Response("canary", { status: 500 });
const budgetOf = (calls: number) => productionEnv({ SMS_DAILY_BUDGET: String(calls) });
/** Only the variables, because the simulator provides the bindings. */
const varsOf = (calls: number) => ({ ...providerVars, SMS_DAILY_BUDGET: String(calls) }) as unknown as Partial<Env>;
const callsIn = (received: Record<string, unknown[]>) => Object.values(received).flat().length;

/** Signs a new user up and returns their phone number. */
async function knownPhone(): Promise<string> {
  const { identifier } = await signUp(newPhone(), { ip: newIp() });
  await setTaken(0);
  return identifier;
}

function hold(simulation: Simulation, messages: Sent[]): void {
  simulation.queue.held.push(...messages.map((body) => ({ id: body.event_id, body, attempts: 1 })));
}

/** A host that also checks that each call was counted before it arrives. */
function counting(host: Host, received: () => number, early: number[]): Host {
  return async (request) => {
    const calls = received();
    if ((await readBudget()).taken < calls) early.push(calls);
    return host(request);
  };
}

describe("ASVS 2.4.1: provider calls never exceed the day's budget", () => {
  const SEEDS = [1, 2];
  const BUDGET = 10;
  const MESSAGES = 100;

  /** Delivers the messages concurrently; returns the calls to providers and those made before they were counted. */
  async function deliverAtOnce(
    simulation: Simulation,
    messages: Sent[],
    place: { faults?: (call: BindingCall) => Fault | undefined; consumer?: QueueHandler },
    hosts: { sparrow: Host; fallback: Host } = { sparrow, fallback },
    rounds = 1,
  ) {
    const early: number[] = [];
    const received: Record<string, unknown[]> = fakeInternet({
      [SPARROW]: counting(hosts.sparrow, () => callsIn(received), early),
      [FALLBACK]: counting(hosts.fallback, () => callsIn(received), early),
    });
    for (let round = 0; round < rounds; round++) {
      hold(simulation, messages);
      await simulation.deliver(2, { env: varsOf(BUDGET), ...place });
      clock.advance(31_000);
    }
    vi.restoreAllMocks();
    return { calls: callsIn(received), early };
  }

  test.each(SEEDS)("for a hundred concurrent messages that are delivered twice (seed %i)", async (seed) => {
    const messages = await insertSmsCodes(MESSAGES, await knownPhone());
    const { calls, early } = await deliverAtOnce(new Simulation(seed), messages, {});
    expect({ calls, early }).toEqual({ calls: BUDGET, early: [] });
    expect(await readBudget()).toEqual({ taken: BUDGET, refusedByReserve: 0, refusedBySpent: MESSAGES - BUDGET });
  });

  test.each(SEEDS)(
    "if calls fail, answers are lost, invocations die and messages are redelivered (seed %i)",
    async (seed) => {
      const known = await knownPhone();
      const messages = [...(await insertSmsCodes(MESSAGES / 2, known)), ...(await insertSmsCodes(MESSAGES / 2))];
      const simulation = new Simulation(seed);
      const random = simulation.scheduler.random;
      const kinds: Fault[] = ["throw-before", "throw-after", "die-before", "die-after"];
      const faults = () => (random() < 0.1 ? kinds[Math.floor(random() * kinds.length)] : undefined);
      const moody: Host = (request) => (random() < 0.5 ? sparrowRefusal(1012) : sparrow(request));
      const { calls, early } = await deliverAtOnce(simulation, messages, { faults }, { sparrow: moody, fallback }, 4);
      const counted = (await readBudget()).taken;
      expect(early).toEqual([]);
      expect(calls).toBeGreaterThan(0);
      expect(calls).toBeLessThanOrEqual(counted);
      expect(counted).toBe(BUDGET);
    },
  );

  test("unlike with a naive read-compare-write counter, which overspends under concurrency", async () => {
    const naive = (seed: number, isCalm: boolean) =>
      setTaken(0)
        .then(() => insertSmsCodes(MESSAGES / 2))
        .then((messages) =>
          deliverAtOnce(new Simulation(seed, undefined, isCalm), messages, { consumer: naiveBudget }),
        );
    expect((await naive(1, true)).calls).toBe(BUDGET);
    expect((await naive(1, false)).calls).toBeGreaterThan(BUDGET);
  });

  test("R3: a hundred concurrent requests for one number lead to one provider call", async () => {
    const simulation = new Simulation(3);
    const options = { ip: newIp(), json: { identifier: newPhone() }, env: varsOf(1000) };
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    await simulation.race(
      Array.from({ length: 100 }, () => ({ method: "POST", path: "/api/auth/otp/request", options })),
    );
    await simulation.deliver(3, { env: varsOf(1000) });
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
    expect((await readBudget()).taken).toBe(1);
  });
});

describe("The reserved 30% of the daily budget", () => {
  test("is only for numbers with an account; one alert is raised when it is entered and one when it is spent", async () => {
    const known = await knownPhone();
    const [unknown, owners] = [await insertSmsCodes(9), await insertSmsCodes(5, known)];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const lines = recordLog();
    const sentAfter = async (messages: Sent[]) => {
      for (const message of messages) {
        await resetHourlyCounters();
        expect(await consume([message], budgetOf(10))).toEqual(acknowledged);
      }
      return received[SPARROW]?.length;
    };
    expect(await sentAfter(unknown.slice(0, 6))).toBe(6);
    const named = (name: string) => lines.filter(({ event }) => event === name);
    expect(named("sms_reserve_entered")).toEqual([]);
    expect(await sentAfter(unknown.slice(6, 7))).toBe(7);
    expect(await sentAfter(unknown.slice(7))).toBe(7);
    expect(await sentAfter(owners.slice(0, 2))).toBe(9);
    expect(named("sms_budget_spent")).toEqual([]);
    expect(await sentAfter(owners.slice(2))).toBe(10);
    expect(await readBudget()).toEqual({ taken: 10, refusedByReserve: 2, refusedBySpent: 2 });
    expect(named("sms_reserve_entered")).toMatchObject([{ level: "warn", taken: 7, budget: 10 }]);
    expect(named("sms_budget_spent")).toMatchObject([{ level: "error", taken: 10, budget: 10 }]);
    expect(named("sms_dropped").map(({ reason }) => reason)).toEqual(["reserved", "reserved", "spent", "spent"]);
    expect(
      named("task")
        .map(({ note }) => note)
        .filter((note) => String(note).startsWith("dropped")),
    ).toHaveLength(4);
    expect(JSON.stringify(lines)).not.toContain(known.slice(4));
  });

  test("shrinks by earlier calls of account holders; a dropped message is not sent when it is redelivered", async () => {
    const known = await knownPhone();
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    for (const message of await insertSmsCodes(7, known)) await consume([message], budgetOf(10));
    const [stranger] = (await insertSmsCodes(1)) as [Sent];
    for (let attempt = 1; attempt <= 3; attempt++)
      expect(await consume([stranger], budgetOf(10))).toEqual(acknowledged);
    // Not even after the budget was raised, because by then the user has requested another code or given up.
    expect(await consume([stranger], budgetOf(1000))).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(7);
    expect((await readBudget()).refusedByReserve).toBe(1);
  });
});

describe("The budget counts", () => {
  test("every call: the first, the failover and each redelivery", async () => {
    const [message] = (await insertSmsCodes(1)) as [Sent];
    const received = fakeInternet({
      [SPARROW]: () => sparrowRefusal(1012),
      [FALLBACK]: () => new Response(null, { status: 429 }),
    });
    for (let delivery = 1; delivery <= 2; delivery++) {
      expect(await consume([message], budgetOf(100))).toEqual(retried);
      expect((await readBudget()).taken).toBe(2 * delivery);
    }
    expect(callsIn(received)).toBe(4);
  });

  test("calls to the second provider too, and drops the message if none is left", async () => {
    for (const host of [failing, () => sparrowRefusal(1012)]) {
      await setTaken(9);
      const [message] = (await insertSmsCodes(1, await knownPhone())) as [Sent];
      await setTaken(9);
      const received = fakeInternet({ [SPARROW]: host, [FALLBACK]: fallback });
      expect(await consume([message], budgetOf(10))).toEqual(acknowledged);
      expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
    }
  });

  test("no call that is not made because of an open breaker or an expired message", async () => {
    const messages = await insertSmsCodes(7);
    fakeInternet({ [SPARROW]: failing, [FALLBACK]: fallback });
    for (const message of messages.slice(0, 5)) await consume([message], budgetOf(1000));
    expect((await readBudget()).taken).toBe(10);
    await consume(messages.slice(5, 6), budgetOf(1000));
    expect((await readBudget()).taken).toBe(11);
    clock.advance(5 * 60_000);
    await consume(messages.slice(6), budgetOf(1000));
    expect((await readBudget()).taken).toBe(11);
  });

  test("messages to the local outbox, but no e-mails", async () => {
    await setTaken(10);
    const [phone] = (await insertSmsCodes(1)) as [Sent];
    const identifier = newEmail();
    const email = await requestAndKeep(identifier);
    const env = { SMS_DAILY_BUDGET: "10" } as unknown as Partial<Env>;
    expect(await consume([phone, email], env)).toEqual({ acked: [0, 1], retried: [] });
    const kept = await testEnv.DB.prepare("select recipient from local_outbox where recipient in (?, ?)")
      .bind(JSON.parse(phone.payload).to, identifier)
      .all();
    expect(kept.results).toEqual([{ recipient: identifier }]);
    expect((await readBudget()).taken).toBe(10);
  });

  test("calls that the minute tick logs", async () => {
    // Jobs of a future day would interfere with tests that wait for theirs.
    vi.setSystemTime(startedAt);
    await setTaken(42);
    const lines = recordLog();
    await new Simulation(1).tick();
    expect(lines.find(({ event }) => event === "minute_tick")).toMatchObject({ sms_calls_today: 42 });
  });
});

describe("If the budget cannot be counted", () => {
  test.each([/"sms_budget_days"/i, /^update "sms_budget_days"/i])(
    "no call is made, no attempt is counted and the message is retried (%s)",
    async (statement) => {
      const [message] = (await insertSmsCodes(1)) as [Sent];
      const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
      const blind = { ...budgetOf(10), ...databaseWithout(statement) };
      for (let attempt = 1; attempt <= 3; attempt++) expect(await consume([message], blind)).toEqual(retried);
      expect(callsIn(received)).toBe(0);
      expect(await consume([message], budgetOf(10))).toEqual(acknowledged);
      expect(received[SPARROW]).toHaveLength(1);
    },
  );

  /** Injects the fault at the nth budget update. */
  function atCount(nth: number, fault: Fault) {
    let counts = 0;
    return ({ detail }: BindingCall) =>
      detail.some((statement) => statement.startsWith('update "sms_budget_days"')) && ++counts === nth
        ? fault
        : undefined;
  }

  async function deliverOnce(message: Sent, faults?: (call: BindingCall) => Fault | undefined) {
    const simulation = new Simulation(1);
    hold(simulation, [message]);
    await simulation.deliver(1, { env: varsOf(100), ...(faults ? { faults } : {}) });
    clock.advance(31_000);
  }

  test("because one answer is lost, it is counted again before it is made", async () => {
    const [message] = (await insertSmsCodes(1)) as [Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    await deliverOnce(message, atCount(1, "throw-after"));
    expect([callsIn(received), (await readBudget()).taken]).toEqual([1, 2]);
    await deliverOnce(message);
    expect([callsIn(received), (await readBudget()).taken]).toEqual([1, 2]);
  });

  test("because every answer is lost, the calls stay counted and none is made", async () => {
    const [message] = (await insertSmsCodes(1)) as [Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    await deliverOnce(message, (binding) =>
      binding.detail.some((statement) => statement.startsWith('update "sms_budget_days"')) ? "throw-after" : undefined,
    );
    expect([callsIn(received), (await readBudget()).taken]).toEqual([0, 2]);
    await deliverOnce(message);
    expect([received[SPARROW]?.length, (await readBudget()).taken]).toEqual([1, 3]);
  });

  test("between two providers after an unknown outcome, one more attempt is left", async () => {
    const [message] = (await insertSmsCodes(1)) as [Sent];
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: failing });
    await deliverOnce(message, atCount(2, "throw-before"));
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
    for (let delivery = 0; delivery < 3; delivery++) await deliverOnce(message);
    expect(callsIn(received)).toBe(2);
  });
});

describe("The budget day", () => {
  test("starts at midnight in Kathmandu", async () => {
    // 23:59:59.999 at UTC+05:45.
    vi.setSystemTime(new Date(today).setUTCHours(18, 14, 59, 999));
    await setTaken(10);
    const [late, next] = (await insertSmsCodes(2)) as [Sent, Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const ask = () =>
      call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier: newPhone() }, env: budgetOf(10) });
    const closed = await ask();
    expect([closed.status, closed.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await consume([late], budgetOf(10))).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(0);
    clock.advance(1);
    expect((await ask()).status).toBe(200);
    expect(await consume([next], budgetOf(10))).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(1);
  });
});

describe("A request for a code", () => {
  const behaviours = { ...misbehaviours, "refuses with 403": () => () => sparrowRefusal(1012) } as Record<
    string,
    Behaviour
  >;

  test.each(Object.entries(behaviours))(
    "is answered before any provider is called; if the first one %s, the second delivers once",
    async (_what, misbehave) => {
      const simulation = new Simulation(1);
      const wasAnswered: unknown[] = [];
      const noting =
        (host: Host): Host =>
        (request) => {
          wasAnswered.push(simulation.log[0]?.invocation.hasAnswered);
          return host(request);
        };
      const received = fakeInternet({
        [SPARROW]: noting(misbehave(clock.advance)),
        [FALLBACK]: noting(fallback),
      });
      const options = { ip: newIp(), json: { identifier: newPhone() }, env: varsOf(100) };
      expect(await simulation.call("POST", "/api/auth/otp/request", options)).toMatchObject({ status: 200 });
      expect(wasAnswered).toEqual([true, true]);
      expect(simulation.log.filter(({ binding, beforeResponse }) => binding === "D1" && beforeResponse)).toHaveLength(
        1,
      );
      expect(simulation.queue.held).toEqual([]);
      for (let minute = 0; minute < 3; minute++) {
        clock.advance(61_000);
        await simulation.tick(1, { env: varsOf(100) });
        await simulation.deliver(3, { env: varsOf(100) });
      }
      expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
    },
  );
});
