import { afterEach, describe, expect, test, vi } from "vitest";
import { randomDigits } from "../../../src/platform/crypto.ts";
import {
  call,
  newEmail,
  newIp,
  newPhone,
  readCode,
  requestCode,
  signUp,
  testEnv,
  verify,
} from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { consume, requestAndKeep } from "../../support/queue.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const HOUR = 3_600_000;

function ask(identifier: string, env: Partial<Env>, ip = newIp()) {
  return call("POST", "/api/auth/otp/request", { ip, env, json: { identifier } });
}

function guess(identifier: string, otp: string, env: Partial<Env> = {}, ip = newIp()) {
  return call("POST", "/api/auth/otp/verify", { ip, env, json: { identifier, otp } });
}

async function newestMessage(identifier: string) {
  const path = `/dev/outbox?to=${encodeURIComponent(identifier)}`;
  return (await call("GET", path, { headers: { accept: "application/json" } })).body.messages[0];
}

describe("the message with a code", () => {
  const english = { "accept-language": "en-GB,en;q=0.9,ne;q=0.3" };
  const nepali = { "accept-language": "ne-NP,ne;q=0.9,en;q=0.5" };

  test("is in Nepali or English by Accept-Language, fits one SMS part and ends with the line for autofill", async () => {
    for (const [headers, alphabet, part] of [
      [english, /^[\n\r !"#$%&'()*+,\-./0-9:;<=>?@A-Za-z]+$/, 160],
      [nepali, /[\u0900-\u097f]/, 70],
    ] as const) {
      const phone = newPhone();
      const code = await requestCode(phone, { ip: newIp(), headers });
      const message = await newestMessage(phone);
      expect(message).toMatchObject({ channel: "sms", to: phone, code });
      expect(message.text).toMatch(alphabet);
      expect(message.text.length).toBeLessThanOrEqual(part);
      expect(message.text.split("\n").at(-1)).toBe(`@${testEnv.OTP_AUTOFILL_DOMAIN} #${code}`);
    }
  });

  test("has the hash of the Android app in the line before the last, in one SMS part", async () => {
    const env = { SMS_ANDROID_APP_HASH: "FA+9qCX9VSu" } as Partial<Env>;
    for (const [headers, part] of [
      [english, 160],
      [nepali, 70],
    ] as const) {
      const phone = newPhone();
      const code = await requestCode(phone, { ip: newIp(), headers, env });
      const { text } = await newestMessage(phone);
      expect(text.length).toBeLessThanOrEqual(part);
      expect(text.split("\n").slice(-2)).toEqual(["FA+9qCX9VSu", `@${testEnv.OTP_AUTOFILL_DOMAIN} #${code}`]);
    }
  });

  test("stays in the language of the sign-up, regardless of the Accept-Language of later requests", async () => {
    const clock = stopClock();
    for (const [atSignUp, later, isNepali] of [
      [nepali, english, true],
      [english, nepali, false],
    ] as const) {
      const { identifier } = await signUp(newPhone(), { ip: newIp(), headers: atSignUp });
      clock.advance(HOUR);
      await requestCode(identifier, { ip: newIp(), headers: later });
      const message = await newestMessage(identifier);
      expect(/[\u0900-\u097f]/.test(message.text)).toBe(isNepali);
    }
  });

  test("NIST SP 800-63B 3.1.3.2: codes are uniformly distributed, by a test that rejects a biased generator", () => {
    const chiSquared = (digits: string) => {
      const counts = Array.from({ length: 10 }, () => 0);
      for (const digit of digits) counts[Number(digit)] = (counts[Number(digit)] ?? 0) + 1;
      const expected = digits.length / 10;
      return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    };
    const bytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
    const draw = (make: () => string) => Array.from({ length: 200_000 }, make);
    // Chi-squared with nine degrees of freedom: a fair generator exceeds 60 once in a billion runs.
    const codes = draw(() => randomDigits(bytes, 6));
    expect(chiSquared(codes.join(""))).toBeLessThan(60);
    for (let i = 0; i < 6; i++) expect(chiSquared(codes.map((code) => code.charAt(i)).join(""))).toBeLessThan(60);
    const biased = draw(() => Array.from(bytes(6), (byte) => byte % 10).join(""));
    expect(chiSquared(biased.join(""))).toBeGreaterThan(60);
  });

  test("ASVS 6.5.3: generating a code never uses Math.random", async () => {
    vi.spyOn(Math, "random").mockImplementation(() => {
      throw new Error("Math.random is no source of secrets");
    });
    expect(await requestCode(newPhone(), { ip: newIp() })).toMatch(/^\d{6}$/);
  });

  test("ASVS 16.2.5, 6.5.2: no table, KV entry, queue message or log line contains the code in the clear", async () => {
    const lines: string[] = [];
    for (const level of ["log", "info", "warn", "error", "debug"] as const) {
      vi.spyOn(console, level).mockImplementation((...args) => void lines.push(args.join(" ")));
    }
    const phone = newPhone();
    // Its first attempt fails, so the code waits in its row, and the queue gets a message.
    const sent = JSON.stringify(await requestAndKeep(phone));
    const waiting = await testEnv.DB.prepare("select * from otp_challenges where identifier = ?").bind(phone).first();
    await consume([JSON.parse(sent)]);
    const code = await readCode(phone);
    for (const otp of [code === "111111" ? "222222" : "111111", code]) await guess(phone, otp);
    const stored: unknown[] = [waiting];
    for (const table of ["otp_challenges", "outbox", "deliveries", "idempotency_keys"]) {
      stored.push(...(await testEnv.DB.prepare(`select * from ${table} order by 1 desc limit 200`).all()).results);
    }
    const { keys } = await testEnv.KV.list({ prefix: "otp:" });
    for (const { name } of keys) stored.push({ name, value: await testEnv.KV.get(name) });
    expect(JSON.stringify(stored)).toContain(phone);
    expect([keys.length > 0, lines.length > 2]).toEqual([true, true]);
    const alone = new RegExp(`(?<![0-9A-Za-z])${code}(?![0-9A-Za-z])`);
    expect(stored.map((row) => JSON.stringify(row)).filter((row) => alone.test(row))).toEqual([]);
    expect([sent, ...lines].filter((text) => alone.test(text))).toEqual([]);
    expect(lines.filter((line) => line.includes(phone.slice(4)))).toEqual([]);
  });
});

describe("test identifiers", () => {
  const day = (ahead: number) => new Date(Date.now() + ahead * 24 * HOUR).toISOString().slice(0, 10);
  const reviewer = (identifier: string, until: string) =>
    ({ TEST_IDENTIFIERS: JSON.stringify([{ identifier, code: "424242", until }]) }) as Partial<Env>;

  test("accept their fixed code and are never sent a message", async () => {
    for (const identifier of [newPhone(), newEmail()]) {
      const env = reviewer(identifier, day(10));
      const asked = await ask(identifier, env);
      expect(asked.body.data).toMatchObject({ expires_in: 300, resend_in: 60 });
      expect(await newestMessage(identifier)).toBeUndefined();
      expect((await guess(identifier, "424242", env)).status).toBe(200);
      expect((await guess(identifier, "424242", env)).status).toBe(400);
    }
  });

  test("have the same limits as other identifiers", async () => {
    const phone = newPhone();
    const env = reviewer(phone, day(10));
    const ip = newIp();
    await ask(phone, env, ip);
    expect((await ask(phone, env, ip)).status).toBe(429);
    for (let i = 0; i < 5; i++) expect((await guess(phone, "000000", env, ip)).status).toBe(400);
    expect((await guess(phone, "424242", env, ip)).status).toBe(429);
    expect((await guess(phone, "424242", env)).status).toBe(400);
  });

  test.each([
    ["accepted on its last day", 0, 200],
    ["accepted with an end 30 days ahead", 30, 200],
    ["refused after its last day", -1, 400],
    ["refused with an end more than 30 days ahead", 31, 400],
  ])("have a fixed code that is %s", async (_, ahead, status) => {
    stopClock();
    vi.setSystemTime(`${day(1)}T12:00:00Z`);
    const phone = newPhone();
    const env = reviewer(phone, day(ahead));
    await ask(phone, env);
    expect((await guess(phone, "424242", env)).status).toBe(status);
  });

  test("do not affect the codes of other identifiers", async () => {
    const env = reviewer(newPhone(), day(10));
    expect(await verify(newPhone(), { ip: newIp(), env })).toMatch(/^.{20,}$/);
  });
});
