import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newIp, newPhone, signUp } from "../support/client.ts";
import { newId } from "../support/ids.ts";
import { FALLBACK, fakeInternet, fallback, SPARROW, sparrow } from "../support/internet.ts";
import {
  closeBreakers,
  databaseWithout,
  productionEnv,
  providerVars,
  recordLog,
  stopTime,
} from "../support/production.ts";
import { consume, type Sent } from "../support/queue.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { insertSmsCodes, readBudget, setTaken } from "../support/sms-budget.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Of 80 calls a day, 56 are open to numbers without an account, and 7 of those per hour. */
const BUDGET = 80;
const AN_HOUR = 7;

let today = Date.UTC(2029, 0, 1, 6, 20);
let clock: ReturnType<typeof stopTime>;
beforeEach(async () => {
  today += DAY;
  clock = stopTime();
  vi.setSystemTime(today);
  await closeBreakers();
  await setTaken(0);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const env = (calls = BUDGET) => productionEnv({ SMS_DAILY_BUDGET: String(calls) });
const vars = { ...providerVars, SMS_DAILY_BUDGET: String(BUDGET) } as unknown as Partial<Env>;

/** Delivers the messages one after the other and returns the number of provider calls. */
async function deliver(messages: Sent[], calls = BUDGET): Promise<number> {
  const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
  for (const message of messages) await consume([message], env(calls));
  return (received[SPARROW]?.length ?? 0) + (received[FALLBACK]?.length ?? 0);
}

async function knownPhone(): Promise<string> {
  const { identifier } = await signUp(newPhone(), { ip: newIp() });
  await setTaken(0);
  return identifier;
}

describe("SMS to numbers without an account", () => {
  test("may spend an eighth of the day's open calls per hour; further messages are dropped until the hour is over", async () => {
    expect(await deliver(await insertSmsCodes(AN_HOUR))).toBe(AN_HOUR);
    const messages = await insertSmsCodes(1);
    clock.advance(200_000);
    const lines = recordLog();
    expect(await deliver(messages)).toBe(0);
    expect(lines.find(({ event }) => event === "sms_dropped")).toMatchObject({ reason: "hour" });
    vi.setSystemTime(today + HOUR - 1);
    expect(await deliver(await insertSmsCodes(1))).toBe(0);
    clock.advance(1);
    expect(await deliver(await insertSmsCodes(AN_HOUR + 1))).toBe(AN_HOUR);
    expect((await readBudget()).taken).toBe(2 * AN_HOUR);
  });

  test("neither block nor are blocked by SMS to numbers with an account", async () => {
    const known = await knownPhone();
    expect(await deliver(await insertSmsCodes(AN_HOUR + 5, known))).toBe(AN_HOUR + 5);
    expect(await deliver(await insertSmsCodes(AN_HOUR + 1))).toBe(AN_HOUR);
    expect(await deliver(await insertSmsCodes(3, known))).toBe(3);
  });

  test("raise one alert when the hour's calls are spent, not one per message", async () => {
    const lines = recordLog();
    const alerts = () => lines.filter(({ event }) => event === "sms_hour_spent");
    await deliver(await insertSmsCodes(AN_HOUR - 1));
    expect(alerts()).toEqual([]);
    await deliver(await insertSmsCodes(3));
    expect(alerts()).toMatchObject([{ level: "warn", alert: true, calls: AN_HOUR }]);
    clock.advance(HOUR);
    await deliver(await insertSmsCodes(AN_HOUR));
    expect(alerts()).toHaveLength(2);
  });

  test.each([
    [10, 1],
    [91, 7],
    [92, 8],
  ])("of a budget of %i calls get %i, rounded down and at least one", async (calls, expected) => {
    expect(await deliver(await insertSmsCodes(expected + 2), calls)).toBe(expected);
  });

  test.each([1, 2])(
    "get exactly the hour's calls if fifty messages are delivered concurrently (seed %i)",
    async (seed) => {
      const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
      const simulation = new Simulation(seed);
      const messages = await insertSmsCodes(50);
      simulation.queue.held.push(...messages.map((body) => ({ id: body.event_id, body, attempts: 1 })));
      await simulation.deliver(1, { env: vars });
      expect(received[SPARROW]?.length).toBe(AN_HOUR);
      expect((await readBudget()).taken).toBe(AN_HOUR);
    },
  );

  test("do not block a notice to a number that an account has lost, which a spent budget only delays", async () => {
    const newNotice = () => ({
      event_id: newId(),
      type: "security.message_due",
      user_id: null,
      payload: JSON.stringify({ channel: "sms", to: newPhone(), locale: "en", message: "IDENTIFIER_LOST" }),
      created_at: Date.now(),
    });
    expect(await deliver(await insertSmsCodes(AN_HOUR + 1))).toBe(AN_HOUR);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const send = (notice: object, attempts = 1) => consume([notice], env(), attempts, "tasks");
    expect(await send(newNotice())).toEqual({ acked: [0], retried: [] });
    expect(received[SPARROW]).toHaveLength(1);
    expect((await readBudget()).taken).toBe(AN_HOUR + 1);
    await setTaken(BUDGET - 1);
    expect(await send(newNotice())).toEqual({ acked: [0], retried: [] });
    const late = newNotice();
    expect(await send(late)).toEqual({ acked: [], retried: [0] });
    expect(received[SPARROW]).toHaveLength(2);
    await setTaken(0);
    expect(await send(late, 2)).toEqual({ acked: [0], retried: [] });
    expect(received[SPARROW]).toHaveLength(3);
  });

  test("are not sent while the hour cannot be counted", async () => {
    const [message] = (await insertSmsCodes(1)) as [Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const blind = { ...env(), ...databaseWithout(/open_hour/) };
    expect(await consume([message], blind)).toEqual({ acked: [], retried: [0] });
    expect(received[SPARROW]).toHaveLength(0);
    expect(await consume([message], env())).toEqual({ acked: [0], retried: [] });
  });
});
