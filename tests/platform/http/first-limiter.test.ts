import { expect, test } from "vitest";
import {
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  requestCode,
  testEnv,
  verify,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";

const clock = useClock();

/** A limiter that allows `passing` calls per bucket, and a D1 binding that counts its round trips. */
function limitedTo(passing: number) {
  const counted = new Map<string, number>();
  const limit = async ({ key }: { key: string }) => {
    counted.set(key, (counted.get(key) ?? 0) + 1);
    return { success: (counted.get(key) ?? 0) <= passing };
  };
  let trips = 0;
  const DB = new Proxy(testEnv.DB, {
    get(target, name) {
      if (name === "batch") trips += 1;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { env: { RATE_LIMITER: { limit } as RateLimit, DB }, counted, trips: () => trips };
}

async function proof(options: CallOptions) {
  const identifier = newPhone();
  return { identifier, verification_token: await verify(identifier, options) };
}

test("successful register and login calls are not counted by the first limiter", async () => {
  const { env, counted } = limitedTo(0);
  const ip = newIp();
  const json = await proof({ ip });
  expect((await call("POST", "/api/auth/register", { ip, env, json })).status).toBe(201);
  clock.advance(61_000);
  const again = { ...json, verification_token: await verify(json.identifier, { ip }) };
  expect((await call("POST", "/api/auth/login", { ip, env, json: again })).status).toBe(200);
  expect(counted.size).toBe(0);
});

test.each(["register", "login"])(
  "refused %s calls with a genuine token are counted, and beyond the limit D1 is not queried",
  async (step) => {
    const { env, counted, trips } = limitedTo(3);
    const [ip, other] = [newIp(), newIp()];
    // Genuine, but issued for another identifier, which only the database can detect.
    const { verification_token } = await proof({ ip: newIp() });
    const refused = (from: string) =>
      call("POST", `/api/auth/${step}`, { ip: from, env, json: { identifier: newPhone(), verification_token } });
    for (let i = 0; i < 4; i++) expect((await refused(ip)).body.error.code).toBe("invalid_token");
    expect([...counted.values()]).toEqual([4]);
    const before = trips();
    const limited = await refused(ip);
    expect([limited.status, limited.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(trips()).toBe(before);
    expect((await refused(other)).status).toBe(400);
    clock.advance(60_001);
    expect((await refused(ip)).status).toBe(400);
  },
);

test("outages are not counted: a register call retried until D1 recovers succeeds", async () => {
  const { env, counted } = limitedTo(0);
  const ip = newIp();
  const json = await proof({ ip });
  const DB = { prepare: () => ({ bind: () => ({}) }), batch: () => Promise.reject(new Error("D1")) };
  const withoutDatabase = { ...env, DB: DB as unknown as D1Database };
  for (let i = 0; i < 3; i++)
    expect((await call("POST", "/api/auth/register", { ip, env: withoutDatabase, json })).status).toBe(503);
  expect((await call("POST", "/api/auth/register", { ip, env, json })).status).toBe(201);
  expect(counted.size).toBe(0);
});

test.each([
  ["fails", async () => Promise.reject(new Error("limiter"))],
  ["is not bound", undefined],
] as const)("a limiter that %s does not change the response", async (_, limit) => {
  const env = { RATE_LIMITER: limit && ({ limit } as unknown as RateLimit) } as Partial<Env>;
  const json = { identifier: newPhone(), verification_token: "x" };
  for (let i = 0; i < 3; i++) {
    expect((await call("POST", "/api/auth/login", { ip: "10.250.1.1", env, json })).status).toBe(400);
  }
});

const NEIGHBOUR_CALLS = 5;

/** Calls that fill a network's buckets, by kind of flood. */
const floods: Record<string, (ip: string, env: Partial<Env>) => Promise<number>> = {
  "social start": async (ip, env) => (await call("GET", "/api/auth/google/login", { ip, env })).status,
  "social token": async (ip, env) =>
    (await call("POST", "/api/auth/google/token", { ip, env, json: { id_token: "x" } })).status,
  "social callback": async (ip, env) => (await call("POST", "/api/auth/apple/callback", { ip, env, form: {} })).status,
  "junk registers": async (ip, env) =>
    (
      await call("POST", "/api/auth/register", {
        ip,
        env,
        json: { identifier: newPhone(), verification_token: "junk" },
      })
    ).status,
  "malformed registers": async (ip, env) => (await call("POST", "/api/auth/register", { ip, env, json: {} })).status,
  "junk logins": async (ip, env) =>
    (await call("POST", "/api/auth/login", { ip, env, json: { identifier: newEmail(), verification_token: "junk" } }))
      .status,
  "malformed codes": async (ip, env) =>
    (await call("POST", "/api/auth/otp/verify", { ip, env, json: { identifier: "nobody", otp: "000000" } })).status,
  "malformed code requests": async (ip, env) =>
    (await call("POST", "/api/auth/otp/request", { ip, env, json: { identifier: "98" } })).status,
};

test.each(Object.keys(floods))(
  "%s beyond the limit do not lock other users of the network out of codes, register and login",
  async (name) => {
    const { env } = limitedTo(NEIGHBOUR_CALLS);
    const ip = newIp();
    const flood = floods[name] as (typeof floods)[string];
    for (let i = 0; i < NEIGHBOUR_CALLS; i++) expect(await flood(ip, env)).not.toBe(429);
    const beyond = [await flood(ip, env), await flood(ip, env)];
    expect(beyond.at(-1)).toBe(429);

    const identifier = newPhone();
    const json = { identifier, verification_token: await verify(identifier, { ip, env }) };
    expect((await call("POST", "/api/auth/register", { ip, env, json })).status).toBe(201);
    clock.advance(61_000);
    const again = { identifier, verification_token: await verify(identifier, { ip, env }) };
    expect((await call("POST", "/api/auth/login", { ip, env, json: again })).status).toBe(200);
  },
);

test("each group of routes has its own bucket", async () => {
  const { env } = limitedTo(NEIGHBOUR_CALLS);
  const ip = newIp();
  const groups = ["social start", "social token", "junk registers", "malformed codes"];
  for (const name of groups) {
    const flood = floods[name] as (typeof floods)[string];
    expect(await flood(ip, env), name).not.toBe(429);
    for (let i = 0; i <= NEIGHBOUR_CALLS; i++) await flood(ip, env);
    expect(await flood(ip, env), name).toBe(429);
    expect(await flood(newIp(), env), `${name} from another network`).not.toBe(429);
  }
});

test.each(["request", "verify"])("otp/%s has one bucket per network and identifier in any spelling", async (step) => {
  const { env, counted } = limitedTo(3);
  const ip = newIp();
  const phone = newPhone();
  const ask = (identifier: string, from = ip) =>
    call("POST", `/api/auth/otp/${step}`, {
      ip: from,
      env,
      json: { identifier, ...(step === "verify" ? { otp: "000000" } : {}) },
    });
  const isShut = async (identifier: string, from = ip) => {
    const { status, body, headers } = await ask(identifier, from);
    return status === 429 && headers.get("ratelimit-policy") === '"network";q=300;w=60' && body.error.code;
  };
  for (const spelling of [phone, phone.slice(4), `00${phone.slice(1)}`]) expect(await isShut(spelling)).toBe(false);
  expect(await isShut(phone)).toBe("rate_limit_exceeded");
  expect(await isShut(newPhone())).toBe(false);
  expect(await isShut(phone, newIp())).toBe(false);
  for (const key of counted.keys()) expect(key).not.toContain(phone.slice(4));
});

test("otp/verify calls for many identifiers are limited by the network's exact counter of attempts", async () => {
  const { env } = limitedTo(1_000_000);
  const ip = newIp();
  const network = ip.replace(/\d+$/, "0/24");
  await testEnv.DB.prepare("insert into network_guess_limits (network, window_started_at, guesses) values (?, ?, 600)")
    .bind(network, Date.now())
    .run();
  const identifier = newPhone();
  await requestCode(identifier, { ip: newIp() });
  const guess = await call("POST", "/api/auth/otp/verify", { ip, env, json: { identifier, otp: "000000" } });
  expect([guess.status, guess.headers.get("ratelimit-policy")]).toEqual([429, '"otp-verify";q=5;w=300']);
});
