import { afterEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, requestCode, stopClock, testEnv } from "../support/client.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A binding whose every call fails, and says what no client may read. */
function broken<Name extends keyof Env>(...names: Name[]): Partial<Env> {
  const fail = () => {
    throw new Error("D1_ERROR: SQLITE_BUSY at 10.0.0.9:5432");
  };
  return Object.fromEntries(names.map((name) => [name, new Proxy({}, { get: () => fail })])) as Partial<Env>;
}

describe("Health", () => {
  let later = 0;

  /** Stops the clock later than whatever result is still kept; the last test leaves a good one behind. */
  function afterwards() {
    const clock = stopClock();
    later += 60 * 60_000;
    clock.advance(later);
    return clock;
  }

  test.each(["DB", "SEARCH_DB", "KV", "KYC_BUCKET", "OTP_QUEUE", "SEARCH_QUEUE"] as const)(
    "is 503 with the same data when %s is not there",
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

  test("keeps its result for 10 seconds", async () => {
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

  test("is 200 with the state of each binding and the version", async () => {
    afterwards();
    const answer = await call("GET", "/api/health");
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ success: true, data: { version: expect.stringMatching(/^\d+\.\d+\.\d+/) } });
    const states = Object.values(answer.body.data.bindings);
    expect(states.length).toBeGreaterThanOrEqual(4);
    expect(new Set(states)).toEqual(new Set(["up"]));
  });
});

test("ASVS 13.4: the debug route shows what arrived, without credentials and cookies", async () => {
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
  /** Every line logged while `work` runs. */
  async function linesOf(work: () => Promise<unknown>): Promise<string[]> {
    const lines: string[] = [];
    for (const level of ["debug", "log", "info", "warn", "error"] as const) {
      vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.map(String).join(" ")));
    }
    await work();
    vi.restoreAllMocks();
    return lines;
  }

  test("has one JSON line for each request, with its id and its path, and never its query", async () => {
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

  test.each([newPhone, newEmail])(
    "tells no code, token or identifier of a whole sign-up, faults included",
    async (make) => {
      const identifier = make();
      const ip = newIp();
      const secrets = [identifier.replace("+977", ""), "canary-key"];
      let code = "";
      const lines = await linesOf(async () => {
        const otp = await requestCode(identifier, { ip, headers: { "idempotency-key": "canary-key" } });
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
      // Six digits also stand inside ids and instants, so the code is looked for as a word.
      expect(log).not.toMatch(new RegExp(`(?<![\\w.-])${code}(?![\\w-])`));
      expect(log).not.toMatch(/eyJ[\w-]{10,}\./);
    },
  );
});
