import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { newEmail, newIp, newPhone, signUp, testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { FALLBACK, fakeInternet, fallback, type Host, SPARROW, sparrow, sparrowRefusal } from "../support/internet.ts";
import { closeBreakers, productionEnv, providerVars } from "../support/production.ts";
import { requestAndKeep } from "../support/queue.ts";
import { Simulation } from "../support/simulator/simulation.ts";

beforeEach(closeBreakers);
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const emailEnv = () => ({ EMAIL: { send: async () => ({ messageId: "any" }) } as unknown as SendEmail });

/** Delivers one code and returns the rows that each round trip to D1 wrote. */
async function tripsOf(identifier: string, hosts: { sparrow: Host; fallback: Host } = { sparrow, fallback }) {
  const env = { ...providerVars, ...emailEnv() } as unknown as Partial<Env>;
  const body = await requestAndKeep(identifier, productionEnv(emailEnv()));
  fakeInternet({ [SPARROW]: hosts.sparrow, [FALLBACK]: hosts.fallback });
  const simulation = new Simulation(1);
  simulation.queue.held.push({ id: "m", body, attempts: 1 });
  await simulation.deliver(1, { env });
  return simulation.log.map(({ rowsWritten }) => rowsWritten);
}

describe("A delivery by the queue in production", () => {
  beforeEach(async () => {
    // The day's rows exist.
    for (const identifier of [newPhone(), newEmail()]) await tripsOf(identifier);
  });

  test("takes two round trips to D1: claim and budget write a row each before the call, the outcome one after it", async () => {
    const { identifier } = await signUp(newPhone(), { ip: newIp() });
    stopClock({ at: Date.now() + 2 * 3_600_000 });
    for (const each of [identifier, newEmail()]) expect(await tripsOf(each)).toEqual([2, 1]);
  });

  test("takes one more round trip if a second provider is called, and none if there is nothing to call", async () => {
    expect(await tripsOf(newPhone(), { sparrow: () => sparrowRefusal(1012), fallback })).toHaveLength(3);
    await testEnv.DB.prepare("update provider_breakers set opened_until = ?")
      .bind(Date.now() + 30_000)
      .run();
    await testEnv.DB.prepare("insert into provider_breakers values ('sms-fallback', 5, '[]', null, ?, 0)")
      .bind(Date.now() + 30_000)
      .run();
    const blocked = await tripsOf(newPhone());
    expect(blocked).toEqual([0]);
  });

  test("writes nothing to a closed breaker", async () => {
    await tripsOf(newPhone());
    const rows = await testEnv.DB.prepare("select * from provider_breakers").all();
    expect(rows.results).toEqual([]);
  });
});
