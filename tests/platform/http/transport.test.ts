import { describe, expect, test, vi } from "vitest";
import { call, testEnv } from "../../support/client.ts";

const production = { ENVIRONMENT: "production", ISSUER: "https://api.example.com" } as unknown as Partial<Env>;

describe("plain http", () => {
  const paths: [method: string, path: string][] = [
    ["GET", "/api/health"],
    ["HEAD", "/api/health"],
    ["GET", "/api/auth/me"],
    ["POST", "/api/auth/otp/request"],
    ["GET", "/api/auth/google/start"],
    ["POST", "/api/auth/apple/callback"],
    ["OPTIONS", "/api/auth/refresh"],
    ["PUT", "/api/auth/me"],
    ["GET", "/api/docs"],
    ["GET", "/docs"],
    ["GET", "/.well-known/jwks.json"],
    ["GET", "/dev/outbox"],
    ["GET", "/"],
    ["POST", "/webhooks/anything"],
    ["GET", "/api/nowhere"],
  ];

  test.each(paths)("%s %s returns 403 in production, without a redirect", async (method, path) => {
    const headers = {
      "x-forwarded-proto": "https",
      forwarded: "proto=https",
      "cf-visitor": '{"scheme":"https"}',
      origin: "https://dashboard.example.com",
    };
    const answer = await call(method, path, { env: production, origin: "http://api.example.com", headers });
    expect([answer.status, answer.headers.get("location")]).toEqual([403, null]);
    if (method === "HEAD") return;
    expect(answer.body).toEqual({
      success: false,
      error: { code: "https_required", message: expect.stringMatching(/https/) },
      request_id: answer.headers.get("x-request-id"),
    });
  });

  test("any environment but development counts as production", async () => {
    for (const ENVIRONMENT of ["production", "staging", undefined]) {
      const env = { ...production, ENVIRONMENT } as unknown as Partial<Env>;
      const answer = await call("GET", "/api/health", { env, origin: "http://api.example.com" });
      expect([answer.status, answer.body.error?.code]).toEqual([403, "https_required"]);
    }
  });

  test("https is served in production, and http in development", async () => {
    const secure = await call("GET", "/.well-known/jwks.json", { env: production, origin: "https://api.example.com" });
    expect(secure.status).toBe(200);
    expect(testEnv.ENVIRONMENT).toBe("development");
    expect((await call("GET", "/.well-known/jwks.json", { origin: "http://localhost:8787" })).status).toBe(200);
  });
});

describe.each(["/api/openapi.json", "/.well-known/jwks.json"])("%s", (path) => {
  test("has a strong ETag and returns 304 for a matching If-None-Match", async () => {
    const first = await call("GET", path);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    expect(first.headers.get("cache-control")).toBe("public, max-age=300");
    for (const given of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const { status, body, headers } = await call("GET", path, { headers: { "if-none-match": given } });
      expect([status, body, headers.get("etag")], given).toEqual([304, "", etag]);
      expect(headers.get("cache-control")).toBe("public, max-age=300");
    }
    const other = await call("GET", path, { headers: { "if-none-match": '"other"' } });
    expect([other.status, other.body]).toEqual([200, first.body]);
  });

  test("returns the same headers for HEAD", async () => {
    const [get, head] = [await call("GET", path), await call("HEAD", path)];
    for (const name of ["etag", "content-type", "content-length", "cache-control"])
      expect(head.headers.get(name), name).toBe(get.headers.get(name));
    expect(get.headers.get("content-type")).toBe("application/json");
  });
});

test("openapi.json is serialised only once for any number of calls", async () => {
  await call("GET", "/api/openapi.json");
  const stringify = vi.spyOn(JSON, "stringify");
  for (let i = 0; i < 3; i++) expect((await call("GET", "/api/openapi.json")).body.openapi).toBe("3.1.0");
  const longest = Math.max(...stringify.mock.results.map(({ value }) => String(value).length));
  expect(stringify.mock.calls.length).toBeGreaterThan(0);
  // A log line.
  expect(longest).toBeLessThan(2_000);
  stringify.mockRestore();
});

test("a different app name leads to a different document and ETag", async () => {
  const own = await call("GET", "/api/openapi.json");
  const env = { APP_NAME: "Elsewhere" } as unknown as Partial<Env>;
  const other = await call("GET", "/api/openapi.json", { env });
  expect(other.body.info.title).toBe("Elsewhere Users API");
  expect(other.headers.get("etag")).not.toBe(own.headers.get("etag"));
  expect((await call("GET", "/api/openapi.json")).headers.get("etag")).toBe(own.headers.get("etag"));
});
