import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newIp,
  newPhone,
  requestCode,
  signUp,
  testEnv,
} from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";

afterEach(() => {
  vi.useRealTimers();
});

const formats = ["json", "form", "multipart"] as const;

/** Options of a call with the fields in the given format, from a new network. */
function inFormat(format: (typeof formats)[number], fields: Record<string, string>): CallOptions {
  return { ip: newIp(), [format]: fields };
}

const otpRequest = "/api/auth/otp/request";
const routes: [string, string[]][] = [
  [otpRequest, ["identifier", "purpose"]],
  ["/api/auth/otp/verify", ["identifier", "otp", "purpose"]],
  ["/api/auth/register", ["identifier", "verification_token", "username", "referral_code"]],
  ["/api/auth/login", ["identifier", "verification_token"]],
  ["/api/auth/refresh", ["refresh", "refresh_token"]],
  ["/api/auth/logout", ["refresh", "refresh_token"]],
];

/** Well-formed values that belong to no user. */
function plausible(names: string[]): Record<string, string> {
  const values: Record<string, string> = {
    identifier: newPhone(),
    otp: "123456",
    purpose: "LOGIN",
    verification_token: "x".repeat(43),
    username: "someone",
    referral_code: "REFABC123",
    refresh: "a.b.c",
    refresh_token: "a.b.c",
  };
  return Object.fromEntries(names.map((name) => [name, values[name] ?? ""]));
}

const anyOf = (fields: string[]) => Object.fromEntries(fields.map((field) => [field, expect.any(Array)]));

function expectFailure(answer: Answer, status: number, code: string, fields?: string[]) {
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  expect(answer.body).toEqual({
    success: false,
    error: {
      code,
      message: expect.stringMatching(/\S/),
      ...(fields ? { details: anyOf(fields), fields: anyOf(fields) } : {}),
    },
    request_id: answer.headers.get("x-request-id"),
  });
}

/** Expects a success or a documented refusal, never a 5xx. */
function expectNoFault(answer: Answer, what: string) {
  expect(answer.status, what).toBeLessThan(500);
  if (answer.status < 400) return;
  expect(answer.body, what).toMatchObject({ success: false, error: { code: expect.any(String) } });
  expect(answer.body.request_id, what).toBe(answer.headers.get("x-request-id"));
}

const json = { "content-type": "application/json" };

describe("Body formats", () => {
  test.each(formats)("a complete sign-in with %s bodies has the documented effects and responses", async (format) => {
    const clock = stopClock();
    const identifier = newPhone();
    const otp = await requestCode(identifier, { ip: newIp() });
    const proof = await call("POST", "/api/auth/otp/verify", inFormat(format, { identifier, otp, purpose: "LOGIN" }));
    expect(proof.body.data).toMatchObject({ purpose: "REGISTER", expires_in: 600 });
    const { verification_token } = proof.body.data;
    const username = `${format}${Date.now()}`;
    const fields = { identifier, verification_token, username };
    const account = await call("POST", "/api/auth/register", inFormat(format, fields));
    expect(account.status).toBe(201);
    expect(account.body.data.user.username).toBe(username);

    const renewed = await call(
      "POST",
      "/api/auth/refresh",
      inFormat(format, { refresh: account.body.data.refresh_token }),
    );
    expect(renewed.status).toBe(200);
    const { access: token, refresh: refresh_token } = renewed.body;
    const goodbye = await call("POST", "/api/auth/logout", { ...inFormat(format, { refresh_token }), token });
    expect(goodbye.status).toBe(200);

    clock.advance(61_000);
    const ip = newIp();
    const again = await call("POST", otpRequest, inFormat(format, { identifier, purpose: "LOGIN" }));
    expect(again.status).toBe(200);
    expect(again.body.data).toMatchObject({ expires_in: 300 });
    clock.advance(61_000);
    const code = await requestCode(identifier, { ip });
    const { body } = await call("POST", "/api/auth/otp/verify", inFormat(format, { identifier, otp: code }));
    const login = { identifier, verification_token: body.data.verification_token };
    const back = await call("POST", "/api/auth/login", inFormat(format, login));
    expect(back.status).toBe(200);
    expect(back.body.data.user_id).toBe(account.body.data.user_id);
  });

  test.each(formats)("ASVS 15.3.3: unknown and read-only fields of a %s body are ignored", async (format) => {
    const identifier = newPhone();
    const otp = await requestCode(identifier, { ip: newIp() });
    const readOnly = {
      id: "0198c0de-0000-7000-8000-000000000000",
      user_id: "0198c0de-0000-7000-8000-000000000000",
      status: "BANNED",
      role: "admin",
      is_staff: "true",
      is_superuser: "true",
      email: "else@example.com",
      email_verified: "true",
      balance: "1000.00",
      wallet_balance: "1000.00",
      points: "1000",
      current_points: "1000",
      kyc_status: "APPROVED",
      profile_complete: "true",
      social_provider: "GOOGLE",
      referral_applied: "true",
      date_joined: "2001-01-01T00:00:00Z",
      unheard_of: "x",
    };
    const verified = await call("POST", "/api/auth/otp/verify", inFormat(format, { ...readOnly, identifier, otp }));
    const { verification_token } = verified.body.data;
    const fields = { ...readOnly, identifier, verification_token };
    const { status, body } = await call("POST", "/api/auth/register", inFormat(format, fields));
    expect(status).toBe(201);
    expect(body.data.referral_applied).toBe(false);
    const me = await call("GET", "/api/auth/me", { token: body.data.access_token });
    expect(me.body.data).toMatchObject({
      status: "ACTIVE",
      kyc_status: "NOT_SUBMITTED",
      profile_complete: false,
      social_provider: "PHONE",
    });
    expect(me.body.data.id).not.toBe(readOnly.id);
    expect(me.body.data.date_joined).not.toMatch(/^2001/);
    const row = await testEnv.DB.prepare(
      `select role, email, email_verified, balance_minor, current_points from users
        join wallets on wallets.user_id = users.id join points on points.user_id = users.id where users.id = ?`,
    )
      .bind(me.body.data.id)
      .first();
    expect(row).toEqual({ role: "user", email: null, email_verified: 0, balance_minor: 0, current_points: 50 });
  });

  test.each(["form", "multipart"] as const)("an empty value of a %s body counts as absent", async (format) => {
    const absent = await call("POST", otpRequest, inFormat(format, { identifier: "" }));
    expectFailure(absent, 400, "validation_error", ["identifier"]);
    const identifier = newPhone();
    const otp = await requestCode(identifier, { ip: newIp() });
    const proof = await call("POST", "/api/auth/otp/verify", inFormat(format, { identifier, otp, purpose: "" }));
    const { verification_token } = proof.body.data;
    const fields = { identifier, verification_token, username: "", referral_code: "" };
    const account = await call("POST", "/api/auth/register", inFormat(format, fields));
    expect(account.status).toBe(201);
    expect(account.body.data.user.username).toMatch(/^user_/);
    const refresh = account.body.data.refresh_token;
    const nothing = await call("POST", "/api/auth/refresh", inFormat(format, { refresh: "", refresh_token: "" }));
    expectFailure(nothing, 400, "refresh_token_required");
    const either = await call("POST", "/api/auth/refresh", inFormat(format, { refresh_token: "", refresh }));
    expect(either.status).toBe(200);
  });

  test("DELETE accepts a body of any format", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    for (const format of formats) {
      const body = inFormat(format, { id: "0198c0de-0000-7000-8000-000000000000", reason: "tidy" });
      const others = await call("DELETE", "/api/auth/sessions", { ...body, token });
      expect(others.status, format).toBe(200);
      const unknown = await call("DELETE", `/api/auth/sessions/${crypto.randomUUID()}`, { ...body, token });
      expectFailure(unknown, 404, "not_found");
    }
    expect((await call("GET", "/api/auth/sessions", { token })).body.data).toHaveLength(1);
  });

  test("media types match in any letter case and with parameters", async () => {
    for (const type of ["Application/JSON; charset=UTF-8", "application/json;charset=utf-8", "APPLICATION/JSON"]) {
      const raw = JSON.stringify({ identifier: newPhone() });
      const answer = await call("POST", otpRequest, { ip: newIp(), raw, headers: { "content-type": type } });
      expect(answer.status, type).toBe(200);
    }
    const raw = new URLSearchParams({ identifier: newPhone() }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
    expect((await call("POST", otpRequest, { ip: newIp(), raw, headers })).status).toBe(200);
  });
});

describe("Unreadable bodies", () => {
  const deep = 30_000;
  const malformed = [
    "{",
    '{"identifier":}',
    '{"identifier":"9841234567",}',
    "{'identifier':'9841234567'}",
    '{"identifier":"9841234567"}{"identifier":"9841234567"}',
    '{"identifier":"98412',
    '{"identifier":"\u0001"}',
    "undefined",
    "NaN",
    "[".repeat(deep),
    '{"a":'.repeat(deep / 5),
    "[]",
    '["identifier"]',
    '"identifier"',
    "9841234567",
    "null",
    "true",
    `${"[".repeat(deep)}${"]".repeat(deep)}`,
  ];

  test("ASVS 2.2.1: malformed JSON and JSON that is not an object are a validation_error", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    for (const [path] of routes) {
      for (const raw of malformed) {
        const answer = await call("POST", path, { ip: newIp(), token, raw, headers: json });
        expectFailure(answer, 400, "validation_error");
      }
    }
  });

  test("a value nested thousands of levels deep is refused like any other wrong type", async () => {
    const raw = `{"identifier":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    const answer = await call("POST", otpRequest, { ip: newIp(), raw, headers: json });
    expectFailure(answer, 400, "validation_error", ["identifier"]);
  });

  test("invalid UTF-8 is a validation_error in every format", async () => {
    const bytes = (text: string) => Uint8Array.from([...text], (character) => character.charCodeAt(0));
    const part = '--b\r\ncontent-disposition: form-data; name="identifier"\r\n\r\n98\xff\xfe41\r\n--b--\r\n';
    const bodies: [string, string][] = [
      ["application/json", '{"identifier":"98412\xff\xfe"}'],
      ["application/json", '\xff\xfe{\x00"\x00'],
      ["application/x-www-form-urlencoded", "identifier=98\xff\xfe41"],
      ["application/x-www-form-urlencoded", "identifier=98%ff%fe41"],
      ["multipart/form-data; boundary=b", part],
    ];
    for (const [type, text] of bodies) {
      const answer = await call("POST", otpRequest, {
        ip: newIp(),
        raw: bytes(text),
        headers: { "content-type": type },
      });
      expect(answer.status, type).toBe(400);
      expect(answer.body.error.code).toBe("validation_error");
    }
  });

  test("percent escapes in a form must decode to valid UTF-8", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const save = (full_name: string) =>
      call("PATCH", "/api/users/profile", { token, headers, raw: `full_name=${full_name}` });
    for (const cut of ["Asha+%ff", "Asha+%E0%A4", "Asha+%A4%BE", "%C0%80+Asha", "%ED%A0%80+Asha"]) {
      const answer = await save(cut);
      expect([answer.status, answer.body.error?.code], cut).toEqual([400, "validation_error"]);
    }
    expect((await call("GET", "/api/users/profile", { token })).body.data.full_name).toBeNull();
    expect((await save("%E0%A4%86%e0%a4%b6%E0%A4%BE+100%+%F0%9F%98%80é")).body.data.full_name).toBe("आशा 100% 😀é");
  });

  test("a malformed multipart body is a validation_error", async () => {
    const field = 'content-disposition: form-data; name="identifier"\r\n\r\n9841234567\r\n';
    const bodies: [string, string][] = [
      ["multipart/form-data", `--b\r\n${field}--b--\r\n`],
      ["multipart/form-data; boundary=", `--b\r\n${field}--b--\r\n`],
      ["multipart/form-data; boundary=other", `--b\r\n${field}--b--\r\n`],
      ["multipart/form-data; boundary=b", `--b\r\n${field}`],
      ["multipart/form-data; boundary=b", "--b\r\n9841234567\r\n--b--\r\n"],
      ["multipart/form-data; boundary=b", "--b\r\ncontent-disposition: form-data\r\n\r\n98412\r\n--b--\r\n"],
      ["multipart/form-data; boundary=b", "not multipart at all"],
      ["multipart/form-data; boundary=b", "--b--\r\n"],
    ];
    for (const [type, raw] of bodies) {
      const answer = await call("POST", otpRequest, { ip: newIp(), raw, headers: { "content-type": type } });
      expect(answer.status, `${type} ${raw}`).toBe(400);
      expect(answer.body.error.code).toBe("validation_error");
    }
  });

  test("a file in a text field is a validation_error on that field", async () => {
    const multipart = { identifier: new File(["9841234567"], "identifier.txt") };
    expectFailure(await call("POST", otpRequest, { ip: newIp(), multipart }), 400, "validation_error", ["identifier"]);
  });

  test("an unsupported or missing media type returns 415", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    const raw = new TextEncoder().encode(JSON.stringify({ identifier: newPhone(), refresh: "a.b.c" }));
    const types = [undefined, "", "text/plain", "text/html", "application/xml", "application/jsonx", "json", "*/*"];
    for (const [path] of routes) {
      for (const type of types) {
        const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
        const answer = await call("POST", path, { ip: newIp(), token, raw, headers });
        expectFailure(answer, 415, "unsupported_media_type");
      }
    }
  });

  test("an empty body gets the route's validation error", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    for (const options of [{}, { headers: json, raw: "" }, { headers: json, json: {} }, { form: {} }]) {
      for (const [path, names] of routes) {
        const answer = await call("POST", path, { ip: newIp(), token, ...options });
        if (names.includes("refresh")) expectFailure(answer, 400, "refresh_token_required");
        else expectFailure(answer, 400, "validation_error", names.filter(isRequired));
      }
    }
  });
});

const isRequired = (name: string) => ["identifier", "otp", "verification_token"].includes(name);

describe("API4: a body over 64 KB returns 413", () => {
  const atMost = 64 * 1024;
  const ofSize = (size: number) => `{"identifier":"${"9".repeat(size - 17)}"}`;

  test("with a correct, a wrong and no Content-Length", async () => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    const body = ofSize(atMost + 1);
    expect(body).toHaveLength(atMost + 1);
    for (const [path] of routes) {
      for (const length of [String(body.length), "10", undefined]) {
        const headers = length === undefined ? json : { ...json, "content-length": length };
        const raw = length === undefined ? (new Blob([body]).stream() as ReadableStream) : body;
        const answer = await call("POST", path, { ip: newIp(), token, raw, headers });
        expectFailure(answer, 413, "payload_too_large");
      }
    }
    const kept = await call("POST", otpRequest, { ip: newIp(), raw: ofSize(atMost), headers: json });
    expectFailure(kept, 400, "validation_error", ["identifier"]);
  });

  test("in every format", async () => {
    const fields = { identifier: newPhone(), filler: "x".repeat(atMost) };
    for (const format of formats) {
      expectFailure(await call("POST", otpRequest, inFormat(format, fields)), 413, "payload_too_large");
    }
  });

  test("ASVS 5.2.1: without reading beyond the limit, whatever the length of the stream and its Content-Length", async () => {
    for (const length of [undefined, "", "0", "10", "-1", "NaN", "5, 5"]) {
      let given = 0;
      const endless = new ReadableStream({
        pull(controller) {
          given += 8192;
          if (given > 100 * atMost) controller.error(new Error("it is read without end"));
          else controller.enqueue(new Uint8Array(8192).fill(0x20));
        },
      });
      const headers = length === undefined ? json : { ...json, "content-length": length };
      const answer = await call("POST", otpRequest, { ip: newIp(), raw: endless, headers });
      expectFailure(answer, 413, "payload_too_large");
      expect(given, length).toBeLessThan(4 * atMost);
    }
  });
});

describe("Invalid field values", () => {
  const wrongTypes: unknown[] = [[], ["a"], [["a"]], {}, { a: 1 }, { toString: "a" }, true, false, -1, 1.5, 1e300];
  const oddities = [null, 0, 1, "", " ", "\u0000", "\ud800", "\u202e", "\ufeff", "💥".repeat(200), "x".repeat(60_000)];
  const attacks = [
    "' OR 1=1 --",
    "../../../etc/passwd",
    "%00",
    "{{7*7}}",
    "$ne",
    "<script>",
    "a\r\nx-injected: 1",
    "__proto__",
  ];

  test.each(routes)(
    "ASVS 15.3.5: %s refuses arrays, objects, booleans and fractions in every field",
    async (path, names) => {
      const { access: token } = await signUp(newPhone(), { ip: newIp() });
      for (const name of names) {
        for (const value of wrongTypes) {
          const body = { ...plausible(names), [name]: value };
          const answer = await call("POST", path, { ip: newIp(), token, json: body });
          expect(answer.body.error?.code, `${name} ${JSON.stringify(value)}`).toBe("validation_error");
          expect(Object.keys(answer.body.error.details)).toEqual([name]);
        }
      }
    },
  );

  test.each(routes)("ASVS 1.2.4: %s handles unusual and hostile text without a 5xx", async (path, names) => {
    const { access: token } = await signUp(newPhone(), { ip: newIp() });
    for (const name of names) {
      for (const value of [...oddities, ...attacks]) {
        const body = { ...plausible(names), [name]: value };
        const what = `${name} ${JSON.stringify(value).slice(0, 40)}`;
        const answer = await call("POST", path, { ip: newIp(), token, json: body });
        expectNoFault(answer, what);
        expect(answer.headers.get("x-injected")).toBeNull();
        if (isRequired(name) && (value === null || value === "")) expect(answer.status, what).toBe(400);
      }
    }
  });

  test("registering with unusual text never returns a 5xx, and never stores a username that was not validated", async () => {
    const identifier = newPhone();
    const otp = await requestCode(identifier, { ip: newIp() });
    const proof = await call("POST", "/api/auth/otp/verify", inFormat("json", { identifier, otp }));
    const { verification_token } = proof.body.data;
    for (const username of ["\u0000", "a\u0000b", "\ud800", "\u202eabc", "\u200b", "a\nb", "x".repeat(151)]) {
      const body = { identifier, verification_token, username };
      const answer = await call("POST", "/api/auth/register", { ip: newIp(), json: body });
      expectFailure(answer, 400, "validation_error", ["username"]);
    }
    const body = { identifier, verification_token, referral_code: "\ud800\u0000" };
    expectNoFault(await call("POST", "/api/auth/register", { ip: newIp(), json: body }), "referral_code");
  });
});

describe("ASVS 15.3.6: field names that are built-in properties of JavaScript objects", () => {
  const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

  test("have no effect in any format", async () => {
    for (const name of names) {
      for (const format of formats) {
        const fields = Object.fromEntries([
          ["identifier", newPhone()],
          [name, "polluted"],
        ]);
        expect((await call("POST", otpRequest, inFormat(format, fields))).status, `${format} ${name}`).toBe(200);
      }
      const raw = `{"${name}":{"identifier":"${newPhone()}","polluted":true,"prototype":{"polluted":true}}}`;
      const answer = await call("POST", otpRequest, { ip: newIp(), raw, headers: json });
      expectFailure(answer, 400, "validation_error", ["identifier"]);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("ASVS 1.5.3, 15.3.7: a repeated field is refused in both form formats; in JSON the last one wins", async () => {
    const clock = stopClock();
    const [first, last] = [newPhone(), newPhone()];
    const part = (value: string) => `--b\r\ncontent-disposition: form-data; name="identifier"\r\n\r\n${value}\r\n`;
    const encodings: [string, (values: string[]) => string][] = [
      [
        "application/x-www-form-urlencoded",
        (values) => new URLSearchParams(values.map((each) => ["identifier", each])).toString(),
      ],
      ["multipart/form-data; boundary=b", (values) => `${values.map(part).join("")}--b--\r\n`],
    ];
    const send = (type: string, raw: string) => {
      clock.advance(61_000);
      return call("POST", otpRequest, { ip: newIp(), raw, headers: { "content-type": type } });
    };
    for (const [type, encode] of encodings) {
      for (const values of [
        [first, "bad"],
        ["bad", first],
        [first, last],
        [first, first],
        [first, "", last],
      ]) {
        const answer = await send(type, encode(values));
        expectFailure(answer, 400, "validation_error", ["identifier"]);
        expect(answer.body.error.fields.identifier).toEqual([{ code: "sent_twice" }]);
      }
      // An empty value counts as absent.
      expect((await send(type, encode([first, ""]))).status).toBe(200);
      expect((await send(type, encode(["", last]))).status).toBe(200);
    }
    expect((await send("application/json", `{"identifier":"${first}","identifier":"bad"}`)).status).toBe(400);
    expect((await send("application/json", `{"identifier":"bad","identifier":"${last}"}`)).status).toBe(200);
  });
});
