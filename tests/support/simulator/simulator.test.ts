import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { useClock } from "../clock.ts";
import type { BindingCall, Fault } from "./scheduler.ts";
import { type FetchHandler, type QueueHandler, Simulation } from "./simulation.ts";

useClock({ timers: true });

/** Writes or reads one KV key, or appends a row and counts, depending on the path. */
const probe: FetchHandler = async (request, bindings) => {
  const { pathname, searchParams } = new URL(request.url);
  const key = searchParams.get("key") ?? "";
  if (pathname === "/put") await bindings.KV.put(key, "new");
  if (pathname === "/get") return Response.json({ value: await bindings.KV.get(key) });
  if (pathname === "/object") {
    await bindings.KYC_BUCKET.put(key, "bytes");
    return Response.json({ size: (await bindings.KYC_BUCKET.head(key))?.size });
  }
  if (pathname === "/row") {
    await bindings.DB.prepare("insert into familiar_networks values (?, ?, 0)").bind(key, crypto.randomUUID()).run();
    await bindings.OTP_QUEUE.send({ key });
  }
  return Response.json({ ok: true });
};

const rows = (key: string) =>
  env.DB.prepare("select count(*) as n from familiar_networks where identifier = ?").bind(key).first<number>("n");

describe("the simulated edge", () => {
  it("orders calls by the seed", async () => {
    const order = async (seed: number) => {
      const simulation = new Simulation(seed, probe);
      await simulation.race(Array.from({ length: 20 }, () => ({ method: "POST", path: `/row?key=order${seed}` })));
      await simulation.race(Array.from({ length: 20 }, () => ({ method: "POST", path: `/row?key=order${seed}` })));
      const log = simulation.log.map(({ invocation, operation }) => `${invocation.id} ${operation}`);
      return log.join();
    };
    const first = await order(7);
    expect(await order(7)).toBe(first);
    expect(await order(8)).not.toBe(first);
  });

  it("shows KV writes at their own location at once and elsewhere after a minute, and caches absence too", async () => {
    const simulation = new Simulation(1, probe);
    const get = async (location: number) => {
      const answer = await simulation.call("GET", "/get?key=stale", {}, { location });
      return answer === "died" ? answer : answer.body.value;
    };
    expect(await get(1)).toBe(null);
    await simulation.call("POST", "/put?key=stale", {}, { location: 0 });
    expect(await get(0)).toBe("new");
    expect(await get(1), "absence is cached").toBe(null);
    const elsewhere = await Promise.all(Array.from({ length: 40 }, (_, i) => i + 2).map(async (at) => get(at)));
    expect(new Set(elsewhere), "some locations see the write early, most do not").toEqual(new Set([null, "new"]));
    vi.setSystemTime(Date.now() + 60_000);
    expect(await get(1)).toBe("new");
    expect(await get(2)).toBe("new");
  });

  it("interleaves calls: a hundred read-modify-write clients lose updates, but none in a calm simulation", async () => {
    const add: FetchHandler = async (_request, bindings) => {
      const select = bindings.DB.prepare("select guesses from network_guess_limits where network = 'counter'");
      const guesses = Number(await select.first("guesses"));
      await bindings.DB.prepare("insert or replace into network_guess_limits values ('counter', 0, ?)")
        .bind(guesses + 1)
        .run();
      return Response.json({});
    };
    const total = async (isCalm: boolean, seed: number) => {
      await env.DB.prepare("delete from network_guess_limits where network = 'counter'").run();
      await new Simulation(seed, add, isCalm).race(Array.from({ length: 100 }, () => ({ method: "POST", path: "/" })));
      return env.DB.prepare("select guesses from network_guess_limits where network = 'counter'").first("guesses");
    };
    for (const seed of [1, 2, 3]) {
      expect(await total(true, seed)).toBe(100);
      expect(await total(false, seed)).toBeLessThan(60);
    }
  });

  it("keeps R2 consistent everywhere", async () => {
    const simulation = new Simulation(1, probe);
    const answer = await simulation.call("POST", "/object?key=object", {}, { location: 3 });
    expect(answer).toMatchObject({ body: { size: 5 } });
  });

  it.each<[Fault, number, number]>([
    ["throw-before", 500, 0],
    ["throw-after", 500, 1],
    ["die-before", 0, 0],
    ["die-after", 0, 1],
  ])("a call with the fault %s fails, before or after its effect", async (fault, status, effects) => {
    const simulation = new Simulation(1, probe);
    const faults = ({ binding }: BindingCall) => (binding === "D1" ? fault : undefined);
    const answer = await simulation.call("POST", `/row?key=${fault}`, {}, { faults });
    expect(answer === "died" ? 0 : answer.status).toBe(status);
    expect(await rows(fault)).toBe(effects);
    expect(simulation.queue.held).toEqual([]);
  });

  it.each<[Fault, number]>([
    ["hang-before", 0],
    ["hang-after", 1],
  ])("a call with the fault %s waits until the deadline of its handler and no longer", async (fault, effects) => {
    const patient: FetchHandler = async (request, bindings, context) => {
      const deadline = new Promise<Response>((resolve) => {
        setTimeout(() => resolve(Response.json({}, { status: 503 })), 10_000);
      });
      return Promise.race([probe(request, bindings, context), deadline]);
    };
    const startedAt = Date.now();
    const simulation = new Simulation(1, patient);
    simulation.scheduler.passTime = () => vi.getTimerCount() > 0 && Boolean(vi.advanceTimersToNextTimer());
    const faults = ({ binding }: BindingCall) => (binding === "D1" ? fault : undefined);
    expect(await simulation.call("POST", `/row?key=${fault}`, {}, { faults })).toMatchObject({ status: 503 });
    expect(Date.now() - startedAt).toBe(10_000);
    expect(await rows(fault)).toBe(effects);
  });

  it("reports a hanging call without a deadline", async () => {
    const simulation = new Simulation(1, probe);
    const faults = () => "hang-before" as const;
    await expect(simulation.call("GET", "/get?key=hanging", {}, { faults })).rejects.toThrow(
      "a binding call hangs, and nobody set it a deadline",
    );
  });

  it("refuses calls with the binding's own error, and returns stale KV reads", async () => {
    const simulation = new Simulation(1, probe, true);
    const refused = await simulation.call("POST", "/put?key=refused", {}, { faults: () => "refuse" });
    expect(refused).toMatchObject({ status: 500 });
    await simulation.call("POST", "/put?key=seen");
    expect(await simulation.call("GET", "/get?key=refused")).toMatchObject({ body: { value: null } });
    expect(await simulation.call("GET", "/get?key=seen")).toMatchObject({ body: { value: "new" } });
    const stale = await simulation.call("GET", "/get?key=seen", {}, { faults: () => "stale" });
    expect(stale).toMatchObject({ body: { value: null } });
  });

  it("redelivers messages that were not acknowledged or whose invocation failed", async () => {
    const messages = ["a", "b", "c"].map((id) => ({ id, body: {}, attempts: 1 }));
    const simulation = new Simulation(1);
    const consumer: QueueHandler = async (batch) => {
      batch.messages[0]?.ack();
      batch.messages[1]?.retry();
    };
    const again = async (handler: QueueHandler) =>
      (await simulation.hand("tasks", messages, { consumer: handler })).map(({ id, attempts }) => `${id}${attempts}`);
    expect(await again(consumer)).toEqual(["b2"]);
    const failing: QueueHandler = async (...given) => {
      await consumer(...given);
      throw new Error("failed");
    };
    expect(await again(failing)).toEqual(["b2", "c2"]);
  });
});
