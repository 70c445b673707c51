import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CallOptions, call, networkOf, newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { visible, waitOf } from "../../support/otp-calls.ts";
import { closeBreakers, productionEnv, stopTime } from "../../support/production.ts";
import { keepingQueue } from "../../support/queue.ts";
import { Simulation } from "../../support/simulator/simulation.ts";
import { readBudget, setTaken } from "../../support/sms-budget.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Each test runs on its own day, because budgets are daily. */
let today = Date.UTC(2028, 6, 1, 6);
let clock: ReturnType<typeof stopTime>;

beforeEach(async () => {
  today += 2 * DAY;
  clock = stopTime();
  vi.setSystemTime(today);
  await closeBreakers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const PER_NETWORK = 100;
const PER_PREFIX = 50;

/** Requests a code. */
const ask = (identifier: string, { env, ...options }: CallOptions = {}) => {
  const keeping = { ...env, ...keepingQueue(identifier).env };
  return call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, ...options, env: keeping });
};

/** Variables that set a daily budget of this number of calls. */
const withBudget = (calls: number) => ({ SMS_DAILY_BUDGET: String(calls) }) as unknown as Partial<Env>;

const sendsOf = async (key: string) =>
  (await testEnv.DB.prepare("select sends from sms_send_limits where key = ?").bind(key).first<number>("sends")) ?? 0;

/** Sets the number of codes sent in a window that starts now. */
async function setSends(scope: "network" | "prefix", key: string, sends: number): Promise<void> {
  await testEnv.DB.prepare("insert or replace into sms_send_limits values (?, ?, ?, ?, 0, 0)")
    .bind(scope, key, Date.now() + (scope === "network" ? HOUR : DAY), sends)
    .run();
}

/** A number range that no test has used, and numbers in it. */
function newRange() {
  const prefix = newPhone().slice(0, -4);
  return { prefix, phone: (i: number) => `${prefix}${String(i).padStart(4, "0")}` };
}

/** A user who signed in from the network so long ago that no hourly limit counts it. */
async function ownerAt(ip: string, phone = newPhone()): Promise<string> {
  await signUp(phone, { ip });
  clock.advance(2 * HOUR);
  return phone;
}

describe("Codes by SMS from one network", () => {
  test("are limited to 100 per hour across all numbers; resend_in and Retry-After give the end of the window", async () => {
    const ip = newIp();
    expect((await ask(newPhone(), { ip })).status).toBe(200);
    expect(await sendsOf(networkOf(ip))).toBe(1);
    await setSends("network", networkOf(ip), PER_NETWORK - 2);
    clock.advance(600_000);
    const [last, full] = [await ask(newPhone(), { ip }), await ask(newPhone(), { ip })];
    expect([last.status, waitOf(last)]).toEqual([200, 60]);
    expect([full.status, waitOf(full)]).toEqual([200, 3000]);
    const refused = await ask(newPhone(), { ip });
    expect([refused.status, refused.body.error.code, waitOf(refused)]).toEqual([429, "rate_limit_exceeded", 3000]);
    expect((await ask(newPhone())).status).toBe(200);
    expect((await ask(newEmail(), { ip })).status).toBe(200);
    clock.advance(2_999_999);
    expect(waitOf(await ask(newPhone(), { ip }))).toBe(1);
    clock.advance(1);
    expect((await ask(newPhone(), { ip })).status).toBe(200);
    expect(await sendsOf(networkOf(ip))).toBe(1);
  });

  test("do not count e-mail or rejected requests", async () => {
    const ip = newIp();
    const phone = newPhone();
    expect([(await ask(phone, { ip })).status, (await ask(phone, { ip })).status]).toEqual([200, 429]);
    expect((await ask(newEmail(), { ip })).status).toBe(200);
    expect(await sendsOf(networkOf(ip))).toBe(1);
    expect(await sendsOf(phone.slice(0, -4))).toBeGreaterThan(0);
  });

  test("reach exactly the limit when thirty are requested at once", async () => {
    const ip = newIp();
    for (const seed of [1, 2]) {
      await setSends("network", networkOf(ip), PER_NETWORK - 3);
      const phones = Array.from({ length: 30 }, newPhone);
      const calls = phones.map((identifier) => ({
        method: "POST",
        path: "/api/auth/otp/request",
        options: { ip, json: { identifier } },
      }));
      const simulation = new Simulation(seed);
      const answers = await simulation.race(calls);
      expect(answers.filter((answer) => answer !== "died" && answer.status === 200)).toHaveLength(3);
      const sent = testEnv.DB.prepare(
        "select count(*) as n from local_outbox where recipient in (select value from json_each(?))",
      );
      expect(await sent.bind(JSON.stringify(phones)).first("n")).toBe(3);
    }
  });
});

describe("Codes by SMS to one range of numbers", () => {
  test("are limited to 50 per day across all networks", async () => {
    const { prefix, phone } = newRange();
    expect((await ask(phone(1))).status).toBe(200);
    expect(await sendsOf(prefix)).toBe(1);
    await setSends("prefix", prefix, PER_PREFIX - 2);
    const [last, full, refused] = [await ask(phone(2)), await ask(phone(3)), await ask(phone(4))];
    expect([last.status, waitOf(last)]).toEqual([200, 60]);
    expect([full.status, waitOf(full)]).toEqual([200, 86_400]);
    expect([refused.status, refused.body.error.code, waitOf(refused)]).toEqual([429, "rate_limit_exceeded", 86_400]);
    const next = String(Number(prefix.slice(1)) + 1);
    expect((await ask(`+${next}0001`)).status).toBe(200);
    clock.advance(DAY - 1);
    expect(waitOf(await ask(phone(4)))).toBe(1);
    clock.advance(1);
    expect((await ask(phone(4))).status).toBe(200);
  });

  test("are rejected with the same response whether or not the number has an account, with and without an Idempotency-Key", async () => {
    const { prefix, phone } = newRange();
    await ownerAt(newIp(), phone(1));
    await setSends("prefix", prefix, PER_PREFIX);
    for (const headers of [{}, { "idempotency-key": crypto.randomUUID() }]) {
      const ip = newIp();
      const [known, unknown] = [await ask(phone(1), { ip, headers }), await ask(phone(2), { ip, headers })];
      expect(known.status).toBe(429);
      expect(visible(known)).toEqual(visible(unknown));
    }
  });
});

test("A stranger who exhausts the limits of network and range does not block an owner on a known network, whose codes still count", async () => {
  const home = newIp();
  const { prefix, phone } = newRange();
  const owner = await ownerAt(home, phone(7));
  await setSends("network", networkOf(home), PER_NETWORK);
  await setSends("prefix", prefix, PER_PREFIX);
  const own = await ask(owner, { ip: home });
  expect([own.status, waitOf(own)]).toEqual([200, 60]);
  expect([await sendsOf(networkOf(home)), await sendsOf(prefix)]).toEqual([PER_NETWORK + 1, PER_PREFIX + 1]);
  expect((await ask(phone(8), { ip: home })).status).toBe(429);
  expect((await ask(owner)).status).toBe(429);
});

describe("The daily SMS budget at otp/request", () => {
  /** The response to a request for the number and the binding calls it makes, in the simulator. */
  async function requestFor(identifier: string, env: Partial<Env>) {
    const simulation = new Simulation(1);
    await testEnv.DB.prepare("delete from sms_send_limits").run();
    const options = { ip: newIp(), json: { identifier }, env };
    const answer = await simulation.call("POST", "/api/auth/otp/request", options);
    if (answer === "died") throw new Error("a call without a fault died");
    const work = simulation.log
      .filter(({ beforeResponse }) => beforeResponse)
      .map(({ binding, operation, detail, rowsWritten }) => ({
        binding,
        operation,
        detail: binding === "D1" ? detail : [],
        rowsWritten,
      }));
    const codes = testEnv.DB.prepare(
      "select count(*) as n from otp_challenges where identifier = ? and created_at = ?",
    );
    return { answer, work, codes: await codes.bind(identifier, Date.now()).first("n"), simulation };
  }

  test.each([
    ["in the open part", 0, 200],
    ["in the reserve", 7, 200],
    ["at its last call", 9, 200],
    ["spent", 10, 503],
    ["lowered below what was spent", 500, 503],
  ])("ASVS 6.3.8: %s, known and unknown numbers get the same bytes by the same work", async (_zone, taken, status) => {
    const known = await ownerAt(newIp());
    await setTaken(taken);
    const outcomes = [await requestFor(known, withBudget(10))];
    // The budget is reset, because it counted the first code.
    await setTaken(taken);
    outcomes.push(await requestFor(newPhone(), withBudget(10)));
    const [one, other] = outcomes.map(({ answer, work, codes }) => ({ ...visible(answer), work, codes }));
    expect(one).toEqual(other);
    expect([one?.status, one?.codes]).toEqual([status, status === 200 ? 1 : 0]);
    expect(one?.work.filter(({ binding }) => binding === "D1")).toHaveLength(1);
  });

  test("in the reserve drops only the message to a number without an account", async () => {
    const known = await ownerAt(newIp());
    const stranger = newPhone();
    await setTaken(7);
    for (const identifier of [known, stranger]) {
      const { simulation } = await requestFor(identifier, withBudget(10));
      await simulation.deliver(1, { env: withBudget(10) });
    }
    const kept = await testEnv.DB.prepare(
      "select recipient from local_outbox where recipient in (?, ?) and created_at = ?",
    )
      .bind(known, stranger, Date.now())
      .all();
    expect(kept.results).toEqual([{ recipient: known }]);
    expect(await readBudget()).toEqual({ taken: 8, refusedByReserve: 1, refusedBySpent: 0 });
  });

  test("once spent returns 503 to phone numbers and test identifiers until midnight in Kathmandu, but not to e-mail or repeated calls", async () => {
    const env = withBudget(10);
    const reviewer = newPhone();
    const until = new Date(today + 5 * DAY).toISOString().slice(0, 10);
    const reviewing = {
      ...env,
      TEST_IDENTIFIERS: JSON.stringify([{ identifier: reviewer, code: "424242", until }]),
    } as Partial<Env>;
    await setTaken(9);
    const keyed = { ip: newIp(), env, headers: { "idempotency-key": crypto.randomUUID() } };
    const phone = newPhone();
    const first = await ask(phone, keyed);
    expect(first.status).toBe(200);
    await setTaken(10);
    const closed = await ask(newPhone(), { env });
    expect([closed.status, closed.body.error.code]).toEqual([503, "service_unavailable"]);
    // From 06:00 UTC, which is 11:45 in Kathmandu.
    expect(waitOf(closed)).toBe((12 * 60 + 15) * 60);
    expect(visible(await ask(phone, keyed))).toEqual(visible(first));
    expect((await ask(newEmail(), { env })).status).toBe(200);
    expect(visible(await ask(reviewer, { env: reviewing }))).toEqual(
      visible(await ask(newPhone(), { env: reviewing })),
    );
    expect((await ask(reviewer, { env: reviewing })).status).toBe(503);
    expect((await readBudget()).taken).toBe(10);
  });

  test("applies in production, where no local outbox replaces the providers", async () => {
    await setTaken(10);
    expect((await ask(newPhone(), { env: productionEnv({ SMS_DAILY_BUDGET: "10" }) })).status).toBe(503);
    expect((await ask(newPhone(), { env: productionEnv({ SMS_DAILY_BUDGET: "11" }) })).status).toBe(200);
  });
});
