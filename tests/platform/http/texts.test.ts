import { describe, expect, test } from "vitest";
import { errorCatalogue } from "../../../src/platform/http/errors.ts";
import { fieldErrorCatalogue } from "../../../src/platform/http/field-errors.ts";
import { call, newIp, signUp } from "../../support/client.ts";
import { newUser } from "../../support/kyc.ts";
import { tokenWith } from "../../support/matrix.ts";

const DEVANAGARI = /\p{Script=Devanagari}/u;
const placeholders = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

describe("message catalogues", () => {
  const texts = [
    ...Object.entries(errorCatalogue).map(([code, { message }]) => [code, message] as const),
    ...Object.entries(fieldErrorCatalogue),
  ];

  test.each(texts)("%s has an English and a Nepali text with the same placeholders", (_, { en, ne }) => {
    // One message ends with a list of characters, `_` the last.
    expect(en).toMatch(/^[A-Z{].*[.!_]$/);
    expect(en).not.toMatch(DEVANAGARI);
    expect(ne).toMatch(DEVANAGARI);
    expect(placeholders(ne)).toEqual(placeholders(en));
  });
});

/** Refusals of several kinds, one request each. */
const refusals: [string, () => [method: string, path: string, options: Parameters<typeof call>[2]]][] = [
  ["a field", () => ["POST", "/api/auth/otp/request", { json: {} }]],
  [
    "a body that is not JSON",
    () => ["POST", "/api/auth/otp/request", { raw: "{", headers: { "content-type": "application/json" } }],
  ],
  ["a missing token", () => ["GET", "/api/auth/me", {}]],
  ["an unknown route", () => ["GET", "/api/none", {}]],
  ["an unsupported method", () => ["PUT", "/api/auth/me", {}]],
  ["a wrong code", () => ["POST", "/api/auth/otp/verify", { json: { identifier: "9841000000", otp: "000000" } }]],
];

describe("the language of a response", () => {
  test.each(refusals)("follows Accept-Language for %s, and Content-Language names it", async (_, refusal) => {
    const [method, path, options] = refusal();
    const refuse = (language?: string) =>
      call(method, path, {
        ip: newIp(),
        ...options,
        headers: { ...options?.headers, ...(language ? { "accept-language": language } : {}) },
      });
    for (const language of ["ne", "ne-NP", "ne_NP", "ne-Deva-NP", "NE", "fr, ne;q=0.8, en;q=0.2", "ne,en;q=0.9"]) {
      const answer = await refuse(language);
      expect(answer.body.error.message, language).toMatch(DEVANAGARI);
      expect(answer.headers.get("content-language"), language).toBe("ne");
    }
    for (const language of [undefined, "en", "en-US", "fr", "*", "en;q=0.9, ne;q=0.1", "ne;q=0", "nepal", ";;=,"]) {
      const answer = await refuse(language);
      expect(answer.body.error.message, language).not.toMatch(DEVANAGARI);
      expect(answer.headers.get("content-language"), language).toBe("en");
    }
  });

  test("follows Accept-Language for a success, in the envelope and in the data", async () => {
    const user = await signUp();
    const logout = await call("POST", "/api/auth/logout", {
      token: user.access,
      json: { refresh_token: user.refresh },
      headers: { "accept-language": "ne-NP" },
    });
    expect(logout.body.message).toMatch(DEVANAGARI);
    expect(logout.body.data.message).toBe(logout.body.message);
    expect(logout.headers.get("content-language")).toBe("ne");
  });

  test.each(["/api/health", "/api/auth/debug/headers"])("follows Accept-Language for %s", async (path) => {
    for (const language of ["ne", "en"]) {
      const { status, body, headers } = await call("GET", path, { headers: { "accept-language": language } });
      expect([status, headers.get("content-language")]).toEqual([200, language]);
      expect(DEVANAGARI.test(body.message)).toBe(language === "ne");
    }
  });
});

describe("field errors", () => {
  test("carry a code and the values that the message mentions, in addition to the message", async () => {
    const user = await signUp();
    const json = {
      full_name: "a",
      address: "x".repeat(256),
      date_of_birth: "1899-12-31",
      avatar_url: "ftp://x.example",
    };
    const refused = await call("PATCH", "/api/users/profile", { token: user.access, json });
    expect(refused.body.error.fields).toEqual({
      full_name: [{ code: "too_short", min: 2 }],
      address: [{ code: "too_long", max: 255 }],
      date_of_birth: [{ code: "too_early", earliest: "1900-01-01" }],
      avatar_url: [{ code: "not_https_url" }],
    });
    expect(refused.body.error.details).toEqual({
      full_name: ["Must have at least 2 characters."],
      address: ["Must have at most 255 characters."],
      date_of_birth: ["Must be 1900-01-01 or later."],
      avatar_url: ["Must be an https:// address."],
    });
  });

  test.each(["01/02/2000", "+002000-01-01", "2000-1-1"])(
    "of the text %s instead of a date name only the format of a date",
    async (date_of_birth) => {
      const refused = await call("PATCH", "/api/users/profile", {
        token: (await signUp()).access,
        json: { date_of_birth },
      });
      expect(refused.body.error.fields).toEqual({ date_of_birth: [{ code: "not_date" }] });
    },
  );

  test.each([
    [{}, { identifier: [{ code: "required" }], otp: [{ code: "required" }] }],
    [
      { identifier: null, otp: null },
      { identifier: [{ code: "required" }], otp: [{ code: "required" }] },
    ],
    [
      { identifier: "", otp: "" },
      { identifier: [{ code: "required" }], otp: [{ code: "required" }] },
    ],
    [
      { identifier: [], otp: {} },
      { identifier: [{ code: "not_text" }], otp: [{ code: "not_text" }] },
    ],
    [{ identifier: "9841000000", otp: "12" }, { otp: [{ code: "not_otp" }] }],
    [{ identifier: "9841000000", otp: 1_234_567 }, { otp: [{ code: "not_otp" }] }],
    [{ identifier: "9841000000", otp: -123_456 }, { otp: [{ code: "not_text" }] }],
    [{ identifier: "9841000000", otp: 12_345.6 }, { otp: [{ code: "not_text" }] }],
    [
      { identifier: "9841000000", otp: "123456", purpose: "LOOK" },
      { purpose: [{ code: "not_allowed", choices: ["REGISTER", "LOGIN", "CHANGE"] }] },
    ],
    [{ identifier: "a@", otp: "123456" }, { identifier: [{ code: "not_email" }] }],
    [{ identifier: "123", otp: "123456" }, { identifier: [{ code: "unknown_phone" }] }],
    [{ identifier: "+12025550123", otp: "123456" }, { identifier: [{ code: "country_not_supported" }] }],
    [{ identifier: "014411111", otp: "123456" }, { identifier: [{ code: "not_mobile" }] }],
  ])("otp/verify refuses %j with the expected code of each field", async (json, fields) => {
    const refused = await call("POST", "/api/auth/otp/verify", { ip: newIp(), json });
    expect(refused.body.error.fields).toEqual(fields);
  });

  test("are in Nepali if the caller asks for Nepali", async () => {
    const refused = await call("POST", "/api/auth/otp/request", {
      ip: newIp(),
      json: { purpose: "LOOK" },
      headers: { "accept-language": "ne" },
    });
    for (const sentences of Object.values(refused.body.error.details as Record<string, string[]>)) {
      expect(sentences.join()).toMatch(DEVANAGARI);
    }
    expect(refused.body.error.fields.purpose).toEqual([
      { code: "not_allowed", choices: ["REGISTER", "LOGIN", "CHANGE"] },
    ]);
  });
});

test("WWW-Authenticate tells a missing, an invalid and an expired access token apart (RFC 6750 section 3)", async () => {
  const invalid = await call("GET", "/api/auth/me", { token: "none" });
  expect(invalid.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  expect((await call("GET", "/api/auth/me")).headers.get("www-authenticate")).toBe("Bearer");
  const past = Math.floor(Date.now() / 1000) - 60;
  const token = await tokenWith(await newUser(), { iat: past - 900, exp: past });
  const expired = await call("GET", "/api/auth/me", { token });
  expect(expired.headers.get("www-authenticate")).toBe('Bearer error="invalid_token", error_description="expired"');
});

test("a refused access token's message asks for a refresh, and a refused refresh token's for a sign-in", async () => {
  const past = Math.floor(Date.now() / 1000) - 60;
  const expired = await tokenWith(await newUser(), { iat: past - 900, exp: past });
  const signIn = { en: /sign in/i, ne: /साइन इन/ };
  const refresh = { en: /refresh it/i, ne: /रिफ्रेस/ };
  for (const language of ["en", "ne"] as const) {
    const headers = { "accept-language": language };
    for (const token of ["none", expired]) {
      const { message } = (await call("GET", "/api/auth/me", { token, headers })).body.error;
      expect(message).toMatch(refresh[language]);
      expect(message).not.toMatch(signIn[language]);
    }
    const refused = await call("POST", "/api/auth/refresh", { json: { refresh_token: "none" }, headers, ip: newIp() });
    expect([refused.status, refused.body.error.code]).toEqual([401, "token_not_valid"]);
    expect(refused.body.error.message).toMatch(signIn[language]);
  }
});
