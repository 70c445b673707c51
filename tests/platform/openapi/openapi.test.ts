import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { app } from "../../../src/app.ts";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  requestCode,
  signUp,
  testEnv,
  verify,
} from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import {
  compileSchema,
  fetchDocument,
  findDeviations,
  type OpenApiDocument,
  type Operation,
} from "../../support/openapi.ts";

let document: OpenApiDocument;

beforeAll(async () => {
  document = await fetchDocument();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Calls the API and checks the response against the document. */
async function documented(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const answer = await call(method, path, options);
  expect(findDeviations(document, { method, path, status: answer.status, body: answer.body })).toEqual([]);
  return answer;
}

async function refused(method: string, path: string, status: number, code: string, options: CallOptions = {}) {
  const answer = await documented(method, path, options);
  expect({ status: answer.status, code: answer.body.error?.code }).toEqual({ status, code });
  return answer;
}

function operations() {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
  );
}

/** Error codes that the document lists for an operation and status. */
const codesOf = (operation: Operation, status: number): string[] =>
  operation.responses[status]?.["x-error-codes"] ?? [];

/** Time after which an identifier may request its next code. */
const RESEND_MS = 61_000;

const otp = {
  request: "/api/auth/otp/request",
  verify: "/api/auth/otp/verify",
};
const bodyRoutes = [otp.request, otp.verify, "/api/auth/register", "/api/auth/login", "/api/auth/refresh"];
const guardedRoutes = [
  ["POST", "/api/auth/logout"],
  ["GET", "/api/auth/me"],
  ["GET", "/api/auth/sessions"],
  ["GET", "/api/users/kyc"],
  ["GET", "/api/users/kyc/status"],
  ["GET", "/api/users/kyc/submissions"],
  ["DELETE", "/api/auth/sessions"],
  ["DELETE", "/api/auth/sessions/0198c0de-0000-7000-8000-000000000000"],
] as const;

test("the OpenAPI 3.1 document has a title, a version, and a summary and description for every operation", () => {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/);
  expect(document.info.title).toBeTypeOf("string");
  expect(document.info.version).toMatch(/^\d+\.\d+\.\d+/);
  for (const { name, operation } of operations()) {
    expect(operation.summary, name).toMatch(/\S/);
    expect(operation.description, name).toMatch(/\S/);
  }
});

test("every pattern in the document means the same with and without the flag u", () => {
  const found: string[] = [];
  const collect = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    const { pattern } = part as { pattern?: unknown };
    if (typeof pattern === "string") found.push(pattern);
    for (const each of Object.values(part)) collect(each);
  };
  for (const { operation } of operations()) collect([operation.requestBody, operation.parameters]);
  expect(found.length).toBeGreaterThan(20);
  const samples = ["Asha Gurung", "आशा", "1250.00", "a\u0000b", "a\u009fb", "x".repeat(43), "é~", "p{L}", "123456"];
  const judge = (pattern: string, flags: string) => samples.filter((each) => new RegExp(pattern, flags).test(each));
  expect(found.filter((pattern) => judge(pattern, "").join() !== judge(pattern, "u").join())).toEqual([]);
  expect(found.filter((pattern) => /\\p\{/i.test(pattern))).toEqual([]);
});

test("every schema in the document is valid JSON Schema 2020-12, and every path parameter is declared", () => {
  for (const { name, path, operation } of operations()) {
    const contents = [operation.requestBody, ...Object.values(operation.responses)].flatMap((each) =>
      Object.values(each?.content ?? {}),
    );
    for (const { schema } of contents) expect(() => compileSchema(schema ?? {}), name).not.toThrow();
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(
      inPath.map((parameter) => parameter.name),
      name,
    ).toEqual([...path.matchAll(/\{(.+?)\}/g)].map(([, parameter]) => parameter));
    expect(inPath.every((parameter) => parameter.required === true)).toBe(true);
    expect(Object.keys(operation.responses).length, name).toBeGreaterThan(0);
  }
});

test("ASVS 6.1.3: the document lists exactly the mounted routes", () => {
  const undocumented = [
    "GET /",
    "GET /dev/outbox",
    "GET /example",
    "GET /example/{file}",
    "GET /docs",
    "GET /api/docs/{file}",
    "GET /console/files/{file}",
    "GET /console/{screen}",
  ];
  const mounted = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")}`);
  expect(new Set(operations().map(({ name }) => name))).toEqual(
    new Set(mounted.filter((name) => !undocumented.includes(name))),
  );
});

test("every operation documents its error codes", () => {
  const missing = operations().flatMap(({ name, operation }) => {
    const expected: [number, string][] = [
      [500, "internal_error"],
      [503, "service_unavailable"],
    ];
    if (operation.requestBody) {
      expected.push([400, "validation_error"], [413, "payload_too_large"], [415, "unsupported_media_type"]);
    }
    if (operation.security?.length) expected.push([401, "authentication_required"], [401, "token_not_valid"]);
    return expected
      .filter(([status, code]) => !codesOf(operation, status).includes(code))
      .map(([status, code]) => `${name}: ${status} ${code}`);
  });
  expect(missing).toEqual([]);
});

test("every body is documented with the limits that the routes enforce", () => {
  const identifier = "9841234567";
  const verification_token = "x".repeat(43);
  const cases: [string, Record<string, unknown>, Record<string, unknown>][] = [
    [otp.request, { identifier, purpose: "LOGIN" }, { identifier, purpose: "OTHER" }],
    [otp.verify, { identifier, otp: "123456" }, { identifier, otp: "12345" }],
    ["/api/auth/register", { identifier, verification_token }, { identifier }],
    [
      "/api/auth/register",
      { identifier, verification_token, username: "u".repeat(150) },
      { identifier, verification_token, username: "u".repeat(151) },
    ],
    [
      "/api/auth/register",
      { identifier, verification_token, referral_code: "REFABC123" },
      { identifier, verification_token, referral_code: "REFABC12345" },
    ],
    ["/api/auth/login", { identifier, verification_token }, { verification_token }],
    ["/api/auth/refresh", { refresh: "token" }, { refresh: ["token"] }],
  ];
  const wrong = cases.flatMap(([path, good, bad]) => {
    const content = document.paths[path]?.post?.requestBody?.content ?? {};
    const validate = compileSchema(content["application/json"]?.schema ?? {});
    expect(validate(good), `${path} ${JSON.stringify(good)}`).toBe(true);
    return validate(bad) ? [`${path} allows ${JSON.stringify(bad).slice(0, 80)}`] : [];
  });
  expect(wrong).toEqual([]);
});

test("a body is documented as JSON only; the KYC uploads as multipart only, with binary parts", () => {
  const media = operations().flatMap(({ name, operation }) =>
    operation.requestBody ? [[name, Object.keys(operation.requestBody.content)] as const] : [],
  );
  const multipart = media.filter(([, types]) => types.join() === "multipart/form-data").map(([name]) => name);
  expect(multipart.sort()).toEqual(["PATCH /api/users/kyc", "POST /api/users/kyc"]);
  expect(media.filter(([, types]) => types.join() === "application/json").length).toBe(media.length - 2);
  for (const [method, required] of [
    ["post", ["document_number", "document_front"]],
    ["patch", undefined],
  ] as const) {
    const content = document.paths["/api/users/kyc"]?.[method]?.requestBody?.content ?? {};
    const schema = content["multipart/form-data"]?.schema as Record<string, unknown>;
    const file = expect.objectContaining({ type: "string", format: "binary" });
    expect(schema.properties).toMatchObject({ document_front: file, document_back: file });
    expect(schema.required).toEqual(required);
  }
});

test("sign-up, refresh, sessions and logout respond as documented", async () => {
  const clock = stopClock();
  const identifier = newEmail();
  const ip = newIp();
  const code = await requestCode(identifier, { ip });
  const proof = await documented("POST", otp.verify, { ip, json: { identifier, otp: code, purpose: "REGISTER" } });
  const { verification_token } = proof.body.data;
  const account = await documented("POST", "/api/auth/register", { ip, json: { identifier, verification_token } });
  expect(account.status).toBe(201);
  const refreshed = await documented("POST", "/api/auth/refresh", {
    json: { refresh: account.body.data.refresh_token },
  });
  const { access: token, refresh: refresh_token } = refreshed.body.data;
  expect((await documented("GET", "/api/auth/me", { token })).status).toBe(200);

  clock.advance(RESEND_MS);
  const elsewhere = await verify(identifier, { ip: newIp() });
  const login = { identifier, verification_token: elsewhere };
  const other = await documented("POST", "/api/auth/login", { ip: newIp(), json: login });
  expect(other.status).toBe(200);
  const sessions = await documented("GET", "/api/auth/sessions", { token });
  expect(sessions.body.data).toHaveLength(2);
  const ended = sessions.body.data.find((each: { current: boolean }) => !each.current).id;
  expect((await documented("DELETE", `/api/auth/sessions/${ended}`, { token })).status).toBe(200);
  expect((await documented("DELETE", "/api/auth/sessions", { token })).status).toBe(200);
  expect((await documented("POST", "/api/auth/logout", { token, json: { refresh_token } })).status).toBe(200);
  const request = await documented("POST", otp.request, { ip: newIp(), json: { identifier: newPhone() } });
  expect(request.status).toBe(200);
  for (const path of ["/api/health", "/api/auth/debug/headers", "/.well-known/jwks.json", "/api/openapi.json"]) {
    expect((await documented("GET", path)).status).toBe(200);
  }
});

test("routes refuse invalid bodies as documented", async () => {
  const { access: token } = await signUp(newPhone(), { ip: newIp() });
  for (const path of [...bodyRoutes, "/api/auth/logout"]) {
    const ip = newIp();
    await refused("POST", path, 400, "validation_error", { ip, token, json: [] });
    await refused("POST", path, 413, "payload_too_large", { ip, token, json: { identifier: "x".repeat(70_000) } });
    const headers = { "content-type": "text/xml" };
    await refused("POST", path, 415, "unsupported_media_type", { ip, token, raw: "<a/>", headers });
  }
});

test("a failing database leads to the documented response on sign-in, session and KYC routes", async () => {
  const { access: token, refresh: refresh_token } = await signUp(newPhone(), { ip: newIp() });
  const DB = new Proxy(testEnv.DB, {
    get: () => () => {
      throw new Error("D1_ERROR: SQLITE_BUSY");
    },
  });
  const verification_token = await verify(newPhone(), { ip: newIp() });
  const json = { identifier: newPhone(), otp: "123456", verification_token, refresh_token };
  for (const path of bodyRoutes) {
    await refused("POST", path, 503, "service_unavailable", { ip: newIp(), json, env: { DB } });
  }
  for (const [method, path] of guardedRoutes) {
    const body = method === "POST" ? { json: { refresh_token } } : {};
    await refused(method, path, 503, "service_unavailable", { token, env: { DB }, ...body });
  }
});

test("an invalid configuration leads to the documented response on every route", async () => {
  const env = { LOOKUP_SECRET: "weak" };
  const found = [];
  for (const { name, path } of operations()) {
    const [method = ""] = name.split(" ");
    const answer = await call(method, path, { env });
    expect(answer.status, name).toBe(503);
    found.push(...findDeviations(document, { method, path, status: answer.status, body: answer.body }));
  }
  expect(found).toEqual([]);
});

test("calls beyond the rate limit are refused as documented", async () => {
  const env = { RATE_LIMITER: { limit: async () => ({ success: false }) } };
  const found: string[] = [];
  let refusals = 0;
  for (const path of bodyRoutes) {
    const { status, body } = await call("POST", path, { env, json: {} });
    if (status === 429) refusals += 1;
    found.push(...findDeviations(document, { method: "POST", path, status, body }));
  }
  expect(refusals).toBeGreaterThan(0);
  expect(found).toEqual([]);
});

test("guarded routes refuse a missing and an invalid access token as documented", async () => {
  for (const [method, path] of guardedRoutes) {
    await refused(method, path, 401, "authentication_required");
    await refused(method, path, 401, "token_not_valid", { token: "not.a.token" });
  }
});

test("one-time codes are refused as documented: wrong code, too many attempts, reused idempotency key", async () => {
  const ip = newIp();
  const identifier = newPhone();
  const headers = { "idempotency-key": crypto.randomUUID() };
  await refused("POST", otp.verify, 400, "invalid_otp", { ip, json: { identifier, otp: "000000" } });
  const first = await documented("POST", otp.request, { ip, headers, json: { identifier } });
  expect(first.status).toBe(200);
  const changed = { identifier, purpose: "LOGIN" };
  await refused("POST", otp.request, 409, "idempotency_key_reused", { ip, headers, json: changed });
  await refused("POST", otp.request, 429, "rate_limit_exceeded", { ip, json: { identifier } });

  const other = newPhone();
  const code = await requestCode(other, { ip });
  const wrong = code === "000000" ? "111111" : "000000";
  const proof = await documented("POST", otp.verify, { ip, headers, json: { identifier: other, otp: code } });
  expect(proof.status).toBe(200);
  await refused("POST", otp.verify, 409, "idempotency_key_reused", {
    ip,
    headers,
    json: { identifier: other, otp: wrong },
  });

  const locked = newPhone();
  const right = await requestCode(locked, { ip });
  const bad = { identifier: locked, otp: right === "000000" ? "111111" : "000000" };
  for (let guess = 0; guess < 5; guess++) await documented("POST", otp.verify, { ip, json: bad });
  await refused("POST", otp.verify, 429, "rate_limit_exceeded", { ip, json: bad });
});

test("registration and login are refused as documented", async () => {
  const clock = stopClock();
  const ip = newIp();
  const known = await signUp(newPhone(), { ip });
  const taken = (await call("GET", "/api/auth/me", { token: known.access })).body.data.username;
  const headers = { "idempotency-key": crypto.randomUUID() };
  const identifier = newPhone();
  const verification_token = await verify(identifier, { ip });
  const json = { identifier, verification_token };
  for (const path of ["/api/auth/register", "/api/auth/login"]) {
    await refused("POST", path, 400, "invalid_token", { ip, json: { identifier, verification_token: "none" } });
  }
  await refused("POST", "/api/auth/login", 404, "user_not_found", { ip, json });
  await refused("POST", "/api/auth/register", 409, "username_taken", { ip, json: { ...json, username: taken } });
  expect((await documented("POST", "/api/auth/register", { ip, headers, json })).status).toBe(201);
  await refused("POST", "/api/auth/register", 409, "idempotency_key_reused", {
    ip,
    headers,
    json: { ...json, username: `other${Date.now()}` },
  });

  clock.advance(RESEND_MS);
  const again = { identifier: known.identifier, verification_token: await verify(known.identifier, { ip: newIp() }) };
  await refused("POST", "/api/auth/register", 409, "user_already_exists", { ip, json: again });
  expect((await documented("POST", "/api/auth/login", { ip, headers, json: again })).status).toBe(200);
  const changed = { ...again, verification_token: "another" };
  await refused("POST", "/api/auth/login", 409, "idempotency_key_reused", { ip, headers, json: changed });
});

test("a banned account is refused at login as documented", async () => {
  const clock = stopClock();
  const { identifier, userId } = await signUp(newPhone(), { ip: newIp() });
  await testEnv.DB.prepare("update users set status = 'BANNED', status_reason = 'staff' where id = ?")
    .bind(userId)
    .run();
  clock.advance(RESEND_MS);
  const ip = newIp();
  const json = { identifier, verification_token: await verify(identifier, { ip }) };
  await refused("POST", "/api/auth/login", 403, "account_inactive", { ip, json });
});

test("refresh, logout and sessions are refused as documented", async () => {
  const clock = stopClock();
  const { access: token, refresh } = await signUp(newPhone(), { ip: newIp() });
  await refused("POST", "/api/auth/refresh", 400, "refresh_token_required", { json: {} });
  await refused("POST", "/api/auth/logout", 400, "refresh_token_required", { token, json: {} });
  await refused("POST", "/api/auth/refresh", 401, "token_not_valid", { json: { refresh: token } });
  await refused("POST", "/api/auth/logout", 401, "token_not_valid", { token, json: { refresh: token } });
  await refused("DELETE", `/api/auth/sessions/${crypto.randomUUID()}`, 404, "not_found", { token });
  await refused("DELETE", `/api/auth/sessions/${"x".repeat(65)}`, 400, "validation_error", { token });

  expect((await documented("POST", "/api/auth/refresh", { json: { refresh } })).status).toBe(200);
  for (let repeat = 0; repeat < 200; repeat++) await call("POST", "/api/auth/refresh", { json: { refresh } });
  await refused("POST", "/api/auth/refresh", 429, "rate_limit_exceeded", { json: { refresh } });

  const { refresh: another } = await signUp(newPhone(), { ip: newIp() });
  const headers = { "idempotency-key": crypto.randomUUID() };
  const bound = await documented("POST", "/api/auth/refresh", { headers, json: { refresh: another } });
  const successor = bound.body.data.refresh;
  await refused("POST", "/api/auth/refresh", 409, "idempotency_key_reused", { headers, json: { refresh: successor } });
  clock.advance(15 * 60_000 + 60_000);
  const expired = await refused("GET", "/api/auth/me", 401, "token_not_valid", { token });
  expect(expired.body.error.message).toMatch(/expired/i);
});

test("a malformed Idempotency-Key is refused on routes that accept keys and ignored on others", async () => {
  const { access: token } = await signUp(newPhone(), { ip: newIp() });
  const headers = { "idempotency-key": "x".repeat(300) };
  for (const path of bodyRoutes) {
    await refused("POST", path, 400, "validation_error", { ip: newIp(), headers, json: {} });
  }
  expect((await documented("GET", "/api/auth/me", { token, headers })).status).toBe(200);
  expect((await documented("DELETE", "/api/auth/sessions", { token, headers })).status).toBe(200);
});

test("the debug route is refused as documented outside development", async () => {
  const env = { ENVIRONMENT: "production", ISSUER: "https://api.example.com" } as unknown as Partial<Env>;
  await refused("GET", "/api/auth/debug/headers", 404, "not_found", { env });
});

test("the docs page loads nothing from other hosts, and its files are served", async () => {
  const page = await call("GET", "/api/docs");
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  expect(page.body).not.toMatch(/(src|href|url)\s*[=:]\s*["']?(https?:)?\/\//i);
  const sources = [...page.body.matchAll(/<(?:script|link)[^>]+(?:src|href)="(\/[^"]+)"/g)].map(([, url]) => url);
  expect(sources).toEqual(["/api/docs/swagger-ui.css", "/api/docs/swagger-ui-bundle.js"]);
  for (const url of sources) {
    const file = await call("GET", url);
    expect(file.status).toBe(200);
    expect(file.headers.get("content-type")).toMatch(url.endsWith(".css") ? /^text\/css/ : /javascript/);
    expect(file.body.length).toBeGreaterThan(10_000);
  }
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:|\*/);
  const [, nonce] = policy.match(/'nonce-([^']+)'/) ?? [];
  expect((await call("GET", "/api/docs")).headers.get("content-security-policy")).not.toContain(nonce);
  expect((await call("GET", "/docs")).headers.get("location")).toBe("/api/docs");
  expect((await call("GET", "/")).headers.get("location")).toBe("/api/docs");
  const env = { ENVIRONMENT: "production", ISSUER: "https://api.example.com" } as unknown as Partial<Env>;
  expect((await call("GET", "/", { env, origin: "https://api.example.com" })).status).toBe(404);
  expect(page.body).toContain("<title>PowerBank Users API</title>");
});

test("only the viewer's two files are served below the docs page", async () => {
  for (const file of ["package.json", "..%2f..%2fopenapi.json", "swagger-ui.css.map", "constructor"]) {
    const answer = await call("GET", `/api/docs/${file}`);
    expect(answer.status, file).toBe(404);
    expect(answer.body.error.code).toBe("not_found");
  }
});
