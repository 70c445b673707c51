import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  requestCode,
  signUp,
  testEnv,
} from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { otherThan } from "../../support/otp-calls.ts";

afterEach(() => vi.useRealTimers());

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

function guess(identifier: string, otp: string, options: CallOptions = {}, purpose?: string): Promise<Answer> {
  return call("POST", "/api/auth/otp/verify", { ip: newIp(), ...options, json: { identifier, otp, purpose } });
}

const codeOf = (answer: Answer) => (answer.status === 200 ? "ok" : answer.body.error.code);

async function guessWrong(times: number, identifier: string, code: string, ip?: string): Promise<void> {
  for (let i = 0; i < times; i++) {
    const answer = await guess(identifier, otherThan(code), ip === undefined ? {} : { ip });
    expect(codeOf(answer)).toBe("invalid_otp");
  }
}

/** A user who signed in from the network so long ago that no daily limit counts it any more. */
async function userAt(home: string) {
  const { identifier: phone } = await signUp(newPhone(), { ip: home });
  const clock = stopClock();
  clock.advance(DAY);
  return { phone, clock };
}

describe("a right code", () => {
  test("returns a token for ten minutes and the next step, whatever purpose the request names", async () => {
    for (const [identifier, purpose] of [
      [newPhone(), "LOGIN"],
      [newEmail(), "REGISTER"],
      [newPhone(), undefined],
    ] as const) {
      const answer = await guess(identifier, await requestCode(identifier, { ip: newIp() }), {}, purpose);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        success: true,
        message: expect.any(String),
        data: {
          verification_token: expect.stringMatching(/^\S{22,}$/),
          purpose: "REGISTER",
          expires_in: 600,
          message: expect.any(String),
        },
      });
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.headers.get("ratelimit")).toMatch(/^"[\w-]+";r=\d+;t=\d+$/);
      expect(answer.headers.get("ratelimit-policy")).toMatch(/^"[\w-]+";q=5;w=300$/);
    }
    const { phone } = await userAt(newIp());
    const known = await guess(phone, await requestCode(phone, { ip: newIp() }), {}, "REGISTER");
    expect(known.body.data.purpose).toBe("LOGIN");
  });

  test("ASVS 6.5.1: is accepted once", async () => {
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    const answers = await Promise.all([1, 2, 3, 4].map(() => guess(phone, code)));
    expect(answers.map(codeOf).sort()).toEqual(["invalid_otp", "invalid_otp", "invalid_otp", "ok"]);
    expect(codeOf(await guess(phone, code))).toBe("invalid_otp");
  });

  test("may be typed in Devanagari digits, with spaces, or sent as a form", async () => {
    for (const write of [
      (code: string) => code.replace(/\d/g, (digit) => String.fromCharCode(0x0966 + Number(digit))),
      (code: string) => ` ${code} `,
    ]) {
      const phone = newPhone();
      const otp = write(await requestCode(phone, { ip: newIp() }));
      const form = { identifier: phone.slice(4), otp };
      expect((await call("POST", "/api/auth/otp/verify", { ip: newIp(), form })).status).toBe(200);
    }
  });

  test("is accepted only for its identifier", async () => {
    const [phone, other] = [newPhone(), newPhone()];
    const code = await requestCode(phone, { ip: newIp() });
    const others = await requestCode(other, { ip: newIp() });
    const expected = code === others ? "ok" : "invalid_otp";
    expect(codeOf(await guess(other, code))).toBe(expected);
    expect(codeOf(await guess(phone, code))).toBe("ok");
  });

  test.each(["12345", "1234567", "12a456", "", null, undefined])(
    "stays valid after %s was sent instead, which is a validation error and not counted as an attempt",
    async (otp) => {
      const phone = newPhone();
      const code = await requestCode(phone, { ip: newIp() });
      for (let i = 0; i < 6; i++) {
        const answer = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json: { identifier: phone, otp } });
        expect(answer.body.error).toMatchObject({ code: "validation_error", details: { otp: [expect.any(String)] } });
      }
      expect(codeOf(await guess(phone, code))).toBe("ok");
    },
  );

  test.each([
    [299, "ok"],
    [301, "invalid_otp"],
  ])("ASVS 6.5.5: after %d s the result is %s, although KV still has the code", async (seconds, expected) => {
    const clock = stopClock();
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    clock.advance(seconds * 1000);
    expect(await liveCodesInKv(phone)).toHaveLength(1);
    expect(codeOf(await guess(phone, code))).toBe(expected);
  });

  test("is accepted while KV has no entry yet or is down", async () => {
    const [early, broken] = [newPhone(), newPhone()];
    const code = await requestCode(early, { ip: newIp() });
    await testEnv.KV.delete((await liveCodesInKv(early))[0]?.name ?? "");
    expect(codeOf(await guess(early, otherThan(code)))).toBe("invalid_otp");
    expect(codeOf(await guess(early, code))).toBe("ok");

    const KV = new Proxy(testEnv.KV, { get: () => () => Promise.reject(new Error("KV is down")) });
    const whileDown = await requestCode(broken, { ip: newIp(), env: { KV } });
    expect(codeOf(await guess(broken, otherThan(whileDown), { env: { KV } }))).toBe("invalid_otp");
    expect(codeOf(await guess(broken, whileDown, { env: { KV } }))).toBe("ok");
  });

  test("ASVS 16.5.2: gets 503 with Retry-After, never 401, while the database fails, and stays valid", async () => {
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    for (const otp of [code, otherThan(code)]) {
      const answer = await guess(phone, otp, { env: databaseThatFails("before") });
      expect([answer.status, codeOf(answer)]).toEqual([503, "service_unavailable"]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(codeOf(await guess(phone, code))).toBe("ok");
  });

  test("returns its token even if the database's response was lost after the commit", async () => {
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    const answer = await guess(phone, code, { env: databaseThatFails("after") });
    expect(codeOf(answer)).toBe("ok");
    const verification_token = answer.body.data.verification_token;
    const registered = await call("POST", "/api/auth/register", { json: { identifier: phone, verification_token } });
    expect(registered.status).toBe(201);
  });
});

/** The keys of the KV entries that contain a code of the identifier. */
async function liveCodesInKv(identifier: string) {
  const { results } = await testEnv.DB.prepare("select cid from otp_challenges where identifier = ?")
    .bind(identifier)
    .all<{ cid: string }>();
  const { keys } = await testEnv.KV.list({ prefix: "otp:" });
  const values = await Promise.all(keys.map(({ name }) => testEnv.KV.get(name)));
  return keys.filter((_, i) => results.some(({ cid }) => values[i]?.includes(cid)));
}

/** A database whose transactions all fail before they run, or whose first one fails after its commit. */
function databaseThatFails(when: "before" | "after"): Partial<Env> {
  let batches = 0;
  const batch = async (...args: Parameters<D1Database["batch"]>) => {
    batches += 1;
    const result = when === "before" ? undefined : await testEnv.DB.batch(...args);
    if (!result || batches === 1) throw new Error("D1_ERROR: Network connection lost.");
    return result;
  };
  const DB = new Proxy(testEnv.DB, {
    get: (target, key) => (key === "batch" ? batch : Reflect.get(target, key).bind(target)),
  });
  return { DB };
}

describe("attempts", () => {
  test("a code allows five attempts across all unknown networks", async () => {
    for (const [wrong, expected] of [
      [4, "ok"],
      [5, "invalid_otp"],
    ] as const) {
      const phone = newPhone();
      const code = await requestCode(phone, { ip: newIp() });
      await guessWrong(wrong, phone, code);
      expect(codeOf(await guess(phone, code))).toBe(expected);
    }
  });

  test("ASVS 6.6.2: the two newest codes work and the third-newest does not", async () => {
    for (const [picked, expected] of [
      [0, "invalid_otp"],
      [1, "ok"],
      [2, "ok"],
    ] as const) {
      const clock = stopClock();
      const phone = newPhone();
      const codes = [];
      for (let i = 0; i < 3; i++) {
        codes.push(await requestCode(phone, { ip: newIp() }));
        clock.advance(MINUTE);
      }
      expect(codeOf(await guess(phone, codes[picked] ?? ""))).toBe(expected);
      vi.useRealTimers();
    }
  });

  test("a wrong attempt counts against both live codes, and a new code allows five of its own", async () => {
    for (const [wrongLater, older, newer] of [
      [1, "ok", "invalid_otp"],
      [2, "invalid_otp", "ok"],
      [5, "invalid_otp", "invalid_otp"],
    ] as const) {
      const clock = stopClock();
      const phone = newPhone();
      const first = await requestCode(phone, { ip: newIp() });
      await guessWrong(3, phone, first);
      clock.advance(MINUTE);
      const second = await requestCode(phone, { ip: newIp() });
      for (let i = 0; i < wrongLater; i++) await guess(phone, otherThan(first, second));
      expect(codeOf(await guess(phone, first))).toBe(older);
      expect(codeOf(await guess(phone, second))).toBe(newer);
      vi.useRealTimers();
    }
  });

  test("strangers cannot use up the attempts of a network from which the user signed in during the last 90 days", async () => {
    for (const [days, expected] of [
      [89, "ok"],
      [91, "invalid_otp"],
    ] as const) {
      const home = newIp();
      const { phone, clock } = await userAt(home);
      clock.advance((days - 1) * DAY);
      const code = await requestCode(phone, { ip: home });
      await guessWrong(5, phone, code);
      expect(codeOf(await guess(phone, code))).toBe("invalid_otp");
      expect(codeOf(await guess(phone, code, { ip: home }))).toBe(expected);
      vi.useRealTimers();
    }
  });
});

describe("a stale or damaged KV entry of live codes", () => {
  const attemptsAt = async (phone: string) => {
    const { results } = await testEnv.DB.prepare(
      "select attempts_other as n from otp_challenges where identifier = ? order by cid",
    )
      .bind(phone)
      .all<{ n: number }>();
    return results.map(({ n }) => n);
  };

  /** Requests three codes; returns them, and the KV entry after each. */
  async function threeCodes() {
    const clock = stopClock();
    const phone = newPhone();
    const [codes, hints] = [[] as string[], [] as string[]];
    let name = "";
    for (let i = 0; i < 3; i++) {
      codes.push(await requestCode(phone, { ip: newIp() }));
      name = (await liveCodesInKv(phone))[0]?.name ?? "";
      hints.push((await testEnv.KV.get(name)) ?? "");
      clock.advance(MINUTE);
    }
    return { phone, codes, hints, name };
  }

  test("changes neither which codes an attempt is compared with nor what it costs", async () => {
    for (const behind of [0, 1, 2, 3]) {
      const { phone, codes, hints, name } = await threeCodes();
      const hint = hints.at(-1 - behind);
      await (hint === undefined ? testEnv.KV.delete(name) : testEnv.KV.put(name, hint));
      const [oldest = "", , newest = ""] = codes;
      expect(codeOf(await guess(phone, otherThan(...codes))), `${behind} codes behind`).toBe("invalid_otp");
      expect(await attemptsAt(phone)).toEqual([0, 1, 1]);
      expect(codeOf(await guess(phone, oldest))).toBe("invalid_otp");
      expect(await attemptsAt(phone)).toEqual([0, 2, 2]);
      expect(codeOf(await guess(phone, newest))).toBe("ok");
      vi.useRealTimers();
    }
  });

  test.each([
    ["not JSON", "{"],
    ["of another shape", '[["cid"]]'],
    ["full of unknown codes", JSON.stringify(Array.from({ length: 9 }, (_, i) => ({ cid: `${i}`, secretId: "s" })))],
  ])("that is %s does not change the result of an attempt", async (_, value) => {
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    await testEnv.KV.put((await liveCodesInKv(phone))[0]?.name ?? "", value);
    expect(codeOf(await guess(phone, otherThan(code)))).toBe("invalid_otp");
    expect(codeOf(await guess(phone, code))).toBe("ok");
  });
});

describe("Idempotency-Key", () => {
  const newKey = () => ({ "idempotency-key": crypto.randomUUID() });

  test("returns the same token for the same key and body until the token is used or expires", async () => {
    for (const end of ["expired", "used"]) {
      const clock = stopClock();
      const [phone, headers] = [newPhone(), newKey()];
      const code = await requestCode(phone, { ip: newIp() });
      const first = await guess(phone, code, { headers });
      clock.advance(599_000);
      const again = await guess(phone.slice(4), code, { headers });
      expect([first.status, again.status, again.body]).toEqual([200, 200, first.body]);
      if (end === "expired") clock.advance(2_000);
      else {
        const { verification_token } = first.body.data;
        const made = await call("POST", "/api/auth/register", { json: { identifier: phone, verification_token } });
        expect(made.status).toBe(201);
      }
      expect(codeOf(await guess(phone, code, { headers }))).toBe("invalid_otp");
      vi.useRealTimers();
    }
  });

  test("does not return a token again that can no longer be derived", async () => {
    const [phone, headers] = [newPhone(), newKey()];
    const code = await requestCode(phone, { ip: newIp() });
    expect(codeOf(await guess(phone, code, { headers }))).toBe("ok");
    const changed = "update otp_challenges set secret_id = 'retired' where identifier = ?";
    await testEnv.DB.prepare(changed).bind(phone).run();
    expect(codeOf(await guess(phone, code, { headers }))).toBe("invalid_otp");
  });

  test("does not bind the key of a wrong attempt", async () => {
    const [phone, headers] = [newPhone(), newKey()];
    const code = await requestCode(phone, { ip: newIp() });
    expect(codeOf(await guess(phone, otherThan(code), { headers }))).toBe("invalid_otp");
    expect(codeOf(await guess(phone, code, { headers }))).toBe("ok");
  });

  test("takes effect once for parallel calls with the same key; a rejected one gets the result by repeating", async () => {
    const [phone, headers] = [newPhone(), newKey()];
    const code = await requestCode(phone, { ip: newIp() });
    const ip = newIp();
    const answers = await Promise.all([1, 2, 3].map(() => guess(phone, code, { headers, ip })));
    const repeated = await guess(phone, code, { headers, ip });
    const tokens = [...answers, repeated]
      .filter(({ status }) => status === 200)
      .map(({ body }) => body.data.verification_token);
    expect(repeated.status).toBe(200);
    expect(new Set(tokens).size).toBe(1);
  });

  test("rejects another body under a bound key and counts it as one of five attempts, after which the token is out of reach", async () => {
    for (const [wrong, expected] of [
      [4, "ok"],
      [5, "not ok"],
    ] as const) {
      const [phone, headers] = [newPhone(), newKey()];
      const code = await requestCode(phone, { ip: newIp() });
      expect(codeOf(await guess(phone, code, { headers }))).toBe("ok");
      for (let i = 0; i < wrong; i++) {
        const answer = await guess(phone, otherThan(code), { headers });
        expect([answer.status, codeOf(answer)]).toEqual([409, "idempotency_key_reused"]);
      }
      expect(codeOf(await guess(phone, code, { headers })) === "ok").toBe(expected === "ok");
    }
  });

  test("locks a network after wrong attempts under a bound key", async () => {
    const [phone, headers, ip] = [newPhone(), newKey(), newIp()];
    const code = await requestCode(phone, { ip });
    await guess(phone, code, { headers, ip });
    for (let i = 0; i < 5; i++) await guess(phone, otherThan(code), { headers, ip });
    expect(codeOf(await guess(phone, otherThan(code), { headers, ip }))).toBe("rate_limit_exceeded");
    expect(codeOf(await guess(phone, code, { headers, ip }))).toBe("rate_limit_exceeded");
  });
});
