import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  requestCode,
  type SignedIn,
  signUp,
  verify,
} from "../../support/client.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const DRIVER_TEXT = "D1_ERROR: near 'drop': SQLITE_ERROR at 10.0.0.9:5432";

/** Bindings whose calls all fail with a message that clients must not see. */
function broken<Name extends keyof Env>(...names: Name[]): Partial<Env> {
  const fail = () => {
    throw new Error(DRIVER_TEXT);
  };
  return Object.fromEntries(names.map((name) => [name, new Proxy({}, { get: () => fail })])) as Partial<Env>;
}

const withVars = (vars: Record<string, string>) => ({ env: vars as unknown as Partial<Env> });

function expectFailure(answer: Answer, status: number, code: string) {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  const { details, ...error } = answer.body.error;
  expect({ ...answer.body, error }).toEqual({
    success: false,
    error: { code, message: expect.stringMatching(/\S/) },
    request_id: answer.headers.get("x-request-id"),
  });
  if (code !== "validation_error") expect(details).toBeUndefined();
}

const methodsByPath: [string, string[]][] = [
  ["/api/auth/otp/request", ["POST"]],
  ["/api/auth/otp/verify", ["POST"]],
  ["/api/auth/register", ["POST"]],
  ["/api/auth/login", ["POST"]],
  ["/api/auth/refresh", ["POST"]],
  ["/api/auth/logout", ["POST"]],
  ["/api/auth/me", ["GET", "HEAD"]],
  ["/api/auth/sessions", ["GET", "HEAD", "DELETE"]],
  ["/api/auth/sessions/0198c0de-0000-7000-8000-000000000000", ["DELETE"]],
  ["/api/health", ["GET", "HEAD"]],
  ["/api/openapi.json", ["GET", "HEAD"]],
  ["/api/docs", ["GET", "HEAD"]],
  ["/.well-known/jwks.json", ["GET", "HEAD"]],
];

/** One response of every kind. */
async function everyKind(options: CallOptions = {}): Promise<[string, Answer][]> {
  const raw = "x".repeat(70_000);
  const headers = { ...options.headers, "content-type": "application/json" };
  const post = (path: string, more: CallOptions) => call("POST", path, { ...options, ip: newIp(), ...more });
  return [
    ["200 health", await call("GET", "/api/health", options)],
    ["200 jwks", await call("GET", "/.well-known/jwks.json", options)],
    ["200 page", await call("GET", "/api/docs", options)],
    ["200 file", await call("GET", "/api/docs/swagger-ui.css", options)],
    ["303", await call("GET", "/docs", options)],
    ["200 otp", await post("/api/auth/otp/request", { json: { identifier: newPhone() } })],
    ["204 preflight", await call("OPTIONS", "/api/auth/me", options)],
    ["400", await post("/api/auth/refresh", { raw: "{", headers })],
    ["401", await call("GET", "/api/auth/me", options)],
    ["404", await call("GET", "/api/nowhere", options)],
    ["405", await call("PUT", "/api/auth/me", options)],
    ["413", await post("/api/auth/login", { raw, headers })],
    ["415", await post("/api/auth/login", { raw, headers: { ...headers, "content-type": "text/plain" } })],
    ["503", await call("GET", "/api/auth/me", { ...options, ...withVars({ LOOKUP_SECRET: "weak" }) })],
  ];
}

describe("Error responses", () => {
  test("an unknown path returns 404 in the standard format for every method", async () => {
    for (const path of ["/api", "/api/nowhere", "/api/auth/me/more", "/index.html", "/api/%2e%2e/x", "/api/auth/%00"]) {
      for (const method of ["GET", "POST", "DELETE"]) expectFailure(await call(method, path), 404, "not_found");
    }
  });

  test("ASVS 4.1.4: an undeclared method returns 405, and Allow lists the declared ones", async () => {
    for (const [path, allowed] of methodsByPath) {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((each) => !allowed.includes(each))) {
        const answer = await call(method, path);
        expectFailure(answer, 405, "method_not_allowed");
        const listed = (answer.headers.get("allow") ?? "").split(/, */).filter((each) => each !== "OPTIONS");
        expect(new Set(listed), `${method} ${path}`).toEqual(new Set(allowed));
      }
    }
  });

  test("too many requests return 429 with Retry-After and the limit that was reached", async () => {
    const json = { identifier: newPhone() };
    await call("POST", "/api/auth/otp/request", { ip: newIp(), json });
    const answer = await call("POST", "/api/auth/otp/request", { ip: newIp(), json });
    expectFailure(answer, 429, "rate_limit_exceeded");
    expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(answer.headers.get("ratelimit")).toMatch(/;r=0;/);
    expect(answer.headers.get("ratelimit-policy")).toMatch(/;q=\d+/);
    const RATE_LIMITER = { limit: async () => ({ success: false }) };
    const flood = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json, env: { RATE_LIMITER } });
    expectFailure(flood, 429, "rate_limit_exceeded");
    expect(flood.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  });

  test("401 carries WWW-Authenticate with the scheme", async () => {
    for (const options of [{}, { token: "a.b.c" }, { headers: { authorization: "Basic YTpi" } }]) {
      const answer = await call("GET", "/api/auth/me", options);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });
});

describe("ASVS 16.5.1: binding failures", () => {
  let person: SignedIn;
  // Issued for another identifier, which only the database can detect.
  let verification_token: string;
  beforeEach(async () => {
    person = await signUp(newPhone(), { ip: newIp() });
    verification_token = await verify(newPhone(), { ip: newIp() });
  });

  const calls = (): [string, string, CallOptions][] => {
    const ip = newIp();
    const identifier = newEmail();
    const { access: token, refresh: refresh_token } = person;
    return [
      ["POST", "/api/auth/otp/request", { ip, json: { identifier } }],
      ["POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: "123456" } }],
      ["POST", "/api/auth/register", { ip, json: { identifier, verification_token } }],
      ["POST", "/api/auth/login", { ip, json: { identifier, verification_token } }],
      ["GET", "/api/auth/me", { token }],
      ["GET", "/api/auth/sessions", { token }],
      ["DELETE", "/api/auth/sessions", { token }],
      ["DELETE", `/api/auth/sessions/${crypto.randomUUID()}`, { token }],
      ["POST", "/api/auth/refresh", { json: { refresh_token } }],
      ["POST", "/api/auth/logout", { token, json: { refresh_token } }],
    ];
  };

  function expectNothingTold({ body, headers }: Answer) {
    const text = JSON.stringify([body, [...headers]]);
    expect(text).not.toMatch(/SQLITE|D1_|drop|10\.0\.0\.9|TypeError|\.ts:|node_modules|\bat async\b/);
  }

  test("a database outage returns 503 with Retry-After on the sign-in and session routes, and never 401", async () => {
    for (const [method, path, options] of calls()) {
      const answer = await call(method, path, { ...options, env: broken("DB") });
      expectFailure(answer, 503, "service_unavailable");
      expect(answer.headers.get("retry-after"), path).toMatch(/^[1-9]\d*$/);
      expectNothingTold(answer);
    }
    expect((await call("GET", "/api/auth/me", { token: person.access })).status).toBe(200);
  });

  test.each([["KV"], ["OTP_QUEUE"], ["RATE_LIMITER"], ["KYC_BUCKET"]] as const)(
    "an outage of %s does not change the status of any response, because only the database decides",
    async (name) => {
      const expected = [200, 400, 400, 400, 200, 200, 200, 404, 200];
      for (const [i, [method, path, options]] of calls().slice(0, expected.length).entries()) {
        const answer = await call(method, path, { ...options, env: broken(name) });
        expect(answer.status, path).toBe(expected[i]);
        expectNothingTold(answer);
      }
    },
  );

  test.each(["/api/docs/swagger-ui.css", "/example/main.js"])(
    "a file that the build lacks (%s) is a 404 in the standard format that is not cached",
    async (path) => {
      const ASSETS = { fetch: async () => new Response("canary", { status: 404 }) } as unknown as Fetcher;
      const answer = await call("GET", path, { env: { ASSETS } });
      expectFailure(answer, 404, "not_found");
      expect(answer.headers.get("cache-control")).toBe("no-store");
    },
  );

  test("an outage of the static files returns an error in the standard format", async () => {
    const answer = await call("GET", "/api/docs/swagger-ui.css", { env: broken("ASSETS") });
    expectFailure(answer, 500, "internal_error");
    expectNothingTold(answer);
  });
});

describe("Response headers", () => {
  test("every response has X-Request-Id, and error bodies repeat it", async () => {
    for (const [kind, { headers, body }] of await everyKind()) {
      expect(headers.get("x-request-id"), kind).toMatch(/^[\w=-]{8,128}$/);
      if (body.success === false) expect(body.request_id, kind).toBe(headers.get("x-request-id"));
    }
  });

  test("a well-formed X-Request-Id is echoed and a malformed one replaced", async () => {
    const id = `app-${crypto.randomUUID()}`;
    for (const [kind, { headers }] of await everyKind({ headers: { "x-request-id": id } })) {
      expect(headers.get("x-request-id"), kind).toBe(id);
    }
    for (const bad of ["", "a b", "a\tb", "<script>", "x".repeat(1000), '"}{"', "a;b", "é"]) {
      const answer = await call("GET", "/api/nowhere", { headers: { "x-request-id": bad } });
      expect(answer.headers.get("x-request-id")).toMatch(/^[\w=-]{8,128}$/);
      expect(answer.headers.get("x-request-id")).not.toBe(bad);
    }
  });

  test("ASVS 3.4: every response has nosniff and the referrer policy, and HSTS over https only", async () => {
    for (const scheme of ["http", "https"]) {
      for (const [kind, { headers }] of await everyKind({ origin: `${scheme}://api.example.com` })) {
        expect(headers.get("x-content-type-options"), kind).toBe("nosniff");
        expect(headers.get("referrer-policy"), kind).toBe("no-referrer");
        expect(headers.get("cross-origin-resource-policy"), kind).toBe("same-origin");
        expect(headers.get("x-powered-by")).toBeNull();
        const hsts = headers.get("strict-transport-security");
        if (scheme === "http") expect(hsts, kind).toBeNull();
        else expect(Number(hsts?.match(/max-age=(\d+)/)?.[1]), kind).toBeGreaterThanOrEqual(31_536_000);
      }
    }
  });

  test("ASVS 3.4: only HTML documents have framing, content security and opener policies", async () => {
    const pages = [...(await everyKind()), ["200 outbox", await call("GET", "/dev/outbox")] as const];
    expect(pages.filter(([, { headers }]) => headers.get("content-type")?.startsWith("text/html"))).toHaveLength(2);
    for (const [kind, { headers }] of pages) {
      const rules = ["x-frame-options", "cross-origin-opener-policy", "content-security-policy"];
      const found = rules.map((name) => headers.get(name));
      if (headers.get("content-type")?.startsWith("text/html")) {
        const policy = expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/);
        expect(found, kind).toEqual(["DENY", "same-origin", policy]);
      } else expect(found, kind).toEqual([null, null, null]);
    }
  });

  test("ASVS 14.3.2: responses about a user are no-store, including errors", async () => {
    const identifier = newPhone();
    const ip = newIp();
    const { access: token, refresh } = await signUp(identifier, { ip });
    const answers = [
      await call("GET", "/api/auth/me", { token }),
      await call("GET", "/api/auth/me"),
      await call("GET", "/api/auth/sessions", { token }),
      await call("DELETE", "/api/auth/sessions", { token }),
      await call("POST", "/api/auth/refresh", { json: { refresh } }),
      await call("POST", "/api/auth/otp/request", { ip, json: { identifier } }),
      await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: "123456" } }),
      await call("POST", "/api/auth/login", { ip, json: { identifier, verification_token: "none" } }),
      await call("GET", "/api/auth/debug/headers"),
      await call("GET", "/dev/outbox"),
    ];
    for (const { headers } of answers) expect(headers.get("cache-control")).toBe("no-store");
    const jwks = await call("GET", "/.well-known/jwks.json");
    expect(jwks.headers.get("cache-control")).toMatch(/public.*max-age=[1-9]/);
  });
});

describe("ASVS 3.4.2: CORS for exactly the configured origins", () => {
  const own = "https://dashboard.example.com";
  const config = withVars({ CORS_ORIGINS: `${own},https://admin.example.com` });
  const foreign = [
    "https://evil.com",
    "null",
    `${own}.evil.com`,
    "https://evil-dashboard.example.com",
    "https://sub.dashboard.example.com",
    "https://example.com",
    "http://dashboard.example.com",
    `${own}:8443`,
    `${own}/`,
    "https://DASHBOARD.example.com",
    `${own},https://admin.example.com`,
  ];

  test("allows reading responses, including errors", async () => {
    for (const origin of [own, "https://admin.example.com"]) {
      const options = { ...config, headers: { origin } };
      for (const path of ["/api/health", "/api/auth/me", "/api/nowhere", "/.well-known/jwks.json"]) {
        const { headers } = await call("GET", path, options);
        expect(headers.get("access-control-allow-origin"), path).toBe(origin);
        expect(headers.get("access-control-allow-credentials")).toBeNull();
        expect(headers.get("vary")).toMatch(/\borigin\b/i);
        const exposed = headers.get("access-control-expose-headers")?.toLowerCase().split(/, */);
        expect(exposed).toEqual(
          expect.arrayContaining([
            "x-request-id",
            "retry-after",
            "ratelimit",
            "www-authenticate",
            "content-language",
            "etag",
            "deprecation",
            "sunset",
          ]),
        );
      }
    }
  });

  test.each(foreign)("does not allow %s", async (origin) => {
    for (const method of ["GET", "OPTIONS"]) {
      const { headers } = await call(method, "/.well-known/jwks.json", { ...config, headers: { origin } });
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("vary")).toMatch(/\borigin\b/i);
    }
  });

  test("allows the documented methods and headers in a preflight", async () => {
    const headers = {
      origin: own,
      "access-control-request-method": "POST",
      "access-control-request-headers":
        "authorization,content-type,idempotency-key,x-request-id,x-requested-with,x-csrftoken,cache-control,traceparent," +
        "tracestate,baggage,sentry-trace,if-none-match",
    };
    const answer = await call("OPTIONS", "/api/auth/refresh", { ...config, headers });
    expect([200, 204]).toContain(answer.status);
    expect(answer.body).toBe("");
    expect(answer.headers.get("access-control-allow-origin")).toBe(own);
    const methods = (answer.headers.get("access-control-allow-methods") ?? "").split(/, */);
    expect(methods).toEqual(expect.arrayContaining(["GET", "POST", "PUT", "PATCH", "DELETE"]));
    const names = (answer.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(/, */);
    expect(names).toEqual(expect.arrayContaining(headers["access-control-request-headers"].split(",")));
  });
});

describe("CORS for app shells", () => {
  const shells = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "http://localhost",
    "https://tauri.localhost",
    "com.example.app://localhost",
    "app://example.com",
  ];

  test("allows exactly the configured origins, compared as text", async () => {
    const config = withVars({ CORS_ORIGINS: shells.join(",") });
    for (const origin of shells) {
      for (const method of ["GET", "OPTIONS"]) {
        const headers = { origin, "access-control-request-method": "POST" };
        const answer = await call(method, "/api/health", { ...config, headers });
        expect(answer.headers.get("access-control-allow-origin"), `${method} ${origin}`).toBe(origin);
      }
    }
    const foreign = [
      "null",
      "capacitor://other",
      "capacitor://localhost/",
      "CAPACITOR://localhost",
      "ionic://localhost:80",
    ];
    for (const origin of [
      ...foreign,
      "http://localhost:3000",
      "https://localhost",
      "capacitor:",
      "app://example.com.evil.com",
    ]) {
      const { headers } = await call("GET", "/api/health", { ...config, headers: { origin } });
      expect(headers.get("access-control-allow-origin"), origin).toBeNull();
    }
  });

  test.each([
    "null",
    "*",
    "capacitor:",
    "capacitor://",
    "capacitor://localhost/",
    "capacitor://local host",
    "Capacitor://localhost",
    "capacitor://LOCALHOST",
    "capacitor://a@localhost",
    "capacitor://localhost?x",
    "javascript://localhost",
    "file://localhost",
    "data://localhost",
    "https://tauri.localhost/",
    "https://*.example.com",
    "localhost",
  ])("refuses to be configured with %s", async (origin) => {
    expect(
      (await call("GET", "/api/health", withVars({ CORS_ORIGINS: `https://a.example.com,${origin}` }))).status,
    ).toBe(503);
  });
});

describe("Paths and methods", () => {
  test("a trailing slash is the same route", async () => {
    for (const [path, allowed] of methodsByPath) {
      for (const method of allowed) {
        const [plain, slashed] = [await call(method, path), await call(method, `${path}/`)];
        expect(slashed.status, `${method} ${path}/`).toBe(plain.status);
        expect(slashed.body.error?.code).toBe(plain.body.error?.code);
      }
      expect((await call("PROPFIND", `${path}/`)).status, path).toBe(405);
    }
  });

  test("HEAD responds like GET without a body", async () => {
    const { access: token } = await signUp(newEmail(), { ip: newIp() });
    for (const path of ["/api/auth/me", "/api/auth/sessions", "/api/health", "/api/openapi.json", "/api/docs"]) {
      for (const options of [{ token }, {}]) {
        const [head, get] = [await call("HEAD", path, options), await call("GET", path, options)];
        expect(head.status, path).toBe(get.status);
        expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
        expect(head.body).toBe("");
      }
    }
  });

  test("HEAD of an export is refused and uses up none of the day's exports", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    for (let i = 0; i < 4; i++) {
      const head = await call("HEAD", "/api/users/export", { token });
      expect([head.status, head.headers.get("allow"), head.body]).toEqual([405, "GET", ""]);
    }
    expect((await call("GET", "/api/users/export", { token })).status).toBe(200);
  });
});

test("ASVS 15.3.4: the client's network comes from Cloudflare, never from X-Forwarded-For or similar headers", async () => {
  const ip = newIp();
  const identifier = newPhone();
  const code = await requestCode(identifier, { ip });
  const json = { identifier, otp: code === "000000" ? "111111" : "000000" };
  const spoofed = () => {
    const other = newIp();
    const names = ["x-forwarded-for", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-user-id"];
    return { ...Object.fromEntries(names.map((name) => [name, other])), forwarded: `for=${other}` };
  };
  for (let guess = 0; guess < 5; guess++) {
    const answer = await call("POST", "/api/auth/otp/verify", { ip, json, headers: spoofed() });
    expect(answer.status).toBe(400);
  }
  const locked = await call("POST", "/api/auth/otp/verify", { ip, json, headers: spoofed() });
  expect(locked.status).toBe(429);
  const headers = { "x-forwarded-for": ip, "x-real-ip": ip };
  expect((await call("POST", "/api/auth/otp/verify", { ip: newIp(), json, headers })).status).toBe(400);

  const home = newIp();
  const { access: token } = await signUp(newPhone(), { ip: home, headers: spoofed() });
  const [session] = (await call("GET", "/api/auth/sessions", { token })).body.data;
  expect(session.ip).toBe(home);
});
