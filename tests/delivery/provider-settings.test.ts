import { createExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { buildDeps } from "../../src/build-deps.ts";
import { callOutside } from "../../src/platform/http/outbound.ts";
import { call, newEmail, newIp, newPhone, testEnv } from "../support/client.ts";
import { FALLBACK, fakeInternet, SPARROW, sparrow } from "../support/internet.ts";
import { productionEnv, providerVars, recordLog } from "../support/production.ts";
import { requestAndKeep } from "../support/queue.ts";

afterEach(() => vi.restoreAllMocks());

const account = {
  project_id: "power-bank",
  client_email: "push@power-bank.iam.gserviceaccount.com",
  private_key: "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
};

const hook = {
  url: "https://crm.example.org/in?canary",
  secrets: [`whsec_${btoa("canary-webhook-secret-of-32-byte")}`],
};
const hooks = (...list: unknown[]) => ({ WEBHOOKS: JSON.stringify(list) });
const sixHooks = Array.from({ length: 6 }, (_, i) => ({ ...hook, url: `https://crm${i}.example.org/canary` }));
const fourSecrets = ["a", "b", "c", "d"].map((each) => `whsec_${btoa(each.repeat(32))}`);

describe("An incomplete provider configuration disables all routes, and the log names the missing setting", () => {
  const cases: [string, Record<string, unknown>][] = [
    ["SPARROW_TOKEN", { SPARROW_TOKEN: " " }],
    ["SPARROW_FROM", { SPARROW_TOKEN: undefined, SPARROW_FROM: undefined, SPARROW_URL: "https://sparrow.example" }],
    ["SPARROW_FROM", { SPARROW_FROM: " ", SPARROW_URL: "https://sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "http://sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "https://canary:canary@sparrow.example" }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: undefined }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: "canary" }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: `whsec_${btoa("canary-of-too-few-bytes")}` }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: `whsec_${btoa("canary".repeat(12))}` }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: `whsec_${btoa("canary".padEnd(65, "."))}` }],
    ["SMS_FALLBACK_URL", { SMS_FALLBACK_URL: "http://sms.example.net" }],
    ["SMS_FALLBACK_URL", { SMS_FALLBACK_URL: "ftp://sms.example.net" }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: undefined }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: "", SPARROW_TOKEN: undefined, SPARROW_FROM: undefined }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: undefined, ENVIRONMENT: "development" }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: "0" }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: "-5" }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: "1.5" }],
    ["SMS_DAILY_BUDGET", { SMS_DAILY_BUDGET: "canary" }],
    ["SMS_ANDROID_APP_HASH", { SMS_ANDROID_APP_HASH: "canary1234" }],
    ["SMS_ANDROID_APP_HASH", { SMS_ANDROID_APP_HASH: "canary123456" }],
    ["SMS_ANDROID_APP_HASH", { SMS_ANDROID_APP_HASH: "canary-1234" }],
    ["EMAIL_DAILY_BUDGET", { EMAIL_DAILY_BUDGET: "0" }],
    ["EMAIL_DAILY_BUDGET", { EMAIL_DAILY_BUDGET: "-5" }],
    ["EMAIL_DAILY_BUDGET", { EMAIL_DAILY_BUDGET: "1.5" }],
    ["EMAIL_DAILY_BUDGET", { EMAIL_DAILY_BUDGET: "canary" }],
    ["EMAIL_FROM", { EMAIL_FROM: "canary" }],
    ["EMAIL", { EMAIL: undefined }],
    ["FCM_SERVICE_ACCOUNT", { FCM_SERVICE_ACCOUNT: "canary" }],
    ["FCM_SERVICE_ACCOUNT", { FCM_SERVICE_ACCOUNT: "{}" }],
    ["FCM_SERVICE_ACCOUNT", { FCM_SERVICE_ACCOUNT: JSON.stringify({ ...account, project_id: "../canary" }) }],
    ["FCM_SERVICE_ACCOUNT", { FCM_SERVICE_ACCOUNT: JSON.stringify({ ...account, private_key: undefined }) }],
    ["FCM_SERVICE_ACCOUNT", { FCM_SERVICE_ACCOUNT: JSON.stringify(account) }],
    [
      "FCM_SERVICE_ACCOUNT.token_uri",
      { FCM_SERVICE_ACCOUNT: JSON.stringify({ ...account, token_uri: "http://google.example/token" }) },
    ],
    ["WEBHOOKS", { WEBHOOKS: "https://canary.example" }],
    ["WEBHOOKS", { WEBHOOKS: JSON.stringify(hook) }],
    ["WEBHOOKS", hooks(...sixHooks)],
    ["WEBHOOKS", hooks(hook, { ...hook, url: hook.url.replace("crm", "CRM") })],
    ["WEBHOOKS.0.url", hooks({ ...hook, url: undefined })],
    ["WEBHOOKS.0.url", hooks({ ...hook, url: "canary" })],
    ["WEBHOOKS.0.url", hooks({ ...hook, url: "ftp://canary.example" })],
    ["WEBHOOKS.0.url", hooks({ ...hook, url: "https://canary:canary@crm.example.org" })],
    ["WEBHOOKS.0.url", hooks({ ...hook, url: "http://crm.example.org/canary" })],
    ["WEBHOOKS.1.url", hooks(hook, { ...hook, url: "http://localhost:9000/canary" })],
    ["WEBHOOKS.0.secrets", hooks({ ...hook, secrets: undefined })],
    ["WEBHOOKS.0.secrets", hooks({ ...hook, secrets: [] })],
    ["WEBHOOKS.0.secrets", hooks({ ...hook, secrets: fourSecrets })],
    ["WEBHOOKS.0.secrets", hooks({ ...hook, secrets: [...hook.secrets, ...hook.secrets] })],
    ["WEBHOOKS.0.secrets.0", hooks({ ...hook, secrets: ["canary"] })],
    [
      "WEBHOOKS.0.secrets.1",
      hooks({ ...hook, secrets: [...hook.secrets, `whsec_${btoa("canary-of-too-few-bytes")}`] }),
    ],
  ];

  test.each(cases)("%s in %j", async (name, changes) => {
    const lines = recordLog();
    const answer = await call("GET", "/.well-known/jwks.json", { env: productionEnv(changes) });
    expect(answer.status).toBe(503);
    expect(answer.body.error.code).toBe("service_unavailable");
    const [line] = lines.filter(({ event }) => event === "configuration_refused");
    expect(line?.reason).toMatch(new RegExp(`(^|[ .;])${name}\\b`));
    expect(JSON.stringify(lines)).not.toContain("canary");
  });

  test("allows webhooks over http in development and on loopback only", async () => {
    const statusWith = async (url: string) => {
      const env = { ...testEnv, ...hooks({ ...hook, url }) } as unknown as Env;
      return (await call("GET", "/.well-known/jwks.json", { env })).status;
    };
    for (const host of ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "crm.localhost"]) {
      expect(await statusWith(`http://${host}/in`), host).toBe(200);
    }
    for (const host of ["crm.example.org", "localhost.example.org", "127.0.0.1.example.org", "192.168.0.7"]) {
      expect(await statusWith(`http://${host}/in`), host).toBe(503);
    }
  });

  test("ignores a secret without the variable that switches its provider on, even a malformed one", async () => {
    const cases: [Record<string, unknown>, string[]][] = [
      [{ SPARROW_FROM: undefined }, ["smsFallback", "email"]],
      [{ SPARROW_FROM: " ", SMS_FALLBACK_URL: "", SMS_DAILY_BUDGET: undefined }, ["email"]],
      [{ SMS_FALLBACK_URL: undefined }, ["sparrow", "email"]],
      [{ SMS_FALLBACK_URL: undefined, SMS_FALLBACK_SECRET: "malformed" }, ["sparrow", "email"]],
      [{ GOOGLE_CLIENT_SECRET: "without an id" }, ["sparrow", "smsFallback", "email"]],
      [{ APPLE_PRIVATE_KEY: "malformed" }, ["sparrow", "smsFallback", "email"]],
    ];
    for (const [changes, used] of cases) {
      const env = productionEnv(changes);
      const answer = await call("GET", "/.well-known/jwks.json", { env });
      expect(answer.status, JSON.stringify(changes)).toBe(200);
      const { config } = await buildDeps(env, createExecutionContext(), "settings");
      expect(Object.keys(config.providers), JSON.stringify(changes)).toEqual(used);
      expect(Object.keys(config.social)).toEqual(["redirectUris"]);
    }
  });

  test("accepts all providers or none", async () => {
    const none = Object.fromEntries(Object.keys(providerVars).map((name) => [name, undefined]));
    const environment = { ENVIRONMENT: providerVars.ENVIRONMENT, ISSUER: providerVars.ISSUER };
    for (const changes of [
      {},
      { ...none, ...environment },
      { ...none, ...environment, EMAIL: undefined },
      hooks(),
      hooks(hook),
    ]) {
      expect((await call("GET", "/.well-known/jwks.json", { env: productionEnv(changes) })).status).toBe(200);
    }
  });
});

describe("In production a code is accepted for sending only if its channel has a provider", () => {
  const without = {
    sparrow: { SPARROW_TOKEN: undefined, SPARROW_FROM: undefined },
    fallback: { SMS_FALLBACK_URL: undefined, SMS_FALLBACK_SECRET: undefined },
    email: { EMAIL_FROM: undefined },
  };
  const statusOf = async (identifier: string, changes: Record<string, unknown>) => {
    const OTP_QUEUE = { sendBatch: async () => undefined };
    const env = productionEnv({ ...changes, OTP_QUEUE });
    return (await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier }, env })).status;
  };

  test("SMS needs either SMS provider, e-mail its own", async () => {
    expect(await statusOf(newPhone(), without.sparrow)).toBe(200);
    expect(await statusOf(newPhone(), without.fallback)).toBe(200);
    expect(await statusOf(newPhone(), without.email)).toBe(200);
    expect(await statusOf(newPhone(), { ...without.sparrow, ...without.fallback })).toBe(503);
    expect(await statusOf(newEmail(), { ...without.sparrow, ...without.fallback })).toBe(200);
    expect(await statusOf(newEmail(), without.email)).toBe(503);
  });

  test("requesting a code calls no external host", async () => {
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: () => new Promise<Response>(() => {}) });
    await requestAndKeep(newPhone(), productionEnv());
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([0, 0]);
  });
});

test("ASVS 13.2.4: only configured origins are called", async () => {
  const deps = await buildDeps(productionEnv(hooks(hook)), createExecutionContext(), "egress");
  const fetched = vi.spyOn(globalThis, "fetch");
  const strangers = [
    "https://canary.example/",
    "http://api.sparrowsms.com/v2/sms/",
    "https://api.sparrowsms.com:8443/v2/sms/",
    "https://api.sparrowsms.com.canary.example/",
    "https://api.sparrowsms.com@canary.example/",
    "https://fcm.googleapis.com/",
    "https://crm.example.org:8443/in",
    "http://crm.example.org/in",
  ];
  for (const url of strangers) {
    await expect(callOutside(deps, url, { method: "GET", headers: {} }), url).rejects.toThrow(
      "is not a configured origin",
    );
  }
  expect(fetched).not.toHaveBeenCalled();
});
