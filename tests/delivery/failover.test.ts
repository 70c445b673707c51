import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newPhone } from "../support/client.ts";
import {
  FALLBACK,
  fakeInternet,
  fallback,
  type Host,
  type Outgoing,
  SPARROW,
  sparrow,
  sparrowRefusal,
} from "../support/internet.ts";
import {
  closeBreakers,
  databaseLosingAnswersOf,
  databaseWithout,
  productionEnv,
  recordLog,
  SETTLING_A_CODE,
  stopTime,
} from "../support/production.ts";
import { acknowledged, consume, requestAndKeep, retried, type Sent } from "../support/queue.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const env = productionEnv();
const failing: Host = () => new Response("canary", { status: 500 });

const messages = (count: number) => Promise.all(Array.from({ length: count }, () => requestAndKeep(newPhone(), env)));

/** Message ids of a host's requests, sorted. */
const idsOf = (requests: { body: string }[]) => requests.map(({ body }) => JSON.parse(body).id).sort();

describe("Failover", () => {
  test("does not call the second provider if the first accepts the message", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(acknowledged);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
  });

  test("passes a refused message to the second provider at once, and only once under redelivery", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1013), [FALLBACK]: fallback });
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => consume([message], env)));
    expect(outcomes.filter(({ acked }) => acked.length > 0).length).toBeGreaterThan(0);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(received[FALLBACK]).toHaveLength(1);
  });

  test("makes at most two attempts with unknown outcomes, across providers and redeliveries", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: failing });
    const outcomes = [];
    for (let attempt = 1; attempt <= 4; attempt++) outcomes.push(await consume([message], env, attempt));
    expect(outcomes).toEqual([retried, acknowledged, acknowledged, acknowledged]);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
  });

  test("allows one more attempt after an unknown outcome and a refusal", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: () => new Response(null, { status: 429 }) });
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([2, 1]);
  });

  test("does not count a definite refusal: two attempts with unknown outcomes may still follow", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1012), [FALLBACK]: failing });
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([2, 2]);
  });

  test("gives a refused attempt back only once if the answer of the database is lost", async () => {
    const [message] = await messages(1);
    fakeInternet({ [SPARROW]: () => sparrowRefusal(1012), [FALLBACK]: () => new Response(null, { status: 429 }) });
    const forgetful = { ...env, ...databaseLosingAnswersOf(/"send_attempts" - 1/) };
    expect(await consume([message], forgetful)).toEqual(retried);
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: failing });
    for (let attempt = 1; attempt <= 4; attempt++) await consume([message], env, attempt);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
  });

  test("allows one more attempt after 30 seconds if the consumer dies after calling the provider", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const forgetful = { ...env, ...databaseWithout(SETTLING_A_CODE) };
    expect(await consume([message], forgetful)).toEqual(retried);
    expect(await consume([message], env)).toEqual(retried);
    expect(received[SPARROW]).toHaveLength(1);
    clock.advance(30_000);
    expect(await consume([message], forgetful)).toEqual(retried);
    clock.advance(30_000);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(2);
  });

  test("does not pass a code to the second provider if it expires while the first does not answer", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    clock.advance(5 * 60_000 - 4_000);
    const silent: Host = () => {
      queueMicrotask(() => clock.advance(5_000));
      return new Promise(() => {});
    };
    const received = fakeInternet({ [SPARROW]: silent, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(retried);
    expect(await consume([message], env)).toEqual(acknowledged);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
  });

  test("does not send an expired code", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    clock.advance(5 * 60_000);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(acknowledged);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([0, 0]);
  });
});

describe("The circuit breaker", () => {
  /** Opens Sparrow's breaker with the required number of failures. */
  async function open(host: Host = failing) {
    const received = fakeInternet({ [SPARROW]: host, [FALLBACK]: fallback });
    for (const message of await messages(5)) expect(await consume([message], env)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(5);
    vi.restoreAllMocks();
  }

  /** Delivers one more message and returns how often Sparrow was called for it. */
  async function callsForOne(host: Host = sparrow): Promise<number> {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: host, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(acknowledged);
    expect((received[SPARROW]?.length ?? 0) + (received[FALLBACK]?.length ?? 0)).toBeGreaterThan(0);
    vi.restoreAllMocks();
    return received[SPARROW]?.length ?? 0;
  }

  test("opens after five consecutive failures, refusals and unknown outcomes alike; the other provider takes over", async () => {
    for (const host of [failing, () => sparrowRefusal(1002)]) {
      await closeBreakers();
      const clock = stopTime();
      await open(host);
      expect(await callsForOne()).toBe(0);
      clock.advance(29_900);
      expect(await callsForOne()).toBe(0);
      vi.useRealTimers();
    }
  });

  test("starts counting again after a success or a refused number", async () => {
    stopTime();
    for (const alive of [sparrow, () => sparrowRefusal(1007)]) {
      await closeBreakers();
      for (let i = 0; i < 4; i++) await callsForOne(failing);
      await callsForOne(alive);
      for (let i = 0; i < 4; i++) expect(await callsForOne(failing)).toBe(1);
      expect(await callsForOne(sparrow)).toBe(1);
    }
  });

  test("admits exactly one of twenty parallel messages after 30 seconds and closes on its success", async () => {
    const clock = stopTime();
    await open();
    const twenty = await messages(20);
    clock.advance(30_000);
    let reached = 0;
    let release = () => {};
    const othersSent = new Promise<void>((resolve) => {
      release = resolve;
    });
    const received = fakeInternet({
      [SPARROW]: async (request: Outgoing) => {
        await othersSent;
        return sparrow(request);
      },
      [FALLBACK]: (request: Outgoing) => {
        reached += 1;
        if (reached === 19) release();
        return fallback(request);
      },
    });
    const outcomes = await Promise.all(twenty.map((message) => consume([message], env)));
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => acknowledged));
    expect(received[SPARROW]).toHaveLength(1);
    const ids = idsOf(received[FALLBACK] ?? []);
    expect(ids).toHaveLength(19);
    expect(new Set(ids).size).toBe(19);
    vi.restoreAllMocks();
    expect(await callsForOne()).toBe(1);
    expect(await callsForOne()).toBe(1);
  });

  test("stays open for another 30 seconds if the probe fails", async () => {
    const clock = stopTime();
    await open();
    clock.advance(30_000);
    expect(await callsForOne(failing)).toBe(1);
    expect(await callsForOne()).toBe(0);
    clock.advance(30_000);
    expect(await callsForOne()).toBe(1);
    expect(await callsForOne()).toBe(1);
  });

  test("stays open if the probing invocation dies, and admits another probe after 30 seconds", async () => {
    const clock = stopTime();
    await open();
    clock.advance(30_000);
    const [message] = await messages(1);
    fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    await consume([message], { ...env, ...databaseWithout(/^update "provider_breakers" set "failures"/i) });
    vi.restoreAllMocks();
    expect(await callsForOne()).toBe(0);
    clock.advance(30_000);
    expect(await callsForOne()).toBe(1);
  });

  test("keeps a message waiting without counting an attempt while all breakers are open, and sends it once one closes", async () => {
    const clock = stopTime();
    const waiting = (await messages(1))[0] as Sent;
    const refusing = fakeInternet({ [SPARROW]: () => sparrowRefusal(1012), [FALLBACK]: failing });
    for (const message of await messages(5)) await consume([message], env);
    const calls = [refusing[SPARROW]?.length, refusing[FALLBACK]?.length];
    const lines = recordLog();
    for (let attempt = 1; attempt <= 4; attempt++) expect(await consume([waiting], env, attempt)).toEqual(retried);
    expect([refusing[SPARROW]?.length, refusing[FALLBACK]?.length]).toEqual(calls);
    const skipped = lines.filter(({ event }) => event === "delivery_skipped").map(({ provider }) => provider);
    expect(skipped).toEqual(Array.from({ length: 4 }, () => ["sparrow", "sms-fallback"]).flat());
    vi.restoreAllMocks();
    clock.advance(30_000);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([waiting], env)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(1);
  });

  test("blocks calls without counting attempts if it cannot be read, and does not block them if it cannot be written", async () => {
    const [message, other] = (await messages(2)) as [Sent, Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const unreadable = { ...env, ...databaseWithout(/"provider_breakers"/i) };
    for (let attempt = 1; attempt <= 3; attempt++) expect(await consume([message], unreadable)).toEqual(retried);
    expect(received[SPARROW]).toHaveLength(0);
    expect(await consume([message], env)).toEqual(acknowledged);
    const unwritable = { ...env, ...databaseWithout(/^update "provider_breakers" set "failures"/i) };
    expect(await consume([other], unwritable)).toEqual(acknowledged);
    expect(received[SPARROW]).toHaveLength(2);
  });
});
