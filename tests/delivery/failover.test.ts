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
import { closeBreakers, databaseWithout, productionEnv, recordLog, stopTime } from "../support/production.ts";
import { consume, requestAndKeep, type Sent } from "../support/queue.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const taken = { acked: [0], retried: [] };
const again = { acked: [], retried: [0] };
const env = productionEnv();
const failing: Host = () => new Response("canary", { status: 500 });

const messages = (count: number) => Promise.all(Array.from({ length: count }, () => requestAndKeep(newPhone(), env)));

/** Requests that a host gets for each message, by the event's id. */
const idsOf = (requests: { body: string }[]) => requests.map(({ body }) => JSON.parse(body).id).sort();

describe("Failover", () => {
  test("the first provider takes the message, and the second never hears of it", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(taken);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
  });

  test("what the first refuses goes to the second, at once and once, however often it is delivered", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1013), [FALLBACK]: fallback });
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => consume([message], env)));
    expect(outcomes.filter(({ acked }) => acked.length > 0).length).toBeGreaterThan(0);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
    expect(await consume([message], env)).toEqual(taken);
    expect(received[FALLBACK]).toHaveLength(1);
  });

  test("a message that nobody can say was sent is tried twice in all, over providers and deliveries", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: failing });
    const outcomes = [];
    for (let attempt = 1; attempt <= 4; attempt++) outcomes.push(await consume([message], env, attempt));
    expect(outcomes).toEqual([again, taken, taken, taken]);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 1]);
  });

  test("after one unknown outcome and a refusal one more try is left", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: failing, [FALLBACK]: () => new Response(null, { status: 429 }) });
    expect(await consume([message], env)).toEqual(again);
    expect(await consume([message], env)).toEqual(again);
    expect(await consume([message], env)).toEqual(taken);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([2, 1]);
  });

  test("a certain refusal costs no try: two that are unknown may still follow", async () => {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: () => sparrowRefusal(1012), [FALLBACK]: failing });
    expect(await consume([message], env)).toEqual(again);
    expect(await consume([message], env)).toEqual(again);
    expect(await consume([message], env)).toEqual(taken);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([2, 2]);
  });

  test("a consumer that dies after the provider was called leaves one more try, half a minute later", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const forgetful = { ...env, ...databaseWithout(/^update "deliveries"/i) };
    expect(await consume([message], forgetful)).toEqual(again);
    expect(await consume([message], env)).toEqual(again);
    expect(received[SPARROW]).toHaveLength(1);
    clock.advance(30_000);
    expect(await consume([message], forgetful)).toEqual(again);
    clock.advance(30_000);
    expect(await consume([message], env)).toEqual(taken);
    expect(received[SPARROW]).toHaveLength(2);
  });

  test("a code that expires while the first provider is silent is not given to the second", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    clock.advance(5 * 60_000 - 4_000);
    const silent: Host = () => {
      queueMicrotask(() => clock.advance(5_000));
      return new Promise(() => {});
    };
    const received = fakeInternet({ [SPARROW]: silent, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(again);
    expect(await consume([message], env)).toEqual(taken);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([1, 0]);
  });

  test("a code that has expired is given to nobody", async () => {
    const clock = stopTime();
    const [message] = await messages(1);
    clock.advance(5 * 60_000);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(taken);
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([0, 0]);
  });
});

describe("The circuit breaker", () => {
  /** Opens Sparrow's breaker by as many failures as it takes. */
  async function open(host: Host = failing) {
    const received = fakeInternet({ [SPARROW]: host, [FALLBACK]: fallback });
    for (const message of await messages(5)) expect(await consume([message], env)).toEqual(taken);
    expect(received[SPARROW]).toHaveLength(5);
    vi.restoreAllMocks();
  }

  /** Gives one more message to the consumer; tells how often Sparrow was called for it. */
  async function callsForOne(host: Host = sparrow): Promise<number> {
    const [message] = await messages(1);
    const received = fakeInternet({ [SPARROW]: host, [FALLBACK]: fallback });
    expect(await consume([message], env)).toEqual(taken);
    expect((received[SPARROW]?.length ?? 0) + (received[FALLBACK]?.length ?? 0)).toBeGreaterThan(0);
    vi.restoreAllMocks();
    return received[SPARROW]?.length ?? 0;
  }

  test("five failures in a row open it, refusals like unknown outcomes; the other provider carries on", async () => {
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

  test("a success or a refused number in between starts the row anew", async () => {
    stopTime();
    for (const alive of [sparrow, () => sparrowRefusal(1007)]) {
      await closeBreakers();
      for (let i = 0; i < 4; i++) await callsForOne(failing);
      await callsForOne(alive);
      for (let i = 0; i < 4; i++) expect(await callsForOne(failing)).toBe(1);
      expect(await callsForOne(sparrow)).toBe(1);
    }
  });

  test("after half a minute exactly one of twenty parallel messages tries it, and its success closes it", async () => {
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
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => taken));
    expect(received[SPARROW]).toHaveLength(1);
    const ids = idsOf(received[FALLBACK] ?? []);
    expect(ids).toHaveLength(19);
    expect(new Set(ids).size).toBe(19);
    vi.restoreAllMocks();
    expect(await callsForOne()).toBe(1);
    expect(await callsForOne()).toBe(1);
  });

  test("a try that fails leaves it open for another half minute", async () => {
    const clock = stopTime();
    await open();
    clock.advance(30_000);
    expect(await callsForOne(failing)).toBe(1);
    expect(await callsForOne()).toBe(0);
    clock.advance(30_000);
    expect(await callsForOne()).toBe(1);
    expect(await callsForOne()).toBe(1);
  });

  test("a try whose invocation dies keeps it open, and the next half minute has a try of its own", async () => {
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

  test("with every provider's open the message waits, costs no try and leaves once one is closed", async () => {
    const clock = stopTime();
    const waiting = (await messages(1))[0] as Sent;
    const refusing = fakeInternet({ [SPARROW]: () => sparrowRefusal(1012), [FALLBACK]: failing });
    for (const message of await messages(5)) await consume([message], env);
    const calls = [refusing[SPARROW]?.length, refusing[FALLBACK]?.length];
    for (let attempt = 1; attempt <= 4; attempt++) expect(await consume([waiting], env, attempt)).toEqual(again);
    expect([refusing[SPARROW]?.length, refusing[FALLBACK]?.length]).toEqual(calls);
    vi.restoreAllMocks();
    clock.advance(30_000);
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    expect(await consume([waiting], env)).toEqual(taken);
    expect(received[SPARROW]).toHaveLength(1);
  });

  test("one that cannot be read lets nobody through, and costs no try; one that cannot be written holds nothing up", async () => {
    const [message, other] = (await messages(2)) as [Sent, Sent];
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: fallback });
    const lines = recordLog();
    const unreadable = { ...env, ...databaseWithout(/"provider_breakers"/i) };
    for (let attempt = 1; attempt <= 3; attempt++) expect(await consume([message], unreadable)).toEqual(again);
    expect(received[SPARROW]).toHaveLength(0);
    expect(await consume([message], env)).toEqual(taken);
    const unwritable = { ...env, ...databaseWithout(/^update "provider_breakers" set "failures"/i) };
    expect(await consume([other], unwritable)).toEqual(taken);
    expect(received[SPARROW]).toHaveLength(2);
    expect(lines.map(({ event }) => event)).toContain("delivery_skipped");
  });
});
