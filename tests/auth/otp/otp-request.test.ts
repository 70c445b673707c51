import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  readCode,
  signUp,
  testEnv,
} from "../../support/client.ts";
import { type Clock, stopClock } from "../../support/clock.ts";
import { visible, waitOf } from "../../support/otp-calls.ts";

afterEach(() => vi.useRealTimers());

const HOUR = 3_600_000;

function ask(identifier: string, options: CallOptions = {}, purpose?: string): Promise<Answer> {
  return call("POST", "/api/auth/otp/request", { ip: newIp(), ...options, json: { identifier, purpose } });
}

/** Signs a user up, moves past the waits that the sign-up caused, and stops the clock. */
async function signUpLongAgo(identifier: string, ip = newIp()) {
  const user = await signUp(identifier, { ip });
  const clock = stopClock();
  clock.advance(2 * HOUR);
  return { ...user, clock };
}

async function verifyAndReadPurpose(identifier: string, otp: string): Promise<string> {
  const answer = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json: { identifier, otp } });
  return answer.body.data.purpose;
}

async function messagesTo(identifier: string) {
  const path = `/dev/outbox?to=${encodeURIComponent(identifier)}`;
  return (await call("GET", path, { headers: { accept: "application/json" } })).body.messages;
}

/** Expects the next request to be rejected until the last millisecond of the wait and accepted at its end. */
async function sendAtEndOfWait(clock: Clock, identifier: string, ip: string, seconds: number) {
  clock.advance(seconds * 1000 - 1);
  const early = await ask(identifier, { ip });
  expect(early.status).toBe(429);
  expect(early.headers.get("retry-after")).toBe("1");
  clock.advance(1);
  const answer = await ask(identifier, { ip });
  expect(answer.status).toBe(200);
  return waitOf(answer);
}

/** Bindings that record the SQL prepared, the batches run, and the calls of KV and queue. */
function recordingBindings() {
  const calls: string[] = [];
  const record = (name: string, binding: object) =>
    new Proxy(binding, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const [first] = args;
          const seen = name === "DB" && typeof first === "string" ? first : Array.isArray(first) ? first.length : "";
          calls.push(`${name}.${String(key)} ${seen}`);
          return value.apply(target, args);
        };
      },
    });
  const { DB, KV, OTP_QUEUE } = testEnv;
  const env = { DB: record("DB", DB), KV: record("KV", KV), OTP_QUEUE: record("QUEUE", OTP_QUEUE) } as Partial<Env>;
  return { env, calls };
}

async function knownUnknownAndBanned() {
  const [known, unknown, banned] = [newPhone(), newPhone(), newPhone()];
  await signUp(known, { ip: newIp() });
  const { userId } = await signUpLongAgo(banned);
  await testEnv.DB.prepare("update users set status = 'BANNED', status_reason = 'staff' where id = ?")
    .bind(userId)
    .run();
  return [known, unknown, banned];
}

describe("the identifier of a request for a code", () => {
  test.each([
    ["without the country code", (national: string) => national],
    ["with 977 and hyphens", (n: string) => `977-${n.slice(0, 3)}-${n.slice(3)}`],
    ["with +977, a space and a hyphen", (n: string) => `+977 ${n.slice(0, 3)}-${n.slice(3)}`],
    ["with 00977 and a space", (n: string) => `00977 ${n}`],
    ["with +977 in round brackets", (n: string) => `(+977) ${n}`],
    ["with +977 in full-width brackets", (n: string) => `（＋977）${n}`],
    ["between spaces", (n: string) => `  +977${n} `],
    ["in Devanagari digits", (n: string) => n.replace(/\d/g, (d) => String.fromCharCode(0x0966 + Number(d)))],
  ])("finds the same user if the number is written %s", async (_, write) => {
    const phone = newPhone();
    await signUpLongAgo(phone);
    const written = write(phone.slice(4));
    expect((await ask(written)).status).toBe(200);
    expect(await verifyAndReadPurpose(written, await readCode(phone, 2))).toBe("LOGIN");
  });

  test("finds the same user by an e-mail address in any case and with surrounding spaces", async () => {
    const email = newEmail();
    await signUpLongAgo(email);
    const written = `  ${email.toUpperCase()} `;
    expect((await ask(written)).status).toBe(200);
    const code = await readCode(email, 2);
    expect((await messagesTo(email))[0]).toMatchObject({ channel: "email", to: email, code });
    expect(await verifyAndReadPurpose(written, code)).toBe("LOGIN");
  });

  test.each([
    ["a landline", "014412345"],
    ["a short number", "98412"],
    ["a service number", "100"],
    ["a mobile number with a digit too many", "98412345678"],
    ["a number with an extension", "9841234567 ext. 5"],
    ["a country that gets no SMS", "+919812345678"],
    ["an unknown country", "+999123456789"],
    ["an address without a host", "person@"],
    ["an address with a space inside", "per son@example.com"],
    ["words", "call me"],
    ["an empty string", ""],
    ["only spaces", "   "],
    ["an object", { $ne: null }],
    ["a list", ["9841234567"]],
    ["nothing", undefined],
    ["300 characters", `${"a".repeat(290)}@example.com`],
  ])("rejects %s with an error on the field identifier", async (_, identifier) => {
    const answer = await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier } });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ success: false, error: { code: "validation_error" } });
    expect(Object.keys(answer.body.error.details)).toEqual(["identifier"]);
    expect(answer.body.error.details.identifier[0]).toMatch(/\w+ \w+/);
  });

  test("accepts phone numbers of the configured countries", async () => {
    const indian = `+9198${newPhone().slice(-8)}`;
    expect((await ask(indian)).status).toBe(400);
    expect((await ask(indian, { env: { SMS_COUNTRIES: "NP,IN" } as object })).status).toBe(200);
  });

  test("takes the purposes REGISTER, LOGIN, empty and absent, and refuses others", async () => {
    const [phone, ip] = [newPhone(), newIp()];
    const wrong = await ask(phone, { ip }, "STEAL");
    expect(wrong.body.error).toMatchObject({ code: "validation_error", details: { purpose: [expect.any(String)] } });
    for (const purpose of ["REGISTER", "LOGIN", ""]) expect((await ask(newPhone(), {}, purpose)).status).toBe(200);
  });
});

describe("the response to a request for a code", () => {
  test("contains the message, the code's lifetime and the wait for the next code, and may not be cached", async () => {
    const phone = newPhone();
    for (const body of [{ json: { identifier: phone } }, { form: { identifier: newPhone() } }]) {
      const { status, headers, body: sent } = await call("POST", "/api/auth/otp/request/", { ip: newIp(), ...body });
      expect(status).toBe(200);
      expect(sent).toEqual({
        success: true,
        message: expect.any(String),
        data: { message: expect.any(String), expires_in: 300, resend_in: 60 },
      });
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("ratelimit-policy")).toMatch(/^"[\w-]+";q=3;w=3600$/);
      expect(headers.get("ratelimit")).toMatch(/^"[\w-]+";r=2;t=60$/);
    }
    expect(await readCode(phone)).toMatch(/^\d{6}$/);
  });

  test("ASVS 6.3.8: known, unknown and banned identifiers get the same bytes and the same work, also when limited", async () => {
    const kinds = await knownUnknownAndBanned();
    const seen = [];
    for (const identifier of kinds) {
      const { env, calls } = recordingBindings();
      const ip = newIp();
      const sent = await ask(identifier, { ip, env });
      const limited = await ask(identifier, { ip, env });
      const named = await ask(identifier, { ip, env }, "LOGIN");
      expect([sent.status, limited.status, named.status]).toEqual([200, 429, 429]);
      expect(calls.length).toBeGreaterThan(5);
      seen.push({ answers: [sent, limited, named].map(visible), calls });
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });

  test("is 503 with Retry-After, never 401, while the database is down", async () => {
    const statement = { bind: () => statement, all: lost, run: lost, first: lost, raw: lost };
    const DB = { prepare: () => statement, batch: lost, exec: lost } as unknown as D1Database;
    const answer = await ask(newPhone(), { env: { DB } });
    expect(answer.status).toBe(503);
    expect(answer.body.error.code).toBe("service_unavailable");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toMatch(/D1|Error:/);
  });

  test("ASVS 16.5.2: does not depend on the rate limiter being available; a request over its limit gets 429 with Retry-After", async () => {
    const RATE_LIMITER = { limit: lost };
    expect((await ask(newPhone(), { env: { RATE_LIMITER } })).status).toBe(200);
    const limited = await ask(newPhone(), { env: { RATE_LIMITER: { limit: async () => ({ success: false }) } } });
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

async function lost(): Promise<never> {
  throw new Error("D1_ERROR: Network connection lost.");
}

describe("limits on sending codes", () => {
  test("one network gets at most three codes per hour, 60 s apart", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    const waits = [waitOf(await ask(phone, { ip }))];
    for (let i = 0; i < 3; i++) waits.push(await sendAtEndOfWait(clock, phone, ip, waits[i] ?? 0));
    expect(waits.slice(0, 3)).toEqual([60, 60, 3480]);
  });

  test("all unknown networks together get at most five codes per hour and ten per day, after waits of 60, 60, 120 and 300 s", async () => {
    const clock = stopClock();
    const phone = newPhone();
    const waits = [waitOf(await ask(phone))];
    for (let i = 0; i < 10; i++) waits.push(await sendAtEndOfWait(clock, phone, newIp(), waits[i] ?? 0));
    expect(waits.slice(0, 5)).toEqual([60, 60, 120, 300, 3060]);
    const untilEleventh = waits.slice(0, 10).reduce((sum, wait) => sum + wait, 0);
    expect(untilEleventh).toBe(24 * 3600);
  });

  test.each([
    ["the first code is an hour old before the wait is over", [0, 60, 3580]],
    ["the codes become an hour old one after the other", [0, 3480, 3590]],
    ["a day has passed", [0, 90_000]],
  ])("resend_in is exact when %s", async (_, seconds) => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    let answer: Answer | undefined;
    let at = 0;
    for (const second of seconds) {
      clock.advance((second - at) * 1000);
      at = second;
      answer = await ask(phone, { ip });
      expect(answer.status).toBe(200);
    }
    await sendAtEndOfWait(clock, phone, ip, answer ? waitOf(answer) : 0);
  });

  test("a rejected request gets the wait in Retry-After and RateLimit and does not lengthen it", async () => {
    const clock = stopClock();
    const [phone, ip] = [newPhone(), newIp()];
    await ask(phone, { ip });
    for (const left of [45, 30, 15]) {
      clock.advance(15_000);
      const refused = await ask(phone, { ip });
      expect(refused.status).toBe(429);
      expect(refused.body.error.code).toBe("rate_limit_exceeded");
      expect(refused.headers.get("retry-after")).toBe(String(left));
      expect(refused.headers.get("ratelimit-policy")).toMatch(/^"[\w-]+";q=\d+;w=\d+$/);
      expect(refused.headers.get("ratelimit")).toMatch(new RegExp(`^"[\\w-]+";r=0;t=${left}$`));
    }
  });

  test("strangers cannot use up the codes of a network from which the user signed in", async () => {
    const [phone, home] = [newPhone(), newIp()];
    const { clock } = await signUpLongAgo(phone, home);
    for (const wait of [60, 60, 120, 300, 0]) {
      expect((await ask(phone)).status).toBe(200);
      clock.advance(wait * 1000);
    }
    expect((await ask(phone)).status).toBe(429);
    const own = await ask(phone, { ip: home });
    expect([own.status, waitOf(own)]).toEqual([200, 60]);
  });

  test("ASVS 4.1.3: a network is an IPv4 /24 or an IPv6 /64 of the connection, whatever the caller's headers say", async () => {
    const clock = stopClock();
    const v4 = newIp().split(".").slice(0, 3).join(".");
    const v6 = `2001:db8:${v4.split(".")[1]}:${v4.split(".")[2]}`;
    for (const [ips, outside] of [
      [[`${v4}.1`, `${v4}.99`, `${v4}.254`, `${v4}.7`], newIp()],
      [[`${v6}::1`, `${v6}:ffff::2`, `${v6}:1:2:3:4`, `${v6}::9`], `${v6}1::1`],
    ] as const) {
      const phone = newPhone();
      const statuses = [];
      for (const ip of ips) {
        statuses.push((await ask(phone, { ip, headers: { "x-forwarded-for": newIp(), "x-real-ip": newIp() } })).status);
        clock.advance(120_000);
      }
      expect(statuses).toEqual([200, 200, 200, 429]);
      expect((await ask(phone, { ip: outside })).status).toBe(200);
    }
  });
});

describe("Idempotency-Key", () => {
  test("returns the same response without a second message for the same key and body, until the next code is allowed", async () => {
    const clock = stopClock();
    const [phone, ip, headers] = [newPhone(), newIp(), { "idempotency-key": crypto.randomUUID() }];
    const countMessages = () =>
      testEnv.DB.prepare("select count(*) as n from local_outbox where recipient = ?").bind(phone).first("n");
    const first = await ask(phone, { ip, headers });
    const again = await ask(phone.slice(4), { ip, headers });
    expect(first.status).toBe(200);
    expect([again.status, again.body]).toEqual([200, first.body]);
    clock.advance(59_000);
    expect((await ask(phone, { ip, headers })).status).toBe(200);
    expect(await countMessages()).toBe(1);
    clock.advance(1_000);
    expect((await ask(phone, { ip, headers })).status).toBe(200);
    expect(await countMessages()).toBe(2);
    expect(await readCode(phone, 2)).toMatch(/^\d{6}$/);
  });

  test("rejects the same key with another body; another identifier may use the same key", async () => {
    const [phone, ip, headers] = [newPhone(), newIp(), { "idempotency-key": crypto.randomUUID() }];
    expect((await ask(phone, { ip, headers }, "LOGIN")).status).toBe(200);
    const other = await ask(phone, { ip, headers }, "REGISTER");
    expect([other.status, other.body.error.code]).toEqual([409, "idempotency_key_reused"]);
    expect((await ask(newPhone(), { ip, headers }, "REGISTER")).status).toBe(200);
  });

  test("a refused request does not use its key", async () => {
    const clock = stopClock();
    const [phone, ip, headers] = [newPhone(), newIp(), { "idempotency-key": crypto.randomUUID() }];
    await ask(phone, { ip });
    expect((await ask(phone, { ip, headers }, "LOGIN")).status).toBe(429);
    clock.advance(60_000);
    expect((await ask(phone, { ip, headers }, "REGISTER")).status).toBe(200);
  });

  test("returns the stored result if the database committed but its answer was lost", async () => {
    const [phone, ip, headers] = [newPhone(), newIp(), { "idempotency-key": crypto.randomUUID() }];
    const DB = new Proxy(testEnv.DB, {
      get: (target, key) =>
        key === "batch"
          ? (...args: Parameters<D1Database["batch"]>) => target.batch(...args).then(lost)
          : Reflect.get(target, key).bind(target),
    });
    expect((await ask(phone, { ip, headers, env: { DB } })).status).toBe(503);
    expect((await ask(phone, { ip })).status).toBe(429);
    const again = await ask(phone, { ip, headers });
    expect([again.status, again.body.data?.resend_in]).toEqual([200, 60]);
  });
});
