import { afterEach, describe, expect, test, vi } from "vitest";
import { call, networkOf, newEmail, newIp, newPhone, requestCode, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";

const clock = useClock();
afterEach(() => vi.restoreAllMocks());

const HOUR = 3_600_000;
const request = (identifier: string, ip: string, headers = {}) =>
  call("POST", "/api/auth/otp/request", { ip, headers, json: { identifier } });
const attempt = (identifier: string, otp: string, ip: string, headers = {}) =>
  call("POST", "/api/auth/otp/verify", { ip, headers, json: { identifier, otp } });
const other = (code: string) => (code === "000000" ? "111111" : "000000");

describe("a refused request for a code", () => {
  /** Uses up the network's codes by SMS. */
  const fill = (ip: string) =>
    testEnv.DB.prepare("insert or replace into sms_send_limits values ('network', ?, ?, 100, 0, 0)")
      .bind(networkOf(ip), Date.now() + HOUR)
      .run();

  test("blames too many requests only if its network already requested a code for the identifier", async () => {
    const ip = newIp();
    const early = newPhone();
    expect((await request(early, ip)).status).toBe(200);
    await fill(ip);
    for (const [language, text] of [
      ["en", "We cannot send a code by text message right now."],
      ["ne", "अहिले SMS बाट कोड पठाउन सकिएन।"],
    ] as const) {
      const refused = await request(newPhone(), ip, { "accept-language": language });
      expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
      expect(refused.body.error.message).toContain(text);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const again = await request(early, ip);
    expect([again.status, again.body.error.message]).toEqual([
      429,
      expect.stringContaining("Too many codes were requested"),
    ]);
  });

  test("names the channel if only other networks requested codes for the address", async () => {
    const address = newEmail();
    for (let sent = 0; sent < 5; sent++) {
      expect((await request(address, newIp())).status).toBe(200);
      clock.advance(6 * 60_000);
    }
    const refused = await request(address, newIp());
    expect([refused.status, refused.body.error.message]).toEqual([
      429,
      expect.stringContaining("We cannot send a code by email right now."),
    ]);
  });
});

describe("a code that is verified again without an Idempotency-Key", () => {
  const USED = "This code was already used.";

  test.each([
    ["a phone number", newPhone],
    ["an e-mail address", newEmail],
  ])("is reported as used to the network that verified it and to no other (%s)", async (_, identify) => {
    const [identifier, ip] = [identify(), newIp()];
    const code = await requestCode(identifier, { ip });
    expect((await attempt(identifier, code, ip)).status).toBe(200);
    for (let time = 0; time < 3; time++) {
      const again = await attempt(identifier, code, ip);
      expect([again.status, again.body.error.code]).toEqual([400, "invalid_otp"]);
      expect(again.body.error.message).toContain(USED);
    }
    const nepali = await attempt(identifier, code, ip, { "accept-language": "ne" });
    expect(nepali.body.error.message).toContain("यो कोड प्रयोग भइसक्यो");
    const wrong = await attempt(identifier, other(code), ip);
    const stranger = await attempt(identifier, code, newIp());
    for (const answer of [wrong, stranger]) {
      expect([answer.status, answer.body.error.code]).toEqual([400, "invalid_otp"]);
      expect(answer.body.error.message).not.toContain("used");
    }
  });

  test("is reported as used to the network that verified it, not to the one that requested it, while the code is valid", async () => {
    const [identifier, asked, used] = [newPhone(), newIp(), newIp()];
    const code = await requestCode(identifier, { ip: asked });
    expect((await attempt(identifier, code, used)).status).toBe(200);
    expect((await attempt(identifier, code, asked)).body.error.message).not.toContain("used");
    expect((await attempt(identifier, code, used)).body.error.message).toContain(USED);
    clock.advance(5 * 60_000);
    expect((await attempt(identifier, code, used)).body.error.message).not.toContain("used");
  });

  test("costs an attempt at a newer code like any other wrong code", async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const code = await requestCode(identifier, { ip });
    expect((await attempt(identifier, code, ip)).status).toBe(200);
    clock.advance(61_000);
    const newer = await requestCode(identifier, { ip });
    if (newer === code) return;
    for (let guess = 0; guess < 5; guess++) {
      expect((await attempt(identifier, code, ip)).body.error.message).toContain(USED);
    }
    expect((await attempt(identifier, newer, ip)).status).toBe(429);
  });
});
