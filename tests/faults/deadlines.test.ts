import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { decodeJwt } from "jose";
import { describe, expect, test, vi } from "vitest";
import worker from "../../src/index.ts";
import {
  type Answer,
  buildRequest,
  type CallOptions,
  call,
  newIp,
  newPhone,
  readCode,
  requestCode,
  signUp,
  testEnv,
  verify,
} from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { databaseWithout } from "../support/production.ts";

useClock({ timers: true });

/** Time limit of a request for each binding, in milliseconds. */
const DEADLINE = { D1: 10_000, KV: 1_000, LIMITER: 500, QUEUE: 10_000 };
const MINUTE = 60_000;

/** A call that is never answered; once its caller waits, the clock advances to the deadline. */
function hang(milliseconds: number): Promise<never> {
  queueMicrotask(() => vi.advanceTimersByTime(milliseconds));
  return new Promise(() => {});
}

/** D1 with batches that hang before or after they take effect, by their number. */
function slowDatabase(hangs: (batch: number) => "before" | "after" | undefined) {
  let batches = 0;
  const batch = async (statements: D1PreparedStatement[]) => {
    const when = hangs(batches++);
    if (when === "before") return hang(DEADLINE.D1);
    const results = await testEnv.DB.batch(statements);
    return when === "after" ? hang(DEADLINE.D1) : results;
  };
  const DB = new Proxy(testEnv.DB, {
    get: (db, name) => (name === "batch" ? batch : Reflect.get(db, name).bind(db)),
  });
  return { env: { DB }, batches: () => batches };
}

function slowKv() {
  let calls = 0;
  const slow = () => {
    calls += 1;
    return hang(DEADLINE.KV);
  };
  return { env: { KV: { get: slow, put: slow, delete: slow } as unknown as KVNamespace }, calls: () => calls };
}

interface Route {
  method: string;
  path: string;
  options: CallOptions;
  success: number;
}

const routes: Record<string, () => Promise<Route>> = {
  "otp/request": async () => ({
    method: "POST",
    path: "/api/auth/otp/request",
    options: { ip: newIp(), json: { identifier: newPhone() } },
    success: 200,
  }),
  "otp/verify": async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const otp = await requestCode(identifier, { ip });
    return { method: "POST", path: "/api/auth/otp/verify", options: { ip, json: { identifier, otp } }, success: 200 };
  },
  register: async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const verification_token = await verify(identifier, { ip });
    const options = { ip, json: { identifier, verification_token } };
    return { method: "POST", path: "/api/auth/register", options, success: 201 };
  },
  login: async () => {
    const { identifier } = await signUp(newPhone(), { ip: newIp() });
    vi.setSystemTime(Date.now() + MINUTE);
    const ip = newIp();
    const verification_token = await verify(identifier, { ip });
    const options = { ip, json: { identifier, verification_token } };
    return { method: "POST", path: "/api/auth/login", options, success: 200 };
  },
  refresh: async () => {
    const { refresh } = await signUp(newPhone(), { ip: newIp() });
    return { method: "POST", path: "/api/auth/refresh", options: { json: { refresh } }, success: 200 };
  },
  logout: async () => {
    const { access: token, refresh } = await signUp(newPhone(), { ip: newIp() });
    return { method: "POST", path: "/api/auth/logout", options: { token, json: { refresh } }, success: 200 };
  },
  me: async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    return { method: "GET", path: "/api/auth/me", options: { token }, success: 200 };
  },
  sessions: async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    return { method: "GET", path: "/api/auth/sessions", options: { token }, success: 200 };
  },
  "end one session": async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    const path = `/api/auth/sessions/${decodeJwt(token).sid}`;
    return { method: "DELETE", path, options: { token }, success: 200 };
  },
  "end other sessions": async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    return { method: "DELETE", path: "/api/auth/sessions", options: { token }, success: 200 };
  },
};

function expectUnavailable(answer: Answer): void {
  expect([answer.status, answer.body.error?.code]).toEqual([503, "service_unavailable"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(answer.headers.has("www-authenticate")).toBe(false);
}

describe("ASVS 16.5.2: an unresponsive database", () => {
  test.each(Object.entries(routes))(
    "leads to 503 and never 401 at %s, and the call succeeds later",
    async (_name, prepare) => {
      const { method, path, options, success } = await prepare();
      const slow = slowDatabase(() => "before");
      expectUnavailable(await call(method, path, { ...options, env: slow.env }));
      expect(slow.batches()).toBeGreaterThan(0);
      expect((await call(method, path, options)).status).toBe(success);
    },
  );

  test("between a correct code and its token leads to 503 and costs at most one attempt", async () => {
    const { method, path, options } = await (routes["otp/verify"] as () => Promise<Route>)();
    // Without the hint in KV, the first batch only names the live codes and the second one compares them.
    const KV = { get: async () => null } as unknown as KVNamespace;
    const slow = slowDatabase((batch) => (batch === 0 ? undefined : "before"));
    expectUnavailable(await call(method, path, { ...options, env: { ...slow.env, KV } }));
    expect(slow.batches()).toBeGreaterThan(1);
    const { identifier } = options.json as { identifier: string };
    const charged = await testEnv.DB.prepare(
      "select attempts_familiar + attempts_other as n from otp_challenges where identifier = ?",
    )
      .bind(identifier)
      .first<{ n: number }>();
    expect(charged?.n).toBeLessThanOrEqual(1);
    expect((await call(method, path, options)).status).toBe(200);
  });

  test("after a correct code was verified leads to 503, and a repeated call gets the token", async () => {
    const { method, path, options } = await (routes["otp/verify"] as () => Promise<Route>)();
    const repeatable = { ...options, headers: { "idempotency-key": crypto.randomUUID() } };
    const slow = slowDatabase((batch) => (batch === 0 ? "after" : "before"));
    expectUnavailable(await call(method, path, { ...repeatable, env: slow.env }));
    expect(slow.batches()).toBe(2);
    const repeated = await call(method, path, repeatable);
    expect([repeated.status, typeof repeated.body.data?.verification_token]).toEqual([200, "string"]);
  });

  test.each(
    Object.entries(routes).filter(([name]) => name !== "me" && name !== "sessions" && name !== "end other sessions"),
  )("that has committed is read again at %s, and the response is correct", async (_name, prepare) => {
    const { method, path, options, success } = await prepare();
    const slow = slowDatabase((batch) => (batch === 0 ? "after" : undefined));
    const answer = await call(method, path, { ...options, env: slow.env });
    expect(slow.batches(), "the batch was read again").toBeGreaterThan(1);
    expect(answer.status, JSON.stringify(answer.body)).toBe(success);
  });
});

describe("an unresponsive KV namespace", () => {
  test("leaves checking codes to the database", async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const otp = await requestCode(identifier, { ip });
    const wrong = otp === "111111" ? "222222" : "111111";
    const slow = slowKv();
    const guess = (code: string) =>
      call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: code }, env: slow.env });
    const refused = await guess(wrong);
    expect([refused.status, refused.body.error?.code]).toEqual([400, "invalid_otp"]);
    expect((await guess(otp)).status).toBe(200);
    expect((await guess(otp)).status).toBe(400);
    expect(slow.calls()).toBeGreaterThan(1);
  });

  test("leaves refreshing to the database, which refuses ended sessions (ASVS 7.4.1)", async () => {
    const [live, ended] = [await signUp(newPhone(), { ip: newIp() }), await signUp(newPhone(), { ip: newIp() })];
    const json = { refresh_token: ended.refresh };
    expect((await call("POST", "/api/auth/logout", { token: ended.access, json })).status).toBe(200);
    const slow = slowKv();
    const refresh = (token: string) => call("POST", "/api/auth/refresh", { json: { refresh: token }, env: slow.env });
    const first = await refresh(live.refresh);
    expect(first.status).toBe(200);
    expect((await refresh(first.body.refresh)).status).toBe(200);
    const refused = await refresh(ended.refresh);
    expect([refused.status, refused.body.error?.code]).toEqual([401, "token_not_valid"]);
    expect(slow.calls()).toBe(3);
  });

  test("does not delay a code", async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const slow = slowKv();
    const otp = await requestCode(identifier, { ip, env: slow.env });
    expect(slow.calls()).toBeGreaterThan(0);
    expect((await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } })).status).toBe(200);
  });
});

test.each(["otp/request", "otp/verify"])("an unresponsive rate limiter refuses nobody at %s", async (name) => {
  const { method, path, options, success } = await (routes[name] as () => Promise<Route>)();
  let calls = 0;
  const limit = () => {
    calls += 1;
    return hang(DEADLINE.LIMITER);
  };
  const env = { RATE_LIMITER: { limit } as unknown as RateLimit };
  expect((await call(method, path, { ...options, env })).status).toBe(success);
  expect(calls).toBe(1);
});

test("an unresponsive queue delays no response, and the cron delivers the code later", async () => {
  const [identifier, ip] = [newPhone(), newIp()];
  let reached = () => {};
  const isReached = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const stuck = () => {
    reached();
    return new Promise(() => {});
  };
  const OTP_QUEUE = { send: stuck, sendBatch: stuck } as unknown as Env["OTP_QUEUE"];
  // The request sends the code itself; it needs the queue only if the provider refuses.
  const refusing = databaseWithout(/insert into "local_outbox"/i);
  const context = createExecutionContext();
  const request = buildRequest("POST", "/api/auth/otp/request", { ip, json: { identifier } });
  const startedAt = Date.now();
  const response = await worker.fetch(
    request as Parameters<typeof worker.fetch>[0],
    { ...testEnv, ...refusing, OTP_QUEUE },
    context,
  );
  expect(response.status).toBe(200);
  await isReached;
  expect(Date.now(), "no deadline had to pass").toBe(startedAt);
  vi.advanceTimersByTime(DEADLINE.QUEUE);
  await waitOnExecutionContext(context);
  vi.setSystemTime(startedAt + MINUTE);
  const cron = createExecutionContext();
  await worker.scheduled(createScheduledController({ cron: "* * * * *" }), testEnv, cron);
  await waitOnExecutionContext(cron);
  const otp = await readCode(identifier);
  expect((await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } })).status).toBe(200);
});
