import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { stopTime } from "../../support/production.ts";
import { keepingQueue } from "../../support/queue.ts";

const HOUR = 3_600_000;

let today = Date.UTC(2031, 0, 1, 6);
let clock: ReturnType<typeof stopTime>;
beforeEach(() => {
  today += 48 * HOUR;
  clock = stopTime();
  vi.setSystemTime(today);
});
afterEach(() => {
  vi.useRealTimers();
});

const ask = (identifier: string, ip: string) =>
  call("POST", "/api/auth/otp/request", { ip, json: { identifier }, env: keepingQueue(identifier).env });

let serial = 0;
/** A /48 prefix that no other test uses, without the trailing colons. */
const newSite = () => `2001:db8:${(++serial).toString(16)}`;

const kinds = [
  { kind: "SMS", scope: "network", newIdentifier: newPhone },
  { kind: "e-mail", scope: "email_network", newIdentifier: newEmail },
];

const countersOf = async (scope: string) =>
  Object.fromEntries(
    (
      await testEnv.DB.prepare(
        "select key, sends from sms_send_limits where scope = ? and key like '2001:0db8:%' and window_ends_at > ?",
      )
        .bind(scope, Date.now())
        .all<{ key: string; sends: number }>()
    ).results.map(({ key, sends }) => [key, sends]),
  );

describe.each(kinds)("Codes by $kind over IPv6", ({ scope, newIdentifier }) => {
  /** Requests codes from the addresses in turn until one is rejected; returns the number accepted. */
  async function acceptedFrom(addresses: string[]): Promise<number> {
    for (const [i, ip] of addresses.entries()) {
      const { status } = await ask(newIdentifier(), ip);
      if (status === 429) return i;
      expect(status).toBe(200);
    }
    return addresses.length;
  }

  test("are limited to 100 per hour across the /64 networks of one /48", async () => {
    const [site, neighbour] = [newSite(), newSite()];
    expect(await acceptedFrom(Array.from({ length: 101 }, (_, i) => `${site}:${(i * 256).toString(16)}::1`))).toBe(100);
    expect(await acceptedFrom([`${neighbour}:1::1`])).toBe(1);
    expect((await ask(newIdentifier(), newIp())).status).toBe(200);
    clock.advance(HOUR);
    expect(await acceptedFrom([`${site}:ffff::1`])).toBe(1);
  });

  test("are limited to 100 per hour across the /64 networks of one /56; other networks of its /48 may send while the /48 has room", async () => {
    const site = newSite();
    const counters = `insert into sms_send_limits values ('${scope}', ?, ?, ?, 0, 0)`;
    const [, , third] = site.split(":");
    const key = `2001:0db8:${third?.padStart(4, "0")}:0a00::/56`;
    await testEnv.DB.prepare(counters)
      .bind(key, Date.now() + HOUR, 98)
      .run();
    expect(await acceptedFrom([`${site}:a01::1`, `${site}:a02::1`, `${site}:aff::1`])).toBe(2);
    expect(await acceptedFrom([`${site}:b01::1`])).toBe(1);
  });

  test("from one /64 are limited to 100 and do not block the other networks of its /48", async () => {
    const site = newSite();
    expect(await acceptedFrom(Array.from({ length: 101 }, (_, i) => `${site}:1::${(i + 1).toString(16)}`))).toBe(100);
    expect(await acceptedFrom([`${site}:2::1`])).toBe(1);
    const [, , third] = site.split(":");
    const prefix = `2001:0db8:${third?.padStart(4, "0")}`;
    expect(await countersOf(scope)).toMatchObject({
      [`${prefix}:0001::/64`]: 100,
      [`${prefix}:0000::/56`]: 51,
      [`${prefix}::/48`]: 51,
    });
  });

  test("are still sent to an owner on a known /64 of a full /48", async () => {
    const site = newSite();
    const { identifier } = await signUp(newIdentifier(), { ip: `${site}:77::1` });
    clock.advance(2 * HOUR);
    const [, , third] = site.split(":");
    await testEnv.DB.prepare("insert or replace into sms_send_limits values (?, ?, ?, 100, 0, 0)")
      .bind(scope, `2001:0db8:${third?.padStart(4, "0")}::/48`, Date.now() + HOUR)
      .run();
    expect((await ask(newIdentifier(), `${site}:78::1`)).status).toBe(429);
    expect((await ask(identifier, `${site}:77::2`)).status).toBe(200);
  });
});

describe("An IPv6 address that embeds an IPv4 address", () => {
  const counted = (key: string) =>
    testEnv.DB.prepare("select sends from sms_send_limits where scope = 'network' and key = ? and window_ends_at > ?")
      .bind(key, Date.now())
      .first<number>("sends");

  test.each([
    ["mapped, in dots", "::ffff:198.51.100.7"],
    ["mapped, in capitals", "::FFFF:198.51.100.8"],
    ["mapped, in groups", "::ffff:c633:6409"],
    ["mapped, in full", "0:0:0:0:0:ffff:c633:640a"],
    ["of NAT64, in dots", "64:ff9b::198.51.100.11"],
    ["of NAT64, in groups", "64:ff9b::c633:640c"],
  ])("counts as its IPv4 address: %s", async (_what, ip) => {
    expect((await ask(newPhone(), ip)).status).toBe(200);
    expect(await counted("198.51.100.0/24")).toBe(1);
  });
});
