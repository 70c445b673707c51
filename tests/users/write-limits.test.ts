import { v7 as uuidv7 } from "uuid";
import { beforeAll, describe, expect, test } from "vitest";
import { registrationExample } from "../../src/auth/passkey/credential.fields.ts";
import {
  type Answer,
  type CallOptions,
  call,
  logIn,
  newIp,
  type SignedIn,
  testEnv,
  verify,
} from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import { expectations } from "../support/matrix.ts";
import { fetchDocument } from "../support/openapi.ts";
import { newUser } from "../support/people.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { newAdmin } from "../support/staff.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const DAY = 86_400_000;
const auditsOf = (userId: string) => count("from audit_logs where user_id = ?", userId);

/** A limiter that allows `passing` writes per key. */
function limitedTo(passing: number) {
  const asked = new Map<string, number>();
  const limit = async ({ key }: { key: string }) => {
    asked.set(key, (asked.get(key) ?? 0) + 1);
    return { success: (asked.get(key) ?? 0) <= passing };
  };
  return { env: { USER_RATE_LIMITER: { limit } as RateLimit } as Partial<Env>, asked };
}

let serial = 0;
const write = ({ access: token }: Pick<SignedIn, "access">, options: CallOptions = {}) =>
  call("PATCH", "/api/users/profile", { token, json: { full_name: `Person ${serial++}` }, ...options });

function expectRefusal(answer: Answer, policy: string) {
  expect([answer.status, answer.body.success, answer.body.error?.code]).toEqual([429, false, "rate_limit_exceeded"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(answer.headers.get("ratelimit-policy")).toBe(policy);
  expect(answer.headers.get("ratelimit")).toBe(`${policy.split(";")[0]};r=0;t=${answer.headers.get("retry-after")}`);
}

describe("limit of writes per minute", () => {
  const policy = '"writes";q=60;w=60';

  test("allows 60 writes of a user and refuses the 61st, which changes nothing", async () => {
    const [user, neighbour] = [await newUser(), await newUser()];
    const { env } = limitedTo(60);
    for (let i = 0; i < 60; i++) expect((await write(user, { env })).status).toBe(200);
    const before = await auditsOf(user.userId);
    expectRefusal(await write(user, { env }), policy);
    expect(await auditsOf(user.userId)).toBe(before);
    expect((await call("GET", "/api/users/profile", { token: user.access, env })).status).toBe(200);
    expect((await write(neighbour, { env })).status).toBe(200);
  });

  test("counts by user, whatever the session or route", async () => {
    const user = await newUser();
    clock.advance(61_000);
    const other = await logIn(user.identifier, { ip: newIp() });
    const { env, asked } = limitedTo(2);
    expect((await write(user, { env })).status).toBe(200);
    const device = { device_id: "d", fcm_token: "token-of-a-device", device_type: "IOS" };
    expect((await call("POST", "/api/auth/device", { token: other.access, json: device, env })).status).toBe(200);
    expectRefusal(await write(other, { env }), policy);
    expect([...asked.keys()]).toEqual([user.userId]);
  });

  test("does not count invalid bodies and invalid tokens", async () => {
    const user = await newUser();
    const { env, asked } = limitedTo(0);
    expect((await write(user, { env, json: { full_name: 7.5 } })).status).toBe(400);
    expect(
      (await write(user, { env, json: undefined, raw: "<a/>", headers: { "content-type": "text/xml" } })).status,
    ).toBe(415);
    expect((await write({ access: "a.b.c" }, { env })).status).toBe(401);
    expect(asked.size).toBe(0);
  });

  test("does not prevent ending sessions, however many writes the user or a thief made", async () => {
    const owner = await newUser();
    clock.advance(61_000);
    const stolen = await logIn(owner.identifier, { ip: newIp() });
    const { env } = limitedTo(3);
    for (let i = 0; i < 5; i++) await write(stolen, { env });
    // The thief's bucket for ended sessions is separate from the owner's.
    for (let i = 0; i < 5; i++)
      await call("DELETE", `/api/auth/sessions/${crypto.randomUUID()}`, { token: stolen.access, env });
    expectRefusal(await write(owner, { env }), policy);
    expect((await call("DELETE", "/api/auth/sessions", { token: owner.access, env })).body.data.ended).toBe(1);
    const out = await call("POST", "/api/auth/logout", {
      token: owner.access,
      json: { refresh_token: owner.refresh },
      env,
    });
    expect(out.status).toBe(200);
  });

  test("counts each refresh for the user of its session, but not its repetitions", async () => {
    const user = await newUser();
    const { env } = limitedTo(3);
    const refresh = (token: string) => call("POST", "/api/auth/refresh", { json: { refresh: token }, env });
    let token = user.refresh;
    for (let i = 0; i < 3; i++) {
      const answers = await Promise.all([refresh(token), refresh(token), refresh(token)]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      token = answers[0]?.body.refresh;
    }
    for (let i = 0; i < 3; i++) expectRefusal(await refresh(token), policy);
    for (const answer of await Promise.all([refresh(token), refresh(token)])) expectRefusal(answer, policy);
    const free = await call("POST", "/api/auth/refresh", { json: { refresh: token } });
    expect(free.status).toBe(200);
  });

  test("applies to every documented write that requires a token, and is documented there", async () => {
    const document = await fetchDocument();
    const user = await newUser();
    const { env } = limitedTo(0);
    const found: string[] = [];
    const bodies: Record<string, CallOptions> = {
      "POST /api/auth/logout": { json: { refresh_token: user.refresh } },
      "PUT /api/auth/identity/email": { json: { email: "asha@example.com", verification_token: "x" } },
      "PUT /api/auth/identity/phone": { json: { phone_number: "9841234567", verification_token: "x" } },
      "POST /api/auth/google/link": { json: { id_token: "x" } },
      "POST /api/auth/passkeys": { json: { credential: registrationExample } },
      "POST /api/auth/apple/link": { json: { id_token: "x", nonce: "12345678", authorization_code: "x" } },
    };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
        if (method === "get" || !operation.security?.length) continue;
        const name = `${method.toUpperCase()} ${path}`;
        found.push(name);
        const options = bodies[name] ?? expectations[name]?.options?.() ?? {};
        const own = { ...options, token: user.access, env };
        const answer = await call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, user.userId), own);
        expect(answer.status, `${name}: ${JSON.stringify(answer.body)}`).toBe(429);
        expectRefusal(answer, policy);
        expect(Object.keys(operation.responses), name).toContain("429");
      }
    }
    expect(found.length).toBeGreaterThan(20);
  });

  test.each([
    ["fails", { limit: () => Promise.reject(new Error("limiter")) } as unknown as RateLimit],
    ["is not bound", undefined],
  ])("a limiter that %s refuses nothing", async (_, USER_RATE_LIMITER) => {
    const env = { USER_RATE_LIMITER } as Partial<Env>;
    const user = await newUser();
    expect((await write(user, { env })).status).toBe(200);
    expect((await call("POST", "/api/auth/refresh", { json: { refresh: user.refresh }, env })).status).toBe(200);
  });

  test("the binding itself refuses after 60 calls", async () => {
    const key = crypto.randomUUID();
    let passed = 0;
    // A minute may end between the calls.
    for (let i = 0; i < 121; i++) passed += (await testEnv.USER_RATE_LIMITER.limit({ key })).success ? 1 : 0;
    expect(passed).toBeGreaterThanOrEqual(60);
    expect(passed).toBeLessThan(121);
  });
});

interface Operation {
  security?: unknown[];
  responses: Record<string, unknown>;
}

describe("daily limit of audited writes", () => {
  const policy = '"audited-writes";q=1000;w=86400';
  const { env } = limitedTo(Number.POSITIVE_INFINITY);

  /** Inserts audited writes of the user, this number of milliseconds ago. */
  async function seed(userId: string, writes: number, ago = 1_000, columns: Record<string, unknown> = {}) {
    const at = Date.now() - ago;
    const row = {
      user_id: userId,
      action: "UPDATE",
      entity_type: "profile",
      actor_id: userId,
      by_staff: 0,
      ...columns,
    };
    const names = Object.keys(row);
    const statement = testEnv.DB.prepare(
      `insert into audit_logs (id, entity_id, created_at, ${names.join()}) values (?, 'x', ?, ${names.map(() => "?").join()})`,
    );
    const rows = Array.from({ length: writes }, () => statement.bind(uuidv7({ msecs: at }), at, ...Object.values(row)));
    for (let i = 0; i < rows.length; i += 500) await testEnv.DB.batch(rows.slice(i, i + 500));
  }

  test("allows the 1,000th write and refuses the 1,001st, which changes nothing", async () => {
    const [user, neighbour] = [await newUser(), await newUser()];
    await seed(user.userId, 999);
    expect((await write(user, { env })).status).toBe(200);
    const before = await call("GET", "/api/users/profile", { token: user.access });
    const [audits, events] = [
      await auditsOf(user.userId),
      await count("from recorded_events where user_id = ?", user.userId),
    ];
    expectRefusal(await write(user, { env }), policy);
    expect((await call("GET", "/api/users/profile", { token: user.access })).body.data).toEqual(before.body.data);
    expect(await auditsOf(user.userId)).toBe(audits);
    expect(await count("from recorded_events where user_id = ?", user.userId)).toBe(events);
    expect((await write(neighbour, { env })).status).toBe(200);
  });

  test("allows a write that changes nothing, which is not audited", async () => {
    const user = await newUser();
    const json = { full_name: "The same" };
    await write(user, { env, json });
    await seed(user.userId, 999);
    expect((await write(user, { env, json })).status).toBe(200);
    expectRefusal(await write(user, { env }), policy);
  });

  test("Retry-After is the second at which the oldest write leaves the window", async () => {
    const user = await newUser();
    await seed(user.userId, 1, DAY - 6_000);
    await seed(user.userId, 999);
    const refused = await write(user, { env });
    expectRefusal(refused, policy);
    expect(refused.headers.get("retry-after")).toBe("6");
    clock.advance(5_999);
    expectRefusal(await write(user, { env }), policy);
    clock.advance(1);
    expect((await write(user, { env })).status).toBe(200);
  });

  test("allows exactly the remaining number of concurrent writes", async () => {
    const user = await newUser();
    await seed(user.userId, 997);
    const answers = await Promise.all(Array.from({ length: 10 }, () => write(user, { env })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, ...Array(7).fill(429)]);
    expect(await count("from audit_logs where user_id = ? and entity_type = 'profile'", user.userId)).toBe(1000);
  });

  test("applies to devices, and a refused registration stores no device", async () => {
    const user = await newUser();
    await seed(user.userId, 1_000);
    const json = { device_id: "d", fcm_token: `token-${user.userId}`, device_type: "IOS" };
    expectRefusal(await call("POST", "/api/auth/device", { token: user.access, json, env }), policy);
    expect(await count("from devices where user_id = ?", user.userId)).toBe(0);
  });

  test("applies to changes of the language, which count like those of the profile", async () => {
    const user = await newUser();
    const choose = (locale: string) =>
      call("PATCH", "/api/auth/identity", { token: user.access, json: { locale }, env });
    await seed(user.userId, 998);
    expect((await choose("ne")).status).toBe(200);
    expect((await write(user, { env })).status).toBe(200);
    const events = await count("from recorded_events where user_id = ?", user.userId);
    expectRefusal(await choose("en"), policy);
    expect((await choose("ne")).body.data.locale).toBe("ne");
    expect(await count("from recorded_events where user_id = ?", user.userId)).toBe(events);
  });

  test("does not count staff actions, sign-ins and sign-outs", async () => {
    const [user, staff] = [await newUser(), await newAdmin()];
    await seed(user.userId, 600, 1_000, { actor_id: staff.userId, by_staff: 1 });
    await seed(user.userId, 600, 1_000, { action: "LOGIN", entity_type: "session" });
    await seed(user.userId, 600, 1_000, { action: "CREATE", entity_type: "user" });
    expect((await write(user, { env })).status).toBe(200);
  });

  test("does not prevent signing in and out, deleting the account, and changes by staff", async () => {
    const [user, staff] = [await newUser(), await newAdmin()];
    await seed(user.userId, 1_000);
    clock.advance(61_000);
    const again = await logIn(user.identifier, { ip: newIp() });
    const { access: token, refresh: refresh_token } = user;
    expect((await call("POST", "/api/auth/logout", { token, json: { refresh_token }, env })).status).toBe(200);
    const change = { full_name: "By staff", reason: "asked for" };
    const changed = await call("PATCH", `/api/users/${user.userId}`, { token: staff.access, json: change, env });
    expect(changed.status).toBe(200);
    expectRefusal(await write(again, { env }), policy);
    clock.advance(61_000);
    const json = { verification_token: await verify(user.identifier, { ip: newIp() }) };
    expect((await call("DELETE", "/api/auth/account", { token: again.access, json, env })).status).toBe(200);
  });

  test("costs no written rows within the limit, and reads only the rows of the day", async () => {
    const user = await newUser();
    await seed(user.userId, 3_000, 2 * DAY);
    await seed(user.userId, 5);
    // The first change also requests a reminder.
    await write(user, { env });
    let cost = { read: 0, written: 0 };
    const DB = new Proxy(testEnv.DB, {
      get(target, name) {
        if (name !== "batch") return Reflect.get(target, name).bind(target);
        return async (statements: D1PreparedStatement[]) => {
          const results = await target.batch(statements);
          for (const { meta } of results)
            cost = { read: cost.read + meta.rows_read, written: cost.written + meta.rows_written };
          return results;
        };
      },
    });
    await write(user, { env: { ...env, DB } });
    const few = cost;
    cost = { read: 0, written: 0 };
    await seed(user.userId, 100);
    await write(user, { env: { ...env, DB } });
    expect(cost.written).toBe(few.written);
    expect(few.read).toBeLessThan(60);
    expect(cost.read - few.read).toBeLessThanOrEqual(220);
  });
});
