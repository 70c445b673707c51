import { afterEach, describe, expect, test, vi } from "vitest";
import { type Answer, call, newIp, newPhone, readCode, requestCode, signUp, testEnv } from "../../support/client.ts";
import { type Clock, stopClock } from "../../support/clock.ts";
import { otherThan, visible } from "../../support/otp-calls.ts";

afterEach(() => vi.useRealTimers());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function ask(identifier: string, ip: string): Promise<Answer> {
  return call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
}

function guess(identifier: string, otp: string, ip = newIp()): Promise<Answer> {
  return call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
}

const codeOf = (answer: Answer) => (answer.status === 200 ? "ok" : answer.body.error.code);

async function guessWrong(times: number, identifier: string, code: string, ip: string): Promise<void> {
  for (let i = 0; i < times; i++) {
    const answer = await guess(identifier, otherThan(code), ip);
    expect(codeOf(answer)).toBe("invalid_otp");
  }
}

/** Seconds until attempts are accepted again; 0 if they are accepted now. It attempts a wrong code to find out. */
async function lockedFor(identifier: string, code: string, ip: string): Promise<number> {
  const answer = await guess(identifier, otherThan(code), ip);
  if (answer.status === 400) return 0;
  expect(answer.body.error.code).toBe("rate_limit_exceeded");
  return Number(answer.headers.get("retry-after"));
}

/** D1 whose response arrives `milliseconds` after its decision. */
function slowDatabase(clock: Clock, milliseconds: number): D1Database {
  const batch = async (statements: D1PreparedStatement[]) => {
    const results = await testEnv.DB.batch(statements);
    clock.advance(milliseconds);
    return results;
  };
  return new Proxy(testEnv.DB, { get: (db, name) => (name === "batch" ? batch : Reflect.get(db, name).bind(db)) });
}

/** A user who signed in from the network so long ago that no daily limit counts it any more. */
async function userAt(home: string): Promise<{ phone: string; clock: Clock }> {
  const { identifier: phone } = await signUp(newPhone(), { ip: home });
  const clock = stopClock();
  clock.advance(DAY);
  return { phone, clock };
}

/** Makes wrong attempts from unknown networks, as fast as the limits allow. */
async function attack(clock: Clock, phone: string, failures: number): Promise<void> {
  for (let messages = 2, done = 0; done < failures; ) {
    const ip = newIp();
    const asked = await ask(phone, ip);
    if (asked.status === 429) {
      clock.advance(Number(asked.headers.get("retry-after")) * 1000);
      continue;
    }
    await guessWrong(5, phone, await readCode(phone, messages), ip);
    messages += 1;
    done += 5;
  }
}

describe("locks", () => {
  test("attempts without a live code do not count against the identifier", async () => {
    const [phone, ip] = [newPhone(), newIp()];
    for (let i = 0; i < 25; i++) expect(codeOf(await guess(phone, "111111", ip))).toBe("invalid_otp");
    const code = await requestCode(phone, { ip });
    await guessWrong(4, phone, code, ip);
    expect(codeOf(await guess(phone, code, ip))).toBe("ok");
  });

  test("five failures of a network in five minutes lock only that network; attempts while locked get 429 with Retry-After", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    const first = await requestCode(phone, { ip });
    await guessWrong(4, phone, first, ip);
    clock.advance(MINUTE);
    const code = await requestCode(phone, { ip });
    expect(codeOf(await guess(phone, otherThan(first, code), ip))).toBe("invalid_otp");
    const locked = await guess(phone, code, ip);
    expect([locked.status, codeOf(locked)]).toEqual([429, "rate_limit_exceeded"]);
    expect(locked.headers.get("retry-after")).toBe("60");
    expect(locked.headers.get("ratelimit")).toMatch(/^"[\w-]+";r=0;t=60$/);
    expect(locked.headers.get("ratelimit-policy")).toMatch(/^"[\w-]+";q=5;w=300$/);
    expect(codeOf(await guess(phone, code))).toBe("ok");
  });

  test("a request or attempt refused by a lock that ends before D1 answers gets 429 and never invalid_otp", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    const code = await requestCode(phone, { ip });
    await guessWrong(5, phone, code, ip);
    clock.advance(MINUTE - 30);
    const DB = slowDatabase(clock, 60);
    const json = { identifier: phone, otp: code };
    for (const path of ["/api/auth/otp/verify", "/api/auth/otp/request"]) {
      const answer = await call("POST", path, { ip, env: { DB }, json });
      expect([answer.status, answer.headers.get("retry-after")], path).toEqual([429, "1"]);
      expect(answer.headers.get("ratelimit")).toMatch(/;r=0;t=1$/);
      clock.advance(-60);
    }
    clock.advance(30);
    expect(codeOf(await guess(phone, await requestCode(phone, { ip }), ip))).toBe("ok");
  });

  test("failures more than five minutes apart do not add up, and a success resets them", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    await guessWrong(4, phone, await requestCode(phone, { ip }), ip);
    clock.advance(5 * MINUTE + 1000);
    const code = await requestCode(phone, { ip });
    await guessWrong(4, phone, code, ip);
    expect(codeOf(await guess(phone, code, ip))).toBe("ok");
    clock.advance(2 * MINUTE);
    const next = await requestCode(phone, { ip });
    await guessWrong(4, phone, next, ip);
    expect(codeOf(await guess(phone, next, ip))).toBe("ok");
  });

  test("NIST SP 800-63B 3.2.2: locks of a network last 1, 2, 4 … 60 minutes; new codes do not shorten them, a success does", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    for (const [i, minutes] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
      // Three locks per day stay below the daily limit of all networks together.
      clock.advance(i % 3 === 0 ? 25 * HOUR : 2 * HOUR);
      const code = await requestCode(phone, { ip });
      await guessWrong(5, phone, code, ip);
      expect(await lockedFor(phone, code, ip)).toBe(minutes * 60);
      clock.advance(minutes * MINUTE - 1);
      expect(await lockedFor(phone, code, ip)).toBe(1);
      clock.advance(1);
      expect(await lockedFor(phone, code, ip)).toBe(0);
    }
    clock.advance(2 * HOUR);
    expect(codeOf(await guess(phone, await requestCode(phone, { ip }), ip))).toBe("ok");
    clock.advance(25 * HOUR);
    const code = await requestCode(phone, { ip });
    await guessWrong(5, phone, code, ip);
    expect(await lockedFor(phone, code, ip)).toBe(60);
  });

  test("ASVS 6.3.1: twenty failures a day lock all unknown networks for an hour, for codes as well, and no known one", async () => {
    const home = newIp();
    const { phone, clock } = await userAt(home);
    await attack(clock, phone, 20);
    const stranger = newIp();
    const [own, asked] = [await requestCode(phone, { ip: home }), await ask(phone, stranger)];
    expect([asked.status, asked.headers.get("retry-after")]).toEqual([429, "3600"]);
    expect(await lockedFor(phone, own, stranger)).toBe(3600);
    expect(codeOf(await guess(phone, own, home))).toBe("ok");
    expect(await lockedFor(phone, own, stranger)).toBe(3600);
    clock.advance(HOUR - 1);
    expect((await ask(phone, stranger)).status).toBe(429);
    clock.advance(1);
    expect((await ask(phone, stranger)).status).toBe(200);
  });

  test("a lock gives the same response for known and unknown identifiers", async () => {
    const { phone: known } = await userAt(newIp());
    const seen = [];
    for (const phone of [known, newPhone()]) {
      const ip = newIp();
      const code = await requestCode(phone, { ip });
      const answers = [];
      for (let i = 0; i < 6; i++) answers.push(await guess(phone, otherThan(code), ip));
      answers.push(await ask(phone, ip));
      seen.push(answers.map(visible));
    }
    expect(seen[0]?.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 429, 429]);
    expect(seen[1]).toEqual(seen[0]);
  });

  test("NIST SP 800-63B 3.2.2: a hundred consecutive failures lock the network class until seven days pass without an attempt", async () => {
    const { phone, clock } = await userAt(newIp());
    await attack(clock, phone, 100);
    const stranger = newIp();
    expect(await lockedFor(phone, "", stranger)).toBe(7 * 24 * 3600);
    clock.advance(7 * DAY - 1);
    expect((await ask(phone, stranger)).status).toBe(429);
    clock.advance(1);
    const code = await requestCode(phone, { ip: stranger });
    await guessWrong(1, phone, code, stranger);
    expect(codeOf(await guess(phone, code, stranger))).toBe("ok");
  });

  test("a success from a known network lifts the lock that a hundred failures set on unknown networks", async () => {
    const home = newIp();
    const { phone, clock } = await userAt(home);
    await attack(clock, phone, 100);
    clock.advance(DAY);
    const stranger = newIp();
    expect((await ask(phone, stranger)).status).toBe(429);
    expect(codeOf(await guess(phone, await requestCode(phone, { ip: home }), home))).toBe("ok");
    clock.advance(MINUTE);
    expect(codeOf(await guess(phone, await requestCode(phone, { ip: stranger }), stranger))).toBe("ok");
  });
});
