import { describe, expect, test, vi } from "vitest";
import { call } from "../../support/client.ts";
import { documented } from "../../support/kyc.ts";
import { FINGERPRINT } from "../../support/passkey-vars.ts";

const withVars = (vars: Record<string, string | undefined>) => ({ env: vars as unknown as Partial<Env> });
const nothing = {
  PASSKEY_RP_ID: undefined,
  PASSKEY_ORIGINS: undefined,
  PASSKEY_IOS_APPS: undefined,
  PASSKEY_ANDROID_APPS: undefined,
  STAFF_PASSKEYS: undefined,
};

const documents = {
  "apple-app-site-association": { webcredentials: { apps: ["ABCDE12345.np.powerbank.app"] } },
  "assetlinks.json": [
    {
      relation: ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
      target: {
        namespace: "android_app",
        package_name: "np.powerbank.app",
        sha256_cert_fingerprints: [FINGERPRINT],
      },
    },
  ],
  webauthn: { origins: ["https://powerbank-staff.example"] },
};
const files = Object.entries(documents);

describe("The association files of the passkeys' domain", () => {
  test.each(files)("%s names what is configured, as JSON that anyone may cache", async (file, content) => {
    const answer = await documented("GET", `/.well-known/${file}`);
    expect(answer.body).toEqual(content);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    const again = await call("GET", `/.well-known/${file}`, {
      headers: { "if-none-match": String(answer.headers.get("etag")) },
    });
    expect(again.status).toBe(304);
  });

  test.each(files)("%s is 404 where passkeys are not offered, and where it names nothing", async (file) => {
    const onlyDomain = { ...nothing, PASSKEY_RP_ID: "powerbank.example", STAFF_PASSKEYS: "optional" };
    for (const vars of [nothing, onlyDomain]) {
      const answer = await documented("GET", `/.well-known/${file}`, withVars(vars));
      expect([answer.status, answer.body.error.code]).toEqual([404, "not_found"]);
    }
  });

  test("webauthn leaves out the domain itself and what is below it", async () => {
    const PASSKEY_ORIGINS =
      "https://powerbank.example,https://a.b.powerbank.example,https://notpowerbank.example,https://powerbank.example.net";
    const { body } = await documented("GET", "/.well-known/webauthn", withVars({ PASSKEY_ORIGINS }));
    expect(body).toEqual({ origins: ["https://notpowerbank.example", "https://powerbank.example.net"] });
  });
});

const production = { ENVIRONMENT: "production", ISSUER: "https://api.example.com" };

describe("The settings of passkeys", () => {
  const refused: [string, Record<string, string | undefined>][] = [
    ["PASSKEY_RP_ID: required with PASSKEY_ORIGINS", { ...nothing, PASSKEY_ORIGINS: "https://a.example" }],
    ["PASSKEY_RP_ID: required with PASSKEY_IOS_APPS", { ...nothing, PASSKEY_IOS_APPS: "ABCDE12345.np.app" }],
    [
      "PASSKEY_RP_ID: required with PASSKEY_ANDROID_APPS",
      { ...nothing, PASSKEY_ANDROID_APPS: JSON.stringify({ "np.app": [FINGERPRINT] }) },
    ],
    ["PASSKEY_RP_ID: required with STAFF_PASSKEYS", { ...nothing, STAFF_PASSKEYS: "required" }],
    ["STAFF_PASSKEYS: required with PASSKEY_RP_ID", { ...production, STAFF_PASSKEYS: "" }],
    ["PASSKEY_ORIGINS: must be https", { ...production, PASSKEY_ORIGINS: "http://dashboard.powerbank.example" }],
    ["PASSKEY_RP_ID: must be a domain", { PASSKEY_RP_ID: "https://powerbank.example" }],
    ["PASSKEY_RP_ID: must be a domain", { PASSKEY_RP_ID: "PowerBank.example" }],
    ["PASSKEY_ORIGINS.0: must be origins", { PASSKEY_ORIGINS: "https://powerbank.example/" }],
    ["PASSKEY_ORIGINS.0: must be origins", { PASSKEY_ORIGINS: "capacitor://localhost" }],
    ["PASSKEY_IOS_APPS.0: must be app ids", { PASSKEY_IOS_APPS: "np.powerbank.app" }],
    ["PASSKEY_ANDROID_APPS", { PASSKEY_ANDROID_APPS: '{"np.powerbank.app": "AB:CD"}' }],
    ["PASSKEY_ANDROID_APPS", { PASSKEY_ANDROID_APPS: '{"np.powerbank.app": ["AB:CD"]}' }],
    ["PASSKEY_ANDROID_APPS", { PASSKEY_ANDROID_APPS: "np.powerbank.app" }],
    ["STAFF_PASSKEYS", { STAFF_PASSKEYS: "yes" }],
  ];

  test.each(refused)("are refused with %s", async (reason, vars) => {
    const log: string[] = [];
    vi.spyOn(console, "error").mockImplementation((...words) => void log.push(words.map(String).join(" ")));
    const { status } = await call("GET", "/api/health", withVars(vars));
    vi.restoreAllMocks();
    expect(status).toBe(503);
    expect(log.join("\n")).toContain(reason);
  });

  test("development may leave out STAFF_PASSKEYS and use http", async () => {
    const vars = { STAFF_PASSKEYS: "", PASSKEY_RP_ID: "localhost", PASSKEY_ORIGINS: "http://localhost:3000" };
    expect((await call("GET", "/api/health", withVars(vars))).status).toBe(200);
  });
});
