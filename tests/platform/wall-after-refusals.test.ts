import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type CallOptions, call, newIp, newPhone, stopClock, testEnv, verify } from "../support/client.ts";

let clock: ReturnType<typeof stopClock>;
beforeEach(() => {
  clock = stopClock();
});
afterEach(() => vi.useRealTimers());

/** A limiter that lets so many calls of a network pass, and D1 that counts its trips. */
function walled(passing: number) {
  const asked = new Map<string, number>();
  const limit = async ({ key }: { key: string }) => {
    asked.set(key, (asked.get(key) ?? 0) + 1);
    return { success: (asked.get(key) ?? 0) <= passing };
  };
  let trips = 0;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name === "batch") trips += 1;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { env: { RATE_LIMITER: { limit } as RateLimit, DB }, asked, trips: () => trips };
}

async function proof(options: CallOptions) {
  const identifier = newPhone();
  return { identifier, verification_token: await verify(identifier, options) };
}

test("who signs up and in does not meet the limiter", async () => {
  const { env, asked } = walled(0);
  const ip = newIp();
  const json = await proof({ ip });
  expect((await call("POST", "/api/auth/register", { ip, env, json })).status).toBe(201);
  clock.advance(61_000);
  const again = { ...json, verification_token: await verify(json.identifier, { ip }) };
  expect((await call("POST", "/api/auth/login", { ip, env, json: again })).status).toBe(200);
  expect(asked.size).toBe(0);
});

test.each(["register", "login"])(
  "refusals of %s are counted by network, and beyond the limit D1 is not asked",
  async (step) => {
    const { env, asked, trips } = walled(3);
    const [ip, other] = [newIp(), newIp()];
    // Genuine, and of somebody else: only the database can tell.
    const { verification_token } = await proof({ ip: newIp() });
    const refused = (from: string) =>
      call("POST", `/api/auth/${step}`, { ip: from, env, json: { identifier: newPhone(), verification_token } });
    for (let i = 0; i < 4; i++) expect((await refused(ip)).body.error.code).toBe("invalid_token");
    expect([...asked.values()]).toEqual([4]);
    const before = trips();
    const shut = await refused(ip);
    expect([shut.status, shut.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
    expect(Number(shut.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(trips()).toBe(before);
    expect((await refused(other)).status).toBe(400);
    clock.advance(60_001);
    expect((await refused(ip)).status).toBe(400);
  },
);

test("an outage is not counted: who repeats a call until it is over gets in", async () => {
  const { env, asked } = walled(0);
  const ip = newIp();
  const json = await proof({ ip });
  const DB = { prepare: () => ({ bind: () => ({}) }), batch: () => Promise.reject(new Error("D1")) };
  const away = { ...env, DB: DB as unknown as D1Database };
  for (let i = 0; i < 3; i++)
    expect((await call("POST", "/api/auth/register", { ip, env: away, json })).status).toBe(503);
  expect((await call("POST", "/api/auth/register", { ip, env, json })).status).toBe(201);
  expect(asked.size).toBe(0);
});

test.each([
  ["fails", async () => Promise.reject(new Error("limiter"))],
  ["is not bound", undefined],
] as const)("a limiter that %s changes no answer", async (_, limit) => {
  const env = { RATE_LIMITER: limit && ({ limit } as unknown as RateLimit) } as Partial<Env>;
  const json = { identifier: newPhone(), verification_token: "x" };
  for (let i = 0; i < 3; i++) {
    expect((await call("POST", "/api/auth/login", { ip: "10.250.1.1", env, json })).status).toBe(400);
  }
});
