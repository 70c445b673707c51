import { exportPKCS8 } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call } from "../../support/client.ts";
import { fakeProviders, type Providers, rsa } from "../../support/openid.ts";
import { recordLog } from "../../support/production.ts";

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const production = { ENVIRONMENT: "production" };
const endpoints = {
  issuer: "https://op.example.com",
  authorization: "https://op.example.com/auth",
  token: "https://op.example.com/token",
  jwks: "https://op.example.com/keys",
};
const uris = (text: string) => ({ SOCIAL_REDIRECT_URIS: text });
const health = (changes: object) =>
  call("GET", "/api/health", { env: { ...providers.env, ...changes } as Partial<Env> });

describe("An invalid setting of sign-in with Google or Apple disables all routes, and the log names it", () => {
  const cases: [setting: string, Record<string, unknown>][] = [
    ["GOOGLE_CLIENT_ID", { GOOGLE_CLIENT_ID: undefined }],
    ["GOOGLE_CLIENT_ID", { GOOGLE_CLIENT_ID: " " }],
    ["GOOGLE_CLIENT_SECRET", { GOOGLE_CLIENT_SECRET: undefined }],
    ["GOOGLE_ENDPOINTS", { GOOGLE_ENDPOINTS: "canary" }],
    ["GOOGLE_ENDPOINTS", { GOOGLE_ENDPOINTS: JSON.stringify({ ...endpoints, token: undefined }) }],
    ["GOOGLE_ENDPOINTS", { GOOGLE_ENDPOINTS: JSON.stringify({ ...endpoints, userinfo: "https://canary.example" }) }],
    [
      "GOOGLE_ENDPOINTS",
      { ...production, GOOGLE_ENDPOINTS: JSON.stringify({ ...endpoints, jwks: "http://op.example.com/canary" }) },
    ],
    ["APPLE_CLIENT_ID", { APPLE_CLIENT_ID: undefined }],
    ["APPLE_TEAM_ID", { APPLE_TEAM_ID: undefined }],
    ["APPLE_KEY_ID", { APPLE_KEY_ID: undefined }],
    ["APPLE_PRIVATE_KEY", { APPLE_PRIVATE_KEY: undefined }],
    ["APPLE_PRIVATE_KEY", { APPLE_PRIVATE_KEY: "canary" }],
    ["APPLE_PRIVATE_KEY", { APPLE_PRIVATE_KEY: "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----" }],
    ["SOCIAL_REDIRECT_URIS", uris("canary")],
    ["SOCIAL_REDIRECT_URIS", uris("javascript:canary()")],
    ["SOCIAL_REDIRECT_URIS", uris("canary:/signed-in")],
    ["SOCIAL_REDIRECT_URIS", uris("http://canary.example/signed-in")],
    ["SOCIAL_REDIRECT_URIS", uris("http://localhost.canary.example/signed-in")],
    ["SOCIAL_REDIRECT_URIS", uris("http://localhost@canary.example/signed-in")],
    ["SOCIAL_REDIRECT_URIS", uris("https://canary@app.example.com/signed-in")],
    ["SOCIAL_REDIRECT_URIS", uris("https://app.example.com/signed-in#canary")],
    ["SOCIAL_REDIRECT_URIS", uris("https://app.example.com/signed-in, data:text/html,canary")],
  ];

  it.each(cases)("%s with %j", async (setting, changes) => {
    const lines = recordLog();
    expect((await health(changes)).status).toBe(503);
    const line = lines.find(({ event }) => event === "configuration_refused");
    expect(String(line?.reason)).toMatch(new RegExp(`^${setting}[.:]`));
    expect(JSON.stringify(lines)).not.toContain("canary");
  });

  it("APPLE_PRIVATE_KEY with a key of another type", async () => {
    const lines = recordLog();
    expect((await health({ APPLE_PRIVATE_KEY: await exportPKCS8(rsa.privateKey) })).status).toBe(503);
    expect(lines.find(({ event }) => event === "configuration_refused")?.reason).toMatch(/^APPLE_PRIVATE_KEY:/);
  });
});

it("keys on one line, custom app schemes, https pages and loopback addresses are accepted", async () => {
  const { APPLE_PRIVATE_KEY } = providers.env as { APPLE_PRIVATE_KEY: string };
  const changes = {
    APPLE_PRIVATE_KEY: APPLE_PRIVATE_KEY.replaceAll("\n", "\\n"),
    SOCIAL_REDIRECT_URIS:
      "com.example.app:/in, com.example.app://in , https://a.example/in?x=1,http://localhost:3000/in",
    GOOGLE_NATIVE_CLIENT_IDS: undefined,
    GOOGLE_ENDPOINTS: undefined,
  };
  expect((await health(changes)).status).toBe(200);
});
