import { afterEach, describe, expect, test, vi } from "vitest";
import wranglerToml from "../../../wrangler.toml?raw";
import { call, newEmail, newIp, newPhone, readCode, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { newId } from "../../support/ids.ts";
import { SETTLING_A_CODE } from "../../support/production.ts";
import { consume, keepingQueue, requestAndKeep, type Sent } from "../../support/queue.ts";
import { tick } from "../../support/tasks.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The smallest value of a setting of the OTP queue's consumers in wrangler.toml. */
function queueSetting(name: string): number {
  const consumers = wranglerToml
    .split(/^\[\[/m)
    .filter((block) => /consumers\]\]\s+queue = "(users-)?otp"/.test(block));
  const values = consumers.map((block) => Number(new RegExp(`^${name} = (\\d+)$`, "m").exec(block)?.[1]));
  return Math.min(...values);
}

const TTL_MS = 5 * 60_000;
const MINUTE_MS = 60_000;

const queueDown = () => {
  const fail = async () => {
    throw new Error("Queue is overloaded");
  };
  return { OTP_QUEUE: { send: fail, sendBatch: fail } as unknown as Env["OTP_QUEUE"] };
};

/**
 * The database with matching statements failing before they run; `seen` counts the statements that match `counting`.
 */
function databaseWith({ failing, counting }: { failing?: RegExp; counting?: RegExp }) {
  let seen = 0;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name !== "prepare") return Reflect.get(target, name).bind(target);
      return (statement: string) => {
        if (counting?.test(statement)) seen += 1;
        if (failing?.test(statement)) throw new Error("D1_ERROR: Network connection lost.");
        return target.prepare(statement);
      };
    },
  });
  return { env: { DB }, seen: () => seen };
}

/** Neither the provider nor the queue works. */
const undelivered = () => ({ ...queueDown(), ...databaseWith({ failing: /insert into "local_outbox"/i }).env });

function requestOtp(identifier: string, env: Partial<Env> = {}) {
  return call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, env });
}

async function countDeadLetters(): Promise<number> {
  return (await testEnv.DB.prepare("select count(*) as n from dead_letters").first<number>("n")) ?? 0;
}

/** The messages that the recipient got. */
async function received(identifier: string): Promise<{ text: string; code: string }[]> {
  const path = `/dev/outbox?to=${encodeURIComponent(identifier)}`;
  const answer = await call("GET", path, { headers: { accept: "application/json" } });
  return answer.body.messages;
}

/** Number of sealed codes stored for the identifier. */
async function keptFor(identifier: string): Promise<number> {
  const row = await testEnv.DB.prepare(
    "select count(*) as n from otp_challenges where identifier = ? and sealed_code is not null",
  )
    .bind(identifier)
    .first<{ n: number }>();
  return row?.n ?? 0;
}

describe("Publishing", () => {
  test("sends a code right after the response, without the cron", async () => {
    const identifier = newPhone();
    expect((await requestOtp(identifier)).status).toBe(200);
    const code = await readCode(identifier);
    expect(await received(identifier)).toMatchObject([{ code, text: expect.stringContaining(code) }]);
  });

  test("sends a code even if KV fails", async () => {
    const fail = () => Promise.reject(new Error("KV PUT failed: 429"));
    const identifier = newPhone();
    const KV = { get: fail, put: fail, delete: fail } as unknown as Env["KV"];
    expect((await requestOtp(identifier, { KV })).status).toBe(200);
    expect(await received(identifier)).toHaveLength(1);
  });

  test("a queue failure does not change the response, and the next cron tick sends a code that still works", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    const usual = await requestOtp(newPhone());
    const answer = await requestOtp(identifier, undelivered());
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(usual.body);
    expect(await received(identifier)).toEqual([]);
    clock.advance(MINUTE_MS);
    await tick();
    const otp = await readCode(identifier);
    const proof = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json: { identifier, otp } });
    expect(proof.status).toBe(200);
  });

  test("R14: only the invocation that leases an event publishes it; after the lease exactly one of many does", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    await requestOtp(identifier, undelivered());
    const { sent, env } = keepingQueue(identifier);
    await tick(env);
    expect(sent).toEqual([]);
    clock.advance(MINUTE_MS);
    await Promise.all(Array.from({ length: 8 }, () => tick(env)));
    expect(sent).toHaveLength(1);
    await consume(sent);
    clock.advance(MINUTE_MS);
    await tick(env);
    expect(sent).toHaveLength(1);
  });

  test("if the queue fails in the cron too, a later tick sends the event", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    await requestOtp(identifier, undelivered());
    clock.advance(MINUTE_MS);
    await tick(queueDown());
    expect(await received(identifier)).toEqual([]);
    const { sent, env } = keepingQueue(identifier);
    clock.advance(MINUTE_MS);
    await tick(env);
    expect(sent).toHaveLength(1);
    await consume(sent);
    expect(await received(identifier)).toHaveLength(1);
  });

  test("a queue that accepts a message but fails still leads to one message to the recipient", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    const { sent, env } = keepingQueue(identifier);
    const takesAndFails = async (messages: Iterable<{ body: Sent }>) => {
      await env.OTP_QUEUE.sendBatch(messages);
      throw new Error("Network connection lost");
    };
    const lossy = { OTP_QUEUE: { sendBatch: takesAndFails } as unknown as Env["OTP_QUEUE"] };
    expect((await requestOtp(identifier, { ...undelivered(), ...lossy })).status).toBe(200);
    clock.advance(MINUTE_MS);
    await tick(env);
    expect(sent).toHaveLength(2);
    await consume([sent[0]]);
    await consume([sent[1]]);
    expect(await received(identifier)).toHaveLength(1);
  });
});

describe("The OTP consumer", () => {
  test("sends one message even if the queue message is redelivered or duplicated concurrently", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    const body = await requestAndKeep(identifier);
    const outcomes = await Promise.all([
      ...Array.from({ length: 7 }, () => consume([body])),
      consume([body, body, body]),
    ]);
    expect(outcomes.flatMap(({ acked, retried }) => [...acked, ...retried])).toHaveLength(10);
    expect(await received(identifier)).toHaveLength(1);
    clock.advance(MINUTE_MS);
    expect(await consume([body])).toEqual({ acked: [0], retried: [] });
    expect(await received(identifier)).toHaveLength(1);
  });

  test("does not send an expired code and acknowledges its message", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    const body = await requestAndKeep(identifier);
    clock.advance(TTL_MS);
    expect(await consume([body])).toEqual({ acked: [0], retried: [] });
    expect(await received(identifier)).toEqual([]);
  });

  test("retries after the provider refuses", async () => {
    const clock = stopClock();
    const identifier = newEmail();
    const body = await requestAndKeep(identifier);
    const refusing = databaseWith({ failing: /insert into "local_outbox"/i });
    for (let attempt = 1; attempt <= 4; attempt++) {
      expect(await consume([body], refusing.env, attempt)).toEqual({ acked: [], retried: [0] });
      clock.advance(3_000);
    }
    expect(await consume([body], {}, 5)).toEqual({ acked: [0], retried: [] });
    expect(await received(identifier)).toHaveLength(1);
  });

  test("repeats a send with an unrecorded outcome at most once", async () => {
    const clock = stopClock();
    const body = await requestAndKeep();
    const forgetful = databaseWith({ failing: SETTLING_A_CODE, counting: /insert into "local_outbox"/i });
    for (let attempt = 1; attempt <= 4; attempt++) {
      await consume([body], forgetful.env, attempt);
      clock.advance(MINUTE_MS);
    }
    expect(forgetful.seen()).toBeGreaterThan(0);
    expect(forgetful.seen()).toBeLessThanOrEqual(2);
  });

  test("dead-letters malformed and unknown messages and drops altered ones, without affecting other messages", async () => {
    const lines: string[] = [];
    for (const level of ["debug", "log", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.map(String).join(" ")));
    }
    const [first, last] = [newPhone(), newEmail()];
    const [good, better, unreadable] = [
      await requestAndKeep(first),
      await requestAndKeep(last),
      await requestAndKeep(),
    ];
    const altered = (change: Record<string, unknown>) => ({
      ...good,
      event_id: newId(),
      payload: JSON.stringify({ ...JSON.parse(good.payload), ...change }),
    });
    const bad = [
      null,
      "canary",
      42,
      [],
      {},
      { ...good, event_id: undefined },
      { ...good, payload: { to: "canary" } },
      { ...good, event_id: newId(), type: "canary.unheard_of" },
      { ...good, event_id: newId(), type: "__proto__" },
      { ...good, event_id: newId(), payload: "canary" },
      { ...good, event_id: newId(), payload: "{}" },
      altered({ to: 5 }),
      altered({ expires_at: "canary" }),
      altered({ cid: JSON.parse(better.payload).cid }),
      altered({ to: "canary" }),
      unreadable,
    ];
    await testEnv.DB.prepare("update otp_challenges set sealed_code = 'canary not base64url!' where cid = ?")
      .bind(JSON.parse(unreadable.payload).cid)
      .run();
    const bodies = [good, ...bad, better];
    const lettersBefore = await countDeadLetters();
    const { acked, retried } = await consume(bodies);
    expect(retried).toEqual([]);
    expect(acked).toEqual(bodies.map((_, i) => i));
    expect((await countDeadLetters()) - lettersBefore).toBe(13);
    const { results } = await testEnv.DB.prepare("select * from dead_letters where type = 'otp.requested'").all();
    expect(JSON.stringify(results)).not.toContain(first);
    expect(await received(first)).toHaveLength(1);
    expect(await received(last)).toHaveLength(1);
    expect(lines.length).toBeGreaterThanOrEqual(bodies.length);
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    expect(lines.filter((line) => line.includes("canary"))).toEqual([]);
    expect(lines.join("\n")).not.toContain(first.slice(4));
  });

  test("never dead-letters a code: it expires before its last attempt and is acknowledged", async () => {
    const clock = stopClock();
    const body = await requestAndKeep();
    const refusing = databaseWith({ failing: /insert into "local_outbox"/i });
    const lettersBefore = await countDeadLetters();
    // The first delivery and the queue's retries, each at least its delay later.
    let attempt = 1;
    while ((await consume([body], refusing.env, attempt)).retried.length > 0) {
      attempt += 1;
      clock.advance(queueSetting("retry_delay") * 1000);
    }
    expect(attempt).toBeGreaterThan(1);
    expect(attempt).toBeLessThanOrEqual(1 + queueSetting("max_retries"));
    expect(await countDeadLetters()).toBe(lettersBefore);
  });
});

describe("ASVS 16.2.5: storage of a code", () => {
  test("no message or row contains it in plain text", async () => {
    for (const identifier of [newPhone(), newEmail()]) {
      const body = await requestAndKeep(identifier);
      await consume([body]);
      const code = await readCode(identifier);
      const rows = [];
      for (const table of ["outbox", "otp_challenges", "deliveries", "otp_network_guards", "audit_logs"]) {
        rows.push(...(await testEnv.DB.prepare(`select * from ${table}`).all()).results);
      }
      const keys = (await testEnv.KV.list({ prefix: "otp:" })).keys.map(({ name }) => name);
      expect(keys.length).toBeGreaterThan(0);
      const values = await Promise.all(keys.map((key) => testEnv.KV.get(key)));
      const kept = JSON.stringify([body, rows, keys, values]);
      for (const form of [code, btoa(code), [...code].map((digit) => `3${digit}`).join("")]) {
        expect(kept).not.toMatch(new RegExp(`(?<![\\w-])${form}(?![\\w-])`));
      }
    }
  });

  test("it is erased once it is sent, by its request or by the queue", async () => {
    const [direct, queued] = [newPhone(), newPhone()];
    await requestOtp(direct);
    expect(await keptFor(direct)).toBe(0);
    const message = await requestAndKeep(queued);
    expect(await keptFor(queued)).toBe(1);
    await consume([message]);
    expect(await keptFor(queued)).toBe(0);
  });

  test("an unsent one is erased when it expires and is never sent afterwards", async () => {
    const clock = stopClock();
    const identifier = newPhone();
    await requestOtp(identifier, undelivered());
    expect(await keptFor(identifier)).toBe(1);
    for (let minute = 1; minute <= 4; minute++) {
      clock.advance(MINUTE_MS);
      await tick(queueDown());
    }
    clock.advance(MINUTE_MS);
    const { sent, env } = keepingQueue(identifier);
    await tick(env);
    expect(await keptFor(identifier)).toBe(0);
    clock.advance(MINUTE_MS);
    await tick(env);
    expect(sent).toEqual([]);
    expect(await received(identifier)).toEqual([]);
  });
});
