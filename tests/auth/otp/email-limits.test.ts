import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CallOptions, call, networkOf, newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { waitOf } from "../../support/otp-calls.ts";
import { closeBreakers, databaseWithout, productionEnv, recordLog, stopTime } from "../../support/production.ts";
import { consume, keepingQueue, type Sent } from "../../support/queue.ts";
import { Simulation } from "../../support/simulator/simulation.ts";
import { insertCodes } from "../../support/sms-budget.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let today = Date.UTC(2030, 6, 1, 6);
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

/** Requests a code. */
const ask = (identifier: string, { env, ...options }: CallOptions = {}) => {
  const nowhere = { ...env, ...keepingQueue(identifier).env };
  return call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, ...options, env: nowhere });
};

let serial = 0;
/** The local part of an address that no other test uses. */
const newName = () => `mail.box${Date.now()}x${++serial}`;

describe("Codes by e-mail from one network", () => {
  const setSends = (ip: string, sends: number) =>
    testEnv.DB.prepare("insert or replace into sms_send_limits values ('email_network', ?, ?, ?, 0, 0)")
      .bind(networkOf(ip), Date.now() + HOUR, sends)
      .run();

  test("are limited to 100 per hour across all addresses; other networks and phone numbers are not affected", async () => {
    const ip = newIp();
    await setSends(ip, 98);
    expect(waitOf(await ask(newEmail(), { ip }))).toBe(60);
    const full = await ask(newEmail(), { ip });
    expect([full.status, waitOf(full)]).toEqual([200, 3600]);
    clock.advance(HOUR - 1000);
    const refused = await ask(newEmail(), { ip });
    expect([refused.status, refused.body.error.code, waitOf(refused)]).toEqual([429, "rate_limit_exceeded", 1]);
    expect((await ask(newEmail())).status).toBe(200);
    expect((await ask(newPhone(), { ip })).status).toBe(200);
    clock.advance(1000);
    expect((await ask(newEmail(), { ip })).status).toBe(200);
  });

  test("are counted from the first one sent; refused requests do not count", async () => {
    const ip = newIp();
    const email = newEmail();
    expect([(await ask(email, { ip })).status, (await ask(email, { ip })).status]).toEqual([200, 429]);
    await ask(newPhone(), { ip });
    const counted = testEnv.DB.prepare("select sends from sms_send_limits where scope = 'email_network' and key = ?");
    expect(await counted.bind(networkOf(ip)).first("sends")).toBe(1);
  });

  test("do not block an owner on a known network once the limit is reached", async () => {
    const ip = newIp();
    const { identifier } = await signUp(newEmail(), { ip });
    clock.advance(2 * HOUR);
    await setSends(ip, 100);
    expect((await ask(identifier, { ip })).status).toBe(200);
    expect((await ask(newEmail(), { ip })).status).toBe(429);
  });

  test("reach exactly the limit when thirty are requested at once", async () => {
    const ip = newIp();
    await setSends(ip, 97);
    const answers = await new Simulation(3).race(
      Array.from({ length: 30 }, () => ({
        method: "POST",
        path: "/api/auth/otp/request",
        options: { ip, json: { identifier: newEmail() } },
      })),
    );
    expect(answers.filter((answer) => answer !== "died" && answer.status === 200)).toHaveLength(3);
  });
});

describe("Codes by e-mail to one mailbox", () => {
  const plain = (name: string) => name.replaceAll(".", "");
  const spellings: [string, (name: string, i: number) => string][] = [
    ["plus-addresses", (name, i) => `${name}+${i}@example.com`],
    [
      "plus-addresses, and the address without a tag",
      (name, i) => (i ? `${name}+t${i}@example.com` : `${name}@example.com`),
    ],
    ["full-width pluses and capitals", (name, i) => `${name.toUpperCase()}＋${i}@Example.com`],
    ["several tags", (name, i) => `${name}+${i}+x+${i}@example.com`],
    ["dots at gmail.com", (name, i) => `${plain(name).slice(0, i + 1)}.${plain(name).slice(i + 1)}@gmail.com`],
    [
      "dots and tags at googlemail.com and gmail.com",
      (name, i) => `${name.replace(".", "")}+${i}@${i % 2 ? "gmail" : "googlemail"}.com`,
    ],
  ];

  test.each(spellings)(
    "are limited to five per hour and ten per day across all unknown networks: %s",
    async (_what, spell) => {
      const name = newName();
      for (let i = 0; i < 5; i++) expect((await ask(spell(name, i))).status, spell(name, i)).toBe(200);
      const refused = await ask(spell(name, 6));
      expect([refused.status, refused.body.error.code, waitOf(refused)]).toEqual([429, "rate_limit_exceeded", 3600]);
      expect((await ask(spell(newName(), 6))).status, "another mailbox").toBe(200);
      clock.advance(HOUR);
      for (let i = 0; i < 5; i++) expect((await ask(spell(name, i))).status).toBe(200);
      clock.advance(HOUR);
      expect((await ask(spell(name, 6))).status).toBe(429);
      clock.advance(22 * HOUR - 1);
      expect((await ask(spell(name, 6))).status).toBe(429);
      clock.advance(1);
      expect((await ask(spell(name, 6))).status).toBe(200);
    },
  );

  test.each([
    ["dots at another domain", (name: string, i: number) => `${name.slice(0, i + 1)}.${name.slice(i + 1)}@example.com`],
    ["hyphens", (name: string, i: number) => `${name}-${i}@gmail.com`],
    ["domains", (name: string, i: number) => `${name}@d${i}.example.com`],
    [
      "subdomains of gmail.com",
      (name: string, i: number) => `${name.slice(0, i + 1)}.${name.slice(i + 1)}@mail.gmail.com`,
    ],
  ])("are counted separately if the addresses differ by %s", async (_what, spell) => {
    const name = newName().replaceAll(".", "");
    for (let i = 0; i < 6; i++) expect((await ask(spell(name, i))).status, spell(name, i)).toBe(200);
  });

  test("do not block its owner on a known network, however many codes strangers request", async () => {
    const [name, home] = [newName(), newIp()];
    const owner = `${name}@example.com`;
    await signUp(owner, { ip: home });
    clock.advance(2 * HOUR);
    for (let i = 0; i < 5; i++) expect((await ask(`${name}+${i}@example.com`)).status).toBe(200);
    expect((await ask(owner)).status, "a stranger").toBe(429);
    expect((await ask(owner, { ip: home })).status).toBe(200);
    expect((await ask(`${name}+9@example.com`, { ip: home })).status, "an address without a sign-in there").toBe(429);
  });

  test("let the owner of a plus-address register it as a user of its own", async () => {
    const [name, home] = [newName(), newIp()];
    const first = await signUp(`${name}+app@example.com`, { ip: home });
    const second = await signUp(`${name}@example.com`, { ip: home });
    expect(first.userId).not.toBe(second.userId);
    const rows = await testEnv.DB.prepare("select email from users where id in (?, ?) order by email")
      .bind(first.userId, second.userId)
      .all();
    expect(rows.results.map(({ email }) => email)).toEqual([`${name}+app@example.com`, `${name}@example.com`].sort());
  });

  test("still count for every spelling of the address after its account was deleted", async () => {
    const [name, home] = [newName(), newIp()];
    const owner = await signUp(`${name}@example.com`, { ip: home });
    clock.advance(2 * MINUTE);
    expect((await call("DELETE", "/api/auth/account", { token: owner.access, json: {} })).status).toBe(200);
    for (let i = 1; i < 5; i++) expect((await ask(`${name}+${i}@example.com`)).status, String(i)).toBe(200);
    expect((await ask(`${name}+5@example.com`)).status).toBe(429);
    expect((await ask(`${name}@example.com`)).status, "its own spelling again").toBe(429);
  });

  test("are counted under a keyed hash instead of the address", async () => {
    const name = newName();
    await ask(`${name}+a@example.com`);
    const row = await testEnv.DB.prepare("select mailbox from otp_challenges where identifier = ?")
      .bind(`${name}+a@example.com`)
      .first<{ mailbox: string }>();
    expect(row?.mailbox).toMatch(/^[\w-]{43}$/);
  });
});

describe("The daily e-mail budget", () => {
  const budgetOf = (calls: number) => ({ EMAIL_DAILY_BUDGET: String(calls) }) as unknown as Partial<Env>;
  const read = async () =>
    testEnv.DB.prepare(
      "select taken, refused_by_reserve, refused_by_spent from email_budget_days order by day desc",
    ).first();
  const day = () => new Date(Date.now() + 345 * MINUTE).toISOString().slice(0, 10);
  const setTaken = (taken: number) =>
    testEnv.DB.prepare("insert or replace into email_budget_days values (?, 0, ?, null, 0, 0)")
      .bind(day(), taken)
      .run();
  const delivered = (...recipients: string[]) =>
    testEnv.DB.prepare(
      "select count(*) as n from local_outbox where recipient in (select value from json_each(?)) and created_at = ?",
    )
      .bind(JSON.stringify(recipients), Date.now())
      .first<number>("n");

  /** An address with an account that has not received a message yet. */
  async function owner(): Promise<string> {
    const { identifier } = await signUp(newEmail(), { ip: newIp() });
    await testEnv.DB.prepare("delete from local_outbox where recipient = ?").bind(identifier).run();
    await setTaken(0);
    return identifier;
  }

  /** Messages with codes, to different addresses or all to the given one. */
  const messages = (count: number, to?: string) => insertCodes(count, () => to ?? newEmail());
  const addresses = (sent: Sent[]) => sent.map(({ payload }) => String(JSON.parse(payload).to));

  test("reserves its last 30 % for addresses with an account and raises one alert when each part is spent", async () => {
    const identifier = await owner();
    const [strangers, owners] = [await messages(9), await messages(5, identifier)];
    const lines = recordLog();
    for (const message of strangers) await consume([message], budgetOf(10));
    expect(await delivered(...addresses(strangers))).toBe(7);
    for (const message of owners) await consume([message], budgetOf(10));
    expect(await delivered(identifier)).toBe(3);
    expect(await read()).toEqual({ taken: 10, refused_by_reserve: 2, refused_by_spent: 2 });
    const named = (name: string) => lines.filter(({ event }) => event === name);
    expect(named("email_reserve_entered")).toMatchObject([{ level: "warn", alert: true, taken: 7, budget: 10 }]);
    expect(named("email_budget_spent")).toMatchObject([{ level: "error", alert: true, taken: 10, budget: 10 }]);
    expect(named("email_dropped").map(({ reason }) => reason)).toEqual(["reserved", "reserved", "spent", "spent"]);
  });

  test("returns 503 to every address until midnight in Kathmandu once it is spent; phone numbers are not affected", async () => {
    await setTaken(9);
    expect((await ask(newEmail(), { env: budgetOf(10) })).status).toBe(200);
    await setTaken(10);
    const closed = await ask(newEmail(), { env: budgetOf(10) });
    expect([closed.status, closed.body.error.code, waitOf(closed)]).toEqual([
      503,
      "service_unavailable",
      (12 * 60 + 15) * 60,
    ]);
    expect((await ask(newPhone(), { env: budgetOf(10) })).status).toBe(200);
    clock.advance((12 * 60 + 15) * MINUTE);
    expect((await ask(newEmail(), { env: budgetOf(10) })).status).toBe(200);
  });

  test.each([1, 2])("is not exceeded by a hundred simultaneous messages (seed %i)", async (seed) => {
    const identifier = await owner();
    const sent = await messages(100, identifier);
    const simulation = new Simulation(seed);
    simulation.queue.held.push(...sent.map((body) => ({ id: body.event_id, body, attempts: 1 })));
    await simulation.deliver(2, { env: budgetOf(10) });
    expect([await delivered(identifier), await read()]).toEqual([
      10,
      { taken: 10, refused_by_reserve: 0, refused_by_spent: 90 },
    ]);
  });

  test("does not call the provider if the call cannot be counted; the message is retried", async () => {
    const [message] = (await messages(1)) as [Sent];
    const blind = { ...productionEnv(), ...databaseWithout(/email_budget_days/) };
    const send = vi.fn(async () => ({ messageId: "m" }));
    expect(await consume([message], { ...blind, EMAIL: { send } as unknown as SendEmail })).toEqual({
      acked: [],
      retried: [0],
    });
    expect(send).not.toHaveBeenCalled();
  });

  test("is 10,000 without the setting", async () => {
    const env = { EMAIL_DAILY_BUDGET: undefined } as unknown as Partial<Env>;
    await setTaken(9_999);
    expect((await ask(newEmail(), { env })).status).toBe(200);
    await setTaken(10_000);
    expect((await ask(newEmail(), { env })).status).toBe(503);
  });
});
