import { createExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { buildDeps } from "../../src/platform/deps.ts";
import { callOutside } from "../../src/platform/outbound.ts";
import { call, newEmail, newIp, newPhone } from "../support/client.ts";
import { FALLBACK, fakeInternet, SPARROW, sparrow } from "../support/internet.ts";
import { productionEnv, providerVars, recordLog } from "../support/production.ts";
import { requestAndKeep } from "../support/queue.ts";

afterEach(() => vi.restoreAllMocks());

const account = {
  project_id: "power-bank",
  client_email: "push@power-bank.iam.gserviceaccount.com",
  private_key: "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
};

describe("A provider that is configured by half serves nothing, and the log names what is missing", () => {
  const cases: [string, Record<string, unknown>][] = [
    ["SPARROW_FROM", { SPARROW_FROM: undefined }],
    ["SPARROW_FROM", { SPARROW_FROM: "" }],
    ["SPARROW_TOKEN", { SPARROW_TOKEN: " " }],
    ["SPARROW_TOKEN", { SPARROW_TOKEN: undefined, SPARROW_FROM: undefined, SPARROW_URL: "https://sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "http://sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "sparrow.example" }],
    ["SPARROW_URL", { SPARROW_URL: "https://canary:canary@sparrow.example" }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: undefined }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: "canary" }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: `whsec_${btoa("canary-of-too-few-bytes")}` }],
    ["SMS_FALLBACK_SECRET", { SMS_FALLBACK_SECRET: `whsec_${btoa("canary".repeat(12))}` }],
    ["SMS_FALLBACK_URL", { SMS_FALLBACK_URL: undefined }],
    ["SMS_FALLBACK_URL", { SMS_FALLBACK_URL: "http://sms.example.net" }],
    ["SMS_FALLBACK_URL", { SMS_FALLBACK_URL: "ftp://sms.example.net" }],
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

  test("all of them whole, or none of them, serve", async () => {
    const none = Object.fromEntries(Object.keys(providerVars).map((name) => [name, undefined]));
    const environment = { ENVIRONMENT: providerVars.ENVIRONMENT, ISSUER: providerVars.ISSUER };
    for (const changes of [{}, { ...none, ...environment }, { ...none, ...environment, EMAIL: undefined }]) {
      expect((await call("GET", "/.well-known/jwks.json", { env: productionEnv(changes) })).status).toBe(200);
    }
  });
});

describe("A code is promised in production where its channel has a provider", () => {
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

  test("text messages by either provider, e-mail by its own", async () => {
    expect(await statusOf(newPhone(), without.sparrow)).toBe(200);
    expect(await statusOf(newPhone(), without.fallback)).toBe(200);
    expect(await statusOf(newPhone(), without.email)).toBe(200);
    expect(await statusOf(newPhone(), { ...without.sparrow, ...without.fallback })).toBe(503);
    expect(await statusOf(newEmail(), { ...without.sparrow, ...without.fallback })).toBe(200);
    expect(await statusOf(newEmail(), without.email)).toBe(503);
  });

  test("the request that asks for it calls nobody outside", async () => {
    const received = fakeInternet({ [SPARROW]: sparrow, [FALLBACK]: () => new Promise<Response>(() => {}) });
    await requestAndKeep(newPhone(), productionEnv());
    expect([received[SPARROW]?.length, received[FALLBACK]?.length]).toEqual([0, 0]);
  });
});

test("ASVS 13.2.4: no origin is called but those of the configuration", async () => {
  const deps = await buildDeps(productionEnv(), createExecutionContext(), "egress");
  const fetched = vi.spyOn(globalThis, "fetch");
  const strangers = [
    "https://canary.example/",
    "http://api.sparrowsms.com/v2/sms/",
    "https://api.sparrowsms.com:8443/v2/sms/",
    "https://api.sparrowsms.com.canary.example/",
    "https://api.sparrowsms.com@canary.example/",
    "https://fcm.googleapis.com/",
  ];
  for (const url of strangers) {
    await expect(callOutside(deps, url, { method: "GET", headers: {} }), url).rejects.toThrow("not an origin");
  }
  expect(fetched).not.toHaveBeenCalled();
});
