import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BindingCall, Fault } from "./scheduler.ts";
import { type FetchHandler, Simulation } from "./simulation.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

/** Puts or reads one KV key, or appends a row and counts; whichever the path says. */
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
  it("gives the same order of calls for the same seed, and another for another", async () => {
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

  it("shows a write at its own location at once, and elsewhere after a minute, absence being cached too", async () => {
    const simulation = new Simulation(1, probe);
    const get = async (location: number) => {
      const answer = await simulation.call("GET", "/get?key=stale", {}, { location });
      return answer === "died" ? answer : answer.body.value;
    };
    expect(await get(1)).toBe(null);
    await simulation.call("POST", "/put?key=stale", {}, { location: 0 });
    expect(await get(0)).toBe("new");
    expect(await get(1)).toBe(null);
    expect(await get(2)).toBe(null);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await get(1)).toBe("new");
    expect(await get(2)).toBe("new");
  });

  it("keeps R2 consistent everywhere", async () => {
    const simulation = new Simulation(1, probe);
    const answer = await simulation.call("POST", "/object?key=object", {}, { location: 3 });
    expect(answer).toMatchObject({ body: { size: 5 } });
  });

  it.each<[Fault, number, number, boolean]>([
    ["throw-before", 500, 0, false],
    ["throw-after", 500, 1, false],
    ["die-before", 0, 0, false],
    ["die-after", 0, 1, false],
  ])("lets a call %s its effect", async (fault, status, effects, sent) => {
    const simulation = new Simulation(1, probe);
    const faults = ({ binding }: BindingCall) => (binding === "D1" ? fault : undefined);
    const answer = await simulation.call("POST", `/row?key=${fault}`, {}, { faults });
    expect(answer === "died" ? 0 : answer.status).toBe(status);
    expect(await rows(fault)).toBe(effects);
    expect(simulation.queue.held.length > 0).toBe(sent);
  });
});
