import { expect, test } from "vitest";
import { call } from "../support/client.ts";

test("the example app is a page whose script comes from its own origin", async () => {
  for (const path of ["/example", "/example/"]) {
    const { status, headers, body } = await call("GET", path);
    expect(status).toBe(200);
    expect(headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(body).toContain('src="/example/main.js"');
  }
  const script = await call("GET", "/example/main.js");
  expect(script.headers.get("content-type")).toContain("javascript");
  expect(script.body).toContain("POST /auth/otp/request");
  expect((await call("GET", "/example/other.js")).status).toBe(404);
});
