import { createExecutionContext, createMessageBatch, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import worker from "../../../src/index.ts";
import { call, newEmail, newIp, newPhone, requestCode, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Bindings whose calls all fail with a message that clients must not see. */
function broken<Name extends keyof Env>(...names: Name[]): Partial<Env> {
  const fail = () => {
    throw new Error("D1_ERROR: SQLITE_BUSY at 10.0.0.9:5432");
  };
  return Object.fromEntries(names.map((name) => [name, new Proxy({}, { get: () => fail })])) as Partial<Env>;
}

describe("GET /api/health", () => {
  let later = 0;

  /** Stops the clock after any cached result has expired; the last test leaves a good result in the cache. */
  function afterwards() {
    const clock = stopClock();
    later += 60 * 60_000;
    clock.advance(later);
    return clock;
  }

  test.each(["DB", "SEARCH_DB", "KV", "KYC_BUCKET", "OTP_QUEUE", "SEARCH_QUEUE"] as const)(
    "returns 503 with the same data if %s is down",
    async (name) => {
      const clock = afterwards();
      const cases: Partial<Env>[] = [{ [name]: undefined }];
      if (name !== "OTP_QUEUE" && name !== "SEARCH_QUEUE") cases.push(broken(name));
      for (const env of cases) {
        clock.advance(60_000);
        const answer = await call("GET", "/api/health", { env });
        const { data, ...failure } = answer.body;
        expect(answer.status).toBe(503);
        expect(failure).toEqual({
          success: false,
          error: { code: "service_unavailable", message: expect.stringMatching(/\S/) },
          request_id: answer.headers.get("x-request-id"),
        });
        expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
        expect(data.version).toMatch(/^\d+\.\d+\.\d+/);
        expect(Object.values(data.bindings).filter((state) => state !== "up")).toHaveLength(1);
        expect(JSON.stringify(answer.body)).not.toContain("SQLITE");
      }
    },
  );

  test("names the deployed version, which a deployment waits for", async () => {
    afterwards();
    const metadata = { id: "0f4cd0bf-92c0-4a74-a987-018d01b99783", tag: "", timestamp: "" };
    const answer = await call("GET", "/api/health", { env: { CF_VERSION_METADATA: metadata } });
    expect(answer.body.data.version_id).toBe(metadata.id);
    const unnamed = { CF_VERSION_METADATA: undefined, DB: new Proxy(testEnv.DB, {}) } as unknown as Partial<Env>;
    expect((await call("GET", "/api/health", { env: unnamed })).body.data.version_id).toBeNull();
  });

  test("caches its result for 10 seconds", async () => {
    const clock = afterwards();
    let probes = 0;
    const KV = new Proxy(testEnv.KV, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...given: unknown[]) => {
          probes += 1;
          return value.apply(target, given);
        };
      },
    });
    const ask = () => call("GET", "/api/health", { env: { KV } });
    const first = await ask();
    const asked = probes;
    expect(asked).toBeGreaterThan(0);
    clock.advance(9_900);
    expect((await ask()).body.data).toEqual(first.body.data);
    expect(probes).toBe(asked);
    clock.advance(200);
    expect((await ask()).status).toBe(200);
    expect(probes).toBeGreaterThan(asked);
  });

  test("probes each binding once for a hundred concurrent calls", async () => {
    afterwards();
    let probes = 0;
    const KV = new Proxy(testEnv.KV, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (name !== "get") return typeof value === "function" ? value.bind(target) : value;
        return (...given: unknown[]) => {
          probes += 1;
          return value.apply(target, given);
        };
      },
    });
    const answers = await Promise.all(Array.from({ length: 100 }, () => call("GET", "/api/health", { env: { KV } })));
    expect(probes).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.data.checked_at)).size).toBe(1);
  });

  test("does not block on a probe whose invocation was cut off", async () => {
    afterwards();
    // A separate database binding has its own cached result.
    const DB = new Proxy(testEnv.DB, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    stopClock({ timers: true });
    const stuck = new Proxy(testEnv.KV, { get: () => () => new Promise(() => {}) });
    const cutOff = call("GET", "/api/health", { env: { DB, KV: stuck } });
    const waiting = call("GET", "/api/health", { env: { DB } });
    await vi.advanceTimersByTimeAsync(5_000);
    expect([(await cutOff).status, (await waiting).status]).toContain(503);
    vi.setSystemTime(Date.now() + 11_000);
    expect((await call("GET", "/api/health", { env: { DB } })).status).toBe(200);
  });

  test("returns 200 with the state of each binding and the version", async () => {
    afterwards();
    const answer = await call("GET", "/api/health");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ success: true, data: { version: expect.stringMatching(/^\d+\.\d+\.\d+/) } });
    const states = Object.values(answer.body.data.bindings);
    expect(states.length).toBeGreaterThanOrEqual(4);
    expect(new Set(states)).toEqual(new Set(["up"]));
  });
});

test("ASVS 13.4: the debug route echoes the request without credentials and cookies", async () => {
  const credentials = {
    cookie: "__Host-flow=canary1",
    "proxy-authorization": "Basic canary2",
    "x-api-key": "canary3",
    apikey: "canary4",
    "x-auth-token": "canary5",
    "x-csrf-token": "canary6",
    "x-client-secret": "canary7",
    "cf-access-jwt-assertion": "canary8",
  };
  const headers = { ...credentials, "accept-language": "ne" };
  const answer = await call("GET", "/api/auth/debug/headers?code=canary9", {
    token: "canary0",
    headers,
    origin: "https://localhost:8788",
  });
  expect(answer.body.data).toMatchObject({ is_secure: true, scheme: "https", host: "localhost:8788" });
  expect(answer.body.data.headers["accept-language"]).toBe("ne");
  expect(Object.keys(answer.body.data.headers)).toContain("authorization");
  expect(JSON.stringify(answer.body).match(/canary\d/g)).toBeNull();
});

describe("ASVS 16.2.5: the log", () => {
  /** The lines logged while `work` runs. */
  async function linesOf(work: () => Promise<unknown>): Promise<string[]> {
    const lines: string[] = [];
    for (const level of ["debug", "log", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.map(String).join(" ")));
    }
    await work();
    vi.restoreAllMocks();
    return lines;
  }

  test("has one JSON line per request with its id and route, and never its query", async () => {
    let id: string | null = null;
    const lines = await linesOf(async () => {
      id = (await call("GET", "/api/auth/me?access_token=canary&phone=9841234567")).headers.get("x-request-id");
    });
    const entries = lines.map((line) => JSON.parse(line));
    const requests = entries.filter((entry) => entry.event === "request");
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ request_id: id, method: "GET", path: "/api/auth/me", status: 401 });
    expect(requests[0].time).toMatch(/Z$/);
    expect(lines.join()).not.toMatch(/canary|9841234567/);
  });

  test.each([
    ["GET", `/api/users/${crypto.randomUUID()}`, "/api/users/:id"],
    ["GET", `/api/users/${crypto.randomUUID()}/`, "/api/users/:id"],
    ["DELETE", "/api/auth/sessions/9841234567", "/api/auth/sessions/:id"],
    ["GET", "/api/users/kyc/documents/9841234567?exp=1&sig=9841234567", "/api/users/kyc/documents/:id"],
    ["GET", "/api/docs/9841234567", "/api/docs/:file"],
    ["GET", "/api/users/9841234567z", "unmatched"],
    ["GET", "/api/person@example.com/9841234567", "unmatched"],
    ["PUT", "/api/auth/me/9841234567", "unmatched"],
    ["POST", "/api/auth/me", "unmatched"],
    ["OPTIONS", "/api/9841234567", "unmatched"],
  ])("names the pattern of %s %s, never the path", async (method, path, pattern) => {
    const lines = await linesOf(() => call(method, path));
    const [line] = lines.map((each) => JSON.parse(each)).filter(({ event }) => event === "request");
    expect(line).toMatchObject({ method, path: pattern });
    expect(lines.join()).not.toMatch(/9841234567|person@/);
  });

  test("contains the id in the path if it is a UUID", async () => {
    const id = crypto.randomUUID();
    const lines = await linesOf(() => call("GET", `/api/users/${id}`));
    expect(lines.map((each) => JSON.parse(each)).find(({ event }) => event === "request")).toMatchObject({
      path: "/api/users/:id",
      target_id: id,
    });
  });

  test("contains the stack frames of a 500, but neither the error's message nor its values", async () => {
    const ASSETS = { fetch: () => Promise.reject(new RangeError("canary of 9841234567")) } as unknown as Fetcher;
    const lines = await linesOf(async () => {
      expect((await call("GET", "/api/docs/swagger-ui.css", { env: { ASSETS } })).status).toBe(500);
    });
    const [failed] = lines.map((each) => JSON.parse(each)).filter(({ event }) => event === "request_failed");
    expect(failed).toMatchObject({ code: "internal_error", reason: "RangeError" });
    expect(failed.trace).toMatch(/^at .+\n/);
    expect(failed.trace.split("\n").length).toBeLessThanOrEqual(10);
    expect(lines.join()).not.toMatch(/canary|9841234567/);
  });

  test("has its own request id for each queue invocation, and the id of each message", async () => {
    const run = async (invoke: () => Promise<unknown>) => {
      const lines = (await linesOf(invoke)).map((each) => JSON.parse(each));
      expect(lines.length).toBeGreaterThan(0);
      const ids = new Set(lines.map(({ request_id }) => request_id));
      expect(ids.size).toBe(1);
      return { id: String([...ids][0]), lines };
    };
    const deliver = (id: string) => async () => {
      const context = createExecutionContext();
      const body = { event_id: id, type: "user.active", user_id: id, payload: "{}", created_at: Date.now() };
      await worker.queue(
        createMessageBatch("tasks", [{ id, timestamp: new Date(), attempts: 1, body }]),
        testEnv,
        context,
      );
      await waitOnExecutionContext(context);
    };
    const first = await run(deliver("message-1"));
    const second = await run(deliver("message-2"));
    expect(first.id).toMatch(/^queue-tasks-[\da-f-]{36}$/);
    expect(second.id).not.toBe(first.id);
    for (const [{ lines }, id] of [
      [first, "message-1"],
      [second, "message-2"],
    ] as const) {
      expect(lines.some(({ message_id }) => message_id === id)).toBe(true);
    }
  });

  test.each([
    ["phone number", newPhone],
    ["email address", newEmail],
  ] as const)("contains no code, token or %s of a complete sign-up, including failures", async (_, make) => {
    const identifier = make();
    const ip = newIp();
    const secrets = [identifier.replace("+977", ""), "canary-of-the-mine"];
    let code = "";
    const lines = await linesOf(async () => {
      const otp = await requestCode(identifier, { ip, headers: { "idempotency-key": "canary-of-the-mine" } });
      code = otp;
      const wrong = otp === "000000" ? "111111" : "000000";
      await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: wrong } });
      await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp }, env: broken("DB") });
      const proof = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp }, env: broken("KV") });
      const { verification_token } = proof.body.data;
      const json = { identifier, verification_token };
      await call("POST", "/api/auth/login", { ip, json });
      await call("POST", "/api/auth/register", { ip, json, env: broken("DB") });
      const account = await call("POST", "/api/auth/register", { ip, json });
      const { access_token: token, refresh_token } = account.body.data;
      const next = await call("POST", "/api/auth/refresh", { json: { refresh_token } });
      await call("POST", "/api/auth/refresh", {
        json: { refresh_token: next.body.refresh },
        env: broken("DB", "KV"),
      });
      await call("GET", "/api/auth/me", { token, env: broken("DB") });
      await call("GET", "/api/auth/me", { token: `${token}x` });
      await call("POST", "/api/auth/otp/request", { ip, json: { identifier }, env: broken("OTP_QUEUE") });
      await call("POST", "/api/auth/logout", { token, json: { refresh_token: next.body.refresh } });
      secrets.push(verification_token, token, refresh_token, next.body.access, next.body.refresh);
    });
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), request_id: expect.any(String) });
    const log = lines.join("\n");
    for (const secret of secrets) {
      expect(secret).toMatch(/\S{6}/);
      expect(log).not.toContain(secret);
    }
    // Six digits can also occur in ids and times, so the code is searched as a whole word.
    expect(log).not.toMatch(new RegExp(`(?<![\\w.-])${code}(?![\\w-])`));
    expect(log).not.toMatch(/eyJ[\w-]{10,}\./);
  });
});
