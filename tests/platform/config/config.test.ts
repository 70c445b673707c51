import { afterEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, readCode, requestCode, signUp, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { fakeInternet, SPARROW, sparrow } from "../../support/internet.ts";
import { databaseWithout, providerVars } from "../../support/production.ts";
import { tick } from "../../support/tasks.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The test environment with the given variables; undefined removes one. */
function withVars(vars: Record<string, string | undefined>): { env: Partial<Env> } {
  return { env: vars as unknown as Partial<Env> };
}

const production = { ENVIRONMENT: "production", ISSUER: "https://api.example.com" };

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

const random = (length: number) => base64url(crypto.getRandomValues(new Uint8Array(length)));
const repeated = (byte: number, length = 32) => base64url(new Uint8Array(length).fill(byte));

/** The key pair of a private seed (RFC 8410 section 7). */
async function keyFrom(kid: string, seed: Uint8Array<ArrayBuffer>) {
  const prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
  const pkcs8 = new Uint8Array([...prefix, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x, d } = (await crypto.subtle.exportKey("jwk", key)) as JsonWebKey;
  return { kid, kty: "OKP", crv: "Ed25519", x, d };
}

const someKey = (kid: string) => keyFrom(kid, crypto.getRandomValues(new Uint8Array(32)));

/** The lines that the Worker logs while `work` runs. */
async function logOf(work: () => Promise<unknown>): Promise<string> {
  const lines: string[] = [];
  for (const level of ["debug", "info", "log", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.map(String).join(" ")));
  }
  await work();
  vi.restoreAllMocks();
  return lines.join("\n");
}

const secretNames = ["ACCESS_TOKEN_KEYS", "TOKEN_SECRETS", "DATA_SECRETS", "LOOKUP_SECRET"];

describe("Any ENVIRONMENT other than development is production", () => {
  const environments = [undefined, "", "production", "staging", "test", "Development", " development", "dev"];

  test.each(environments)(
    "ENVIRONMENT %j exposes neither the outbox nor the example app nor the debug headers",
    async (ENVIRONMENT) => {
      for (const path of ["/dev/outbox", "/dev/outbox/", "/example/", "/example/main.js", "/api/auth/debug/headers"]) {
        const answer = await call("GET", path, withVars({ ...production, ENVIRONMENT }));
        expect(answer.status, path).toBe(404);
        expect(answer.body).toMatchObject({ success: false, error: { code: "not_found" } });
      }
    },
  );

  test("no HTTP method reveals that the development routes exist", async () => {
    for (const path of ["/dev/outbox", "/example", "/example/main.js", "/api/auth/debug/headers"]) {
      for (const method of ["HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
        const answer = await call(method, path, withVars(production));
        expect(answer.status, `${method} ${path}`).toBe(404);
        expect(answer.headers.get("allow")).toBeNull();
      }
    }
  });

  test("production stores no code in the local outbox", async () => {
    const identifier = newPhone();
    const received = fakeInternet({ [SPARROW]: sparrow });
    const options = { ip: newIp(), json: { identifier }, ...withVars(providerVars) };
    const requested = await call("POST", "/api/auth/otp/request", options);
    expect(requested.status, JSON.stringify(requested.body)).toBe(200);
    expect(received[SPARROW]).toHaveLength(1);
    const shown = await call("GET", `/dev/outbox?to=${identifier}`, { headers: { accept: "application/json" } });
    expect(shown.body.messages).toEqual([]);
  });

  test("an ISSUER that is not https is accepted in development only", async () => {
    const vars = { ...production, ISSUER: "http://api.example.com" };
    const logged = await logOf(async () => {
      expect((await call("GET", "/api/openapi.json", withVars(vars))).status).toBe(503);
    });
    expect(logged).toContain("ISSUER");
    expect((await call("GET", "/api/openapi.json", withVars(production))).status).toBe(200);
    expect((await call("GET", "/api/openapi.json", withVars({ ...vars, ENVIRONMENT: "development" }))).status).toBe(
      200,
    );
  });
});

describe("RFC 8725 3.5: no route is served if a secret is missing, malformed or weak", () => {
  const secrets = (entries: unknown) => JSON.stringify(entries);
  const cases: [string, string, () => string | undefined | Promise<string | undefined>][] = [
    ...secretNames.flatMap((name): [string, string, () => string | undefined][] => [
      [name, "missing", () => undefined],
      [name, "empty", () => ""],
    ]),
    ["LOOKUP_SECRET", "of 31 bytes", () => random(31)],
    ["LOOKUP_SECRET", "of one repeated byte", () => repeated(0x5a)],
    ["LOOKUP_SECRET", "of zeros", () => repeated(0)],
    ["LOOKUP_SECRET", "not base64url", () => "!".repeat(64)],
    ["LOOKUP_SECRET", "words with spaces", () => "correct horse battery staple correct horse battery staple"],
    ["TOKEN_SECRETS", "malformed JSON", () => '[{"kid":"k1","secret":"'],
    ["TOKEN_SECRETS", "an empty list", () => "[]"],
    ["TOKEN_SECRETS", "not a list", () => secrets({ kid: "k1", secret: random(32) })],
    ["TOKEN_SECRETS", "without kid", () => secrets([{ secret: random(32) }])],
    ["TOKEN_SECRETS", "with a kid that is a path", () => secrets([{ kid: "../../k1", secret: random(32) }])],
    ["TOKEN_SECRETS", "of 31 bytes", () => secrets([{ kid: "k1", secret: random(31) }])],
    ["TOKEN_SECRETS", "of one repeated byte", () => secrets([{ kid: "k1", secret: repeated(0xff) }])],
    ["TOKEN_SECRETS", "not base64url", () => secrets([{ kid: "k1", secret: "?".repeat(64) }])],
    [
      "TOKEN_SECRETS",
      "with a weak older entry",
      () =>
        secrets([
          { kid: "k2", secret: random(32) },
          { kid: "k1", secret: repeated(1) },
        ]),
    ],
    [
      "DATA_SECRETS",
      "with a weak older entry",
      () =>
        secrets([
          { kid: "k2", secret: random(32) },
          { kid: "k1", secret: repeated(1) },
        ]),
    ],
    ["DATA_SECRETS", "an empty list", () => "[]"],
    [
      "TOKEN_SECRETS",
      "with a duplicate kid",
      () =>
        secrets([
          { kid: "k1", secret: random(32) },
          { kid: "k1", secret: random(32) },
        ]),
    ],
    ["ACCESS_TOKEN_KEYS", "malformed JSON", () => "not JSON"],
    ["ACCESS_TOKEN_KEYS", "an empty list", () => "[]"],
    ["ACCESS_TOKEN_KEYS", "without a private key", async () => secrets([{ ...(await someKey("k1")), d: undefined }])],
    ["ACCESS_TOKEN_KEYS", "too short", async () => secrets([{ ...(await someKey("k1")), d: random(31) }])],
    ["ACCESS_TOKEN_KEYS", "not base64url", async () => secrets([{ ...(await someKey("k1")), d: "!".repeat(43) }])],
    [
      "ACCESS_TOKEN_KEYS",
      "with a public key that is not base64url",
      async () => secrets([{ ...(await someKey("k1")), x: "!".repeat(43) }]),
    ],
    [
      "ACCESS_TOKEN_KEYS",
      "with a public key of another private key",
      async () => secrets([{ ...(await someKey("k1")), x: (await someKey("k2")).x }]),
    ],
    [
      "ACCESS_TOKEN_KEYS",
      "of one repeated byte",
      async () => secrets([await keyFrom("k1", new Uint8Array(32).fill(7))]),
    ],
    ["ACCESS_TOKEN_KEYS", "of zeros", async () => secrets([await keyFrom("k1", new Uint8Array(32))])],
    ["ACCESS_TOKEN_KEYS", "with a duplicate kid", async () => secrets([await someKey("k1"), await someKey("k1")])],
    ["ACCESS_TOKEN_KEYS", "of another curve", async () => secrets([{ ...(await someKey("k1")), crv: "X25519" }])],
  ];

  test.each(cases)("%s %s", async (name, _what, make) => {
    const value = await make();
    const logged = await logOf(async () => {
      const answer = await call("GET", "/.well-known/jwks.json", withVars({ [name]: value }));
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
      expect(answer.body).toEqual({
        success: false,
        error: { code: "service_unavailable", message: expect.any(String) },
        request_id: answer.headers.get("x-request-id"),
      });
      expect(JSON.stringify(answer.body)).not.toContain(name);
    });
    expect(logged).toContain(name);
    for (const part of value?.match(/[A-Za-z0-9_!?-]{20,}/g) ?? []) expect(logged).not.toContain(part);
  });

  test("every route and method returns 503 until the configuration is valid again", async () => {
    const vars = withVars({ LOOKUP_SECRET: repeated(1) });
    const routes = [
      ["GET", "/api/health"],
      ["GET", "/api/docs"],
      ["GET", "/api/openapi.json"],
      ["GET", "/dev/outbox"],
      ["GET", "/api/auth/me"],
      ["POST", "/api/auth/otp/request"],
      ["POST", "/api/auth/refresh"],
      ["DELETE", "/api/auth/sessions"],
      ["GET", "/api/nowhere"],
    ] as const;
    for (const [method, path] of routes) {
      const answer = await call(method, path, vars);
      expect(answer.status, `${method} ${path}`).toBe(503);
      expect(answer.body.error.code).toBe("service_unavailable");
    }
    expect((await call("GET", "/.well-known/jwks.json")).status).toBe(200);
  });

  test("random secrets of 32 bytes are accepted", async () => {
    const vars = {
      LOOKUP_SECRET: random(32),
      TOKEN_SECRETS: secrets([{ kid: "k1", secret: random(32) }]),
      DATA_SECRETS: secrets([{ kid: "k1", secret: random(32) }]),
      ACCESS_TOKEN_KEYS: secrets([await someKey("k1")]),
    };
    expect((await call("GET", "/.well-known/jwks.json", withVars(vars))).status).toBe(200);
  });
});

describe("The development outbox", () => {
  const json = { accept: "application/json" };

  test.each([
    "http://localhost:8787",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
    "http://10.1.2.3",
    "http://172.16.0.9",
    "http://172.31.255.1",
    "http://192.168.1.20:8787",
    "http://[fd00::1]",
  ])("opens on %s", async (origin) => {
    expect((await call("GET", "/dev/outbox", { origin, headers: json })).status).toBe(200);
  });

  test.each([
    "https://api.example.com",
    "http://localhost.evil.com",
    "http://127.0.0.1.evil.com",
    "http://evil.com:127",
    "http://localhost@evil.com",
    "http://xlocalhost",
    "http://8.8.8.8",
    "http://172.15.0.1",
    "http://172.32.0.1",
    "http://192.169.0.1",
    "http://11.0.0.1",
    "http://10.evil.com",
    "http://10.0.0.1.evil.com",
    "http://[2001:db8::1]",
    "http://[::2]",
    "http://fd00.evil.com",
  ])("is 404 on %s", async (origin) => {
    const hostile = { ...json, host: "localhost", "x-forwarded-host": "localhost", forwarded: "host=localhost" };
    // A request URL has no credentials, so only the host remains of these.
    const answer = await call("GET", "/dev/outbox", { origin: new URL(origin).origin, headers: hostile });
    expect(answer.status).toBe(404);
    expect(answer.body.error.code).toBe("not_found");
  });

  test("lists messages as JSON, newest first, with the code as a separate member", async () => {
    const clock = stopClock();
    const identifier = newEmail();
    const first = await requestCode(identifier, { ip: newIp() });
    clock.advance(61_000);
    const second = await requestCode(identifier, { ip: newIp() });
    const answer = await call("GET", `/dev/outbox?to=${encodeURIComponent(identifier)}`, { headers: json });
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.body).toEqual({
      messages: [second, first].map((code) => ({
        id: expect.any(String),
        channel: "email",
        to: identifier,
        text: expect.stringContaining(code),
        code,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      })),
    });
  });

  test("sorts by created_at, newest first, even if a message was delayed", async () => {
    const clock = stopClock();
    const identifier = newEmail();
    const refuse = () => Promise.reject(new Error("Queue is overloaded"));
    const OTP_QUEUE = { sendBatch: refuse } as unknown as Env["OTP_QUEUE"];
    const env = { OTP_QUEUE, ...databaseWithout(/insert into "local_outbox"/i) };
    await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, env });
    clock.advance(61_000);
    await requestCode(identifier, { ip: newIp() });
    clock.advance(61_000);
    await tick();
    await readCode(identifier, 2);
    const { body } = await call("GET", `/dev/outbox?to=${identifier}`, { headers: json });
    const times = body.messages.map((message: { created_at: string }) => message.created_at);
    expect(times).toHaveLength(2);
    expect(times).toEqual([...times].sort().reverse());
  });

  test("filters by recipient in any spelling of the identifier", async () => {
    const phone = newPhone();
    const national = phone.slice(4);
    const code = await requestCode(phone, { ip: newIp() });
    await requestCode(newPhone(), { ip: newIp() });
    const spellings = [phone, national, `00977${national}`, `+977 ${national.slice(0, 3)}-${national.slice(3)}`];
    for (const to of [...spellings.map(encodeURIComponent), phone]) {
      const { body } = await call("GET", `/dev/outbox?to=${to}`, { headers: json });
      expect(
        body.messages.map((message: { code: string }) => message.code),
        to,
      ).toEqual([code]);
      expect(body.messages[0]).toMatchObject({ channel: "sms", to: phone });
    }
    const email = newEmail();
    const mailed = await requestCode(email, { ip: newIp() });
    const shouted = encodeURIComponent(` ${email.toUpperCase()} `);
    const { body } = await call("GET", `/dev/outbox?to=${shouted}`, { headers: json });
    expect(body.messages.map((message: { code: string }) => message.code)).toEqual([mailed]);
    const nobody = await call("GET", "/dev/outbox?to=nobody@example.com", { headers: json });
    expect(nobody.body.messages).toEqual([]);
  });

  test("filters by a part of the recipient, with or without separators", async () => {
    const phone = newPhone();
    const code = await requestCode(phone, { ip: newIp() });
    const part = phone.slice(-7, -1);
    for (const to of [part, `${part.slice(0, 3)}-${part.slice(3)}`, `${part.slice(0, 2)} ${part.slice(2)}`]) {
      const { body } = await call("GET", `/dev/outbox?to=${encodeURIComponent(to)}`, { headers: json });
      const found = body.messages.map((message: { code: string }) => message.code);
      expect(found, to).toContain(code);
      expect(body.messages.every((message: { to: string }) => message.to.includes(part))).toBe(true);
    }
    const email = newEmail();
    const mailed = await requestCode(email, { ip: newIp() });
    const { body } = await call("GET", `/dev/outbox?to=${email.slice(0, -4).toUpperCase()}`, { headers: json });
    expect(body.messages.map((message: { code: string }) => message.code)).toEqual([mailed]);
  });

  test("renders an HTML page that escapes its contents", async () => {
    const identifier = newPhone();
    const code = await requestCode(identifier, { ip: newIp() });
    // Filtered by identifier, because tests with a later clock may have filled the unfiltered page.
    const page = await call("GET", `/dev/outbox?to=${encodeURIComponent(identifier)}`, {
      headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
    });
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(page.body).toContain(code);
    expect(page.body).toContain(identifier);
    const hostile = await call("GET", `/dev/outbox?to=${encodeURIComponent('"><script>alert(1)</script>')}`);
    expect(hostile.body).not.toContain("<script>alert");
  });
});

test("rotating a secret keeps sessions valid while the old secret is listed, and ends them once it is removed", async () => {
  const { refresh, access } = await signUp(newPhone(), { ip: newIp() });
  const { TOKEN_SECRETS, ACCESS_TOKEN_KEYS } = testEnv as unknown as Record<string, string>;
  const [oldSecret] = JSON.parse(TOKEN_SECRETS ?? "[]");
  const [oldKey] = JSON.parse(ACCESS_TOKEN_KEYS ?? "[]");
  const next = { secret: { kid: "next", secret: random(32) }, key: await someKey("next") };
  const rotated = withVars({
    TOKEN_SECRETS: JSON.stringify([next.secret, oldSecret]),
    ACCESS_TOKEN_KEYS: JSON.stringify([next.key, { ...oldKey, d: undefined }]),
  });
  expect((await call("GET", "/api/auth/me", { token: access, ...rotated })).status).toBe(200);
  const successor = await call("POST", "/api/auth/refresh", { json: { refresh }, ...rotated });
  expect(successor.status).toBe(200);
  const retired = withVars({
    TOKEN_SECRETS: JSON.stringify([next.secret]),
    ACCESS_TOKEN_KEYS: JSON.stringify([next.key]),
  });
  expect((await call("GET", "/api/auth/me", { token: access, ...retired })).status).toBe(401);
  const { access: token, refresh: live } = successor.body;
  expect((await call("GET", "/api/auth/me", { token, ...retired })).status).toBe(200);
  expect((await call("POST", "/api/auth/refresh", { json: { refresh: live }, ...retired })).status).toBe(200);
});
