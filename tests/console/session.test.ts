import { decodeJwt } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import { tokenFor } from "../faults/people.ts";
import { call, newIp } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { asPage, newBrowser, newConsole, openConsole, SESSION } from "../support/console.ts";
import { rows, run } from "../support/database.ts";
import { newStaff, newUser, promote } from "../support/kyc.ts";
import { addPasskey, proveBy, signInBy, signInOptions } from "../support/passkeys.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

afterEach(() => void vi.useRealTimers());

const me = (token: string) => call("GET", "/api/auth/me", { token, ip: newIp() });
const sidOf = (token: string) => String(decodeJwt(token).sid);

describe("Signing in to the console", () => {
  test("ASVS 3.3.1, 3.3.2, 3.3.4: keeps the refresh token in a __Host- cookie that no script can read", async () => {
    const staff = await newStaff();
    const browser = newBrowser();
    const answer = await openConsole(browser, staff);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual({
      access_token: expect.any(String),
      token_type: "Bearer",
      expires_in: 900,
      user: { id: staff.userId, username: expect.any(String), role: "staff", passkey_required: false },
    });
    expect(browser.set).toMatch(/^__Host-console=[\w.-]+; Max-Age=43200; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    expect(JSON.stringify(answer.body)).not.toContain(browser.cookie?.slice("__Host-console=".length));
    expect((await me(answer.body.data.access_token)).body.data.id).toBe(staff.userId);
    const [session] = await rows<{ device_name: string }>(
      "select device_name from sessions where user_id = ? and id = ?",
      staff.userId,
      sidOf(answer.body.data.access_token),
    );
    expect(session?.device_name).toBe("Console");
  });

  test("refuses a user who is not staff, and their verification token stays valid", async () => {
    const user = await newUser();
    const json = { identifier: user.identifier, verification_token: await tokenFor(user.identifier) };
    const browser = newBrowser();
    const refused = await browser.call("POST", SESSION, { json });
    expect([refused.status, refused.body.error.code, browser.set]).toEqual([403, "permission_denied", null]);
    expect((await call("POST", "/api/auth/login", { json, ip: newIp() })).status).toBe(200);
  });

  test("refuses a verification token that the app has already used, even while the app may repeat its call", async () => {
    const staff = await newStaff();
    const json = { identifier: staff.identifier, verification_token: await tokenFor(staff.identifier) };
    expect((await call("POST", "/api/auth/login", { json, ip: newIp() })).status).toBe(200);
    const refused = await newBrowser().call("POST", SESSION, { json });
    expect([refused.status, refused.body.error.code]).toEqual([400, "invalid_token"]);
  });

  test.each([
    ["an identifier without an account", "+9779811111111", 404, "user_not_found"],
    ["a banned member of staff", undefined, 403, "account_inactive"],
  ])("refuses %s", async (_, unknown, status, code) => {
    const staff = await newStaff();
    const identifier = unknown ?? staff.identifier;
    const verification_token = await tokenFor(identifier);
    await run("update users set status = 'BANNED', status_reason = 'staff' where id = ?", staff.userId);
    const refused = await newBrowser().call("POST", SESSION, { json: { identifier, verification_token } });
    expect([refused.status, refused.body.error.code]).toEqual([status, code]);
  });

  test("ends the session of the cookie that it replaces", async () => {
    const { staff, browser, token } = await newConsole();
    const answer = await openConsole(browser, staff);
    expect((await me(token)).status).toBe(401);
    expect((await me(answer.body.data.access_token)).status).toBe(200);
  });

  test("repeated after a lost answer, gives the same session and does not end it", async () => {
    const staff = await newStaff();
    const json = { identifier: staff.identifier, verification_token: await tokenFor(staff.identifier) };
    const browser = newBrowser();
    const first = await browser.call("POST", SESSION, { json });
    const second = await browser.call("POST", SESSION, { json });
    expect(sidOf(second.body.data.access_token)).toBe(sidOf(first.body.data.access_token));
    expect((await me(second.body.data.access_token)).status).toBe(200);
  });
});

describe("The session routes", () => {
  const callers = {
    "without the headers of a browser": {},
    "from a page of another site": { ...asPage("https://evil.example"), "Sec-Fetch-Site": "cross-site" },
    "from a sibling host": { ...asPage("http://other.localhost"), "Sec-Fetch-Site": "same-site" },
    "by a navigation of the address bar": { Origin: "http://localhost", "Sec-Fetch-Site": "none" },
    "with another origin and a forged Sec-Fetch-Site": asPage("http://localhost:3000"),
    "with an opaque origin": asPage("null"),
  };
  test.each(Object.entries(callers))("ASVS 3.5.1: refuse a call %s and change nothing", async (_, headers) => {
    const { staff, browser, token } = await newConsole();
    const Cookie = browser.cookie ?? "";
    const before = await rows("select * from sessions where user_id = ?", staff.userId);
    for (const [method, path] of [
      ["POST", SESSION],
      ["POST", `${SESSION}/refresh`],
      ["DELETE", SESSION],
    ] as const) {
      // The helper of the tests adds the headers of a page unless they are given, if only as empty.
      const given = { Origin: "", "Sec-Fetch-Site": "", ...headers, Cookie };
      const answer = await call(method, path, { headers: given, ip: newIp() });
      expect([answer.status, answer.body.error.code], path).toEqual([403, "permission_denied"]);
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
    expect(await rows("select * from sessions where user_id = ?", staff.userId)).toEqual(before);
    expect((await me(token)).status).toBe(200);
  });

  test("refresh replaces access token and cookie, and tells who is signed in", async () => {
    const { staff, browser, token } = await newConsole();
    const earlier = browser.cookie;
    const answer = await browser.call("POST", `${SESSION}/refresh`);
    expect(answer.status).toBe(200);
    expect(answer.body.data.user).toMatchObject({ id: staff.userId, role: "staff" });
    expect(answer.body.data.access_token).not.toBe(token);
    expect(browser.cookie).not.toBe(earlier);
    expect((await me(answer.body.data.access_token)).status).toBe(200);
  });

  test("two tabs that refresh at once get the same successor and stay signed in", async () => {
    const { browser } = await newConsole();
    const Cookie = browser.cookie ?? "";
    const both = await Promise.all(
      [1, 2].map(() => call("POST", `${SESSION}/refresh`, { headers: { ...asPage(), Cookie }, ip: newIp() })),
    );
    const cookies = both.map(({ headers }) => headers.get("set-cookie"));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(cookies[0]).toBe(cookies[1]);
    browser.cookie = cookies[0]?.split(";")[0];
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).not.toBeNull();
  });

  test("refresh answers null and clears the cookie if nobody is signed in", async () => {
    const never = newBrowser();
    const fresh = await never.call("POST", `${SESSION}/refresh`);
    expect([fresh.status, fresh.body.data, never.set]).toEqual([200, null, null]);
    const { staff, browser } = await newConsole();
    await run("update users set role = 'user' where id = ?", staff.userId);
    const demoted = await browser.call("POST", `${SESSION}/refresh`);
    expect([demoted.status, demoted.body.data]).toEqual([200, null]);
    expect(browser.set).toContain("Max-Age=0");
    browser.cookie = "__Host-console=garbage.of.mine";
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).toBeNull();
  });

  const down = { prepare: () => ({ bind: () => ({}) }), batch: () => Promise.reject(new Error("down")) };
  const databaseDown = { DB: down as unknown as D1Database };

  test("refresh answers 503 and keeps the cookie while the database is down", async () => {
    const { browser } = await newConsole();
    const answer = await browser.call("POST", `${SESSION}/refresh`, { env: databaseDown });
    expect([answer.status, browser.set]).toEqual([503, null]);
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).not.toBeNull();
  });

  test("a demotion by an admin ends the session", async () => {
    const { staff, browser, token } = await newConsole();
    await run("update users set role = 'user' where id = ?", staff.userId);
    expect((await call("GET", "/api/users", { token, ip: newIp() })).status).toBe(403);
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).toBeNull();
  });

  test("sign-out ends the session, deletes the cookie and clears the cache; a second one changes nothing", async () => {
    const { browser, token } = await newConsole();
    const Cookie = browser.cookie ?? "";
    const answer = await browser.call("DELETE", SESSION);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("clear-site-data")).toBe('"cache"');
    expect(browser.set).toContain("Max-Age=0");
    expect((await me(token)).status).toBe(401);
    expect((await browser.call("DELETE", SESSION, { headers: { Cookie } })).status).toBe(200);
    expect((await newBrowser().call("DELETE", SESSION)).status).toBe(200);
  });

  test("a sign-out that fails keeps the cookie, so that repeating it ends the session", async () => {
    const { browser, token } = await newConsole();
    const failed = await browser.call("DELETE", SESSION, { env: databaseDown });
    expect([failed.status, browser.set]).toEqual([503, null]);
    expect((await me(token)).status).toBe(200);
    expect((await browser.call("DELETE", SESSION)).status).toBe(200);
    expect((await me(token)).status).toBe(401);
  });

  test("no other route reads the cookie", async () => {
    const { browser } = await newConsole();
    for (const path of ["/api/auth/me", "/api/users", "/api/auth/sessions"]) {
      expect((await browser.call("GET", path)).status, path).toBe(401);
    }
    expect((await browser.call("POST", "/api/auth/refresh", { json: {} })).status).toBe(400);
  });
});

describe("ASVS 7.3.1, 7.3.2: a session of the console", () => {
  test("ends when it is not refreshed for an hour", async () => {
    const clock = stopClock();
    const { browser } = await newConsole();
    clock.advance(HOUR_MS - 1_000);
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).not.toBeNull();
    clock.advance(HOUR_MS + 1_000);
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).toBeNull();
  });

  test("ends 12 hours after the sign-in", async () => {
    const clock = stopClock();
    const { browser } = await newConsole();
    for (let hour = 0; hour < 13; hour++) {
      clock.advance(55 * MINUTE_MS);
      expect((await browser.call("POST", `${SESSION}/refresh`)).body.data, `${hour}`).not.toBeNull();
    }
    clock.advance(5 * MINUTE_MS + 1_000);
    expect((await browser.call("POST", `${SESSION}/refresh`)).body.data).toBeNull();
  });
});

describe("Signing in to the console with a passkey", () => {
  const required = { STAFF_PASSKEYS: "required" } as unknown as Partial<Env>;

  /** A member of staff with a passkey, and a call that signs in with it. */
  async function newHolder(role: "staff" | "user" = "staff") {
    const person = await newUser();
    const { authenticator } = await addPasskey(person);
    if (role !== "user") await promote(person, role);
    const browser = newBrowser();
    const assert = async () => ({ credential: await authenticator.assert(await signInOptions()) });
    const signIn = (json: object, env?: Partial<Env>) =>
      browser.call("POST", SESSION, { json, ...(env ? { env } : {}) });
    return { person, authenticator, browser, assert, signIn };
  }

  test("opens a session of the console in which the role works at once, and after a refresh", async () => {
    const { person, browser, assert, signIn } = await newHolder();
    const answer = await signIn(await assert(), required);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.user).toMatchObject({ id: person.userId, role: "staff", passkey_required: false });
    const users = (token: string) => call("GET", "/api/users", { token, env: required, ip: newIp() });
    expect((await users(answer.body.data.access_token)).status).toBe(200);
    const refreshed = await browser.call("POST", `${SESSION}/refresh`, { env: required });
    expect(refreshed.body.data.user.passkey_required).toBe(false);
    const [session] = await rows<{ device_name: string; life: number; method: string }>(
      "select device_name, absolute_expires_at - created_at as life, method from sessions where id = ?",
      sidOf(answer.body.data.access_token),
    );
    expect(session).toEqual({ device_name: "Console", life: 12 * HOUR_MS, method: "PASSKEY" });
  });

  test("repeated after a lost answer, gives the same session; no sign-in of an app repeats it", async () => {
    const { assert, signIn } = await newHolder();
    const json = await assert();
    const [first, second] = [await signIn(json), await signIn(json)];
    expect(sidOf(second.body.data.access_token)).toBe(sidOf(first.body.data.access_token));
    const app = await call("POST", "/api/auth/passkey/login", { json, ip: newIp() });
    expect([app.status, app.body.error.code]).toEqual([400, "passkey_failed"]);
  });

  test("repeats no sign-in of an app", async () => {
    const { assert, signIn } = await newHolder();
    const json = await assert();
    expect((await call("POST", "/api/auth/passkey/login", { json, ip: newIp() })).status).toBe(200);
    const refused = await signIn(json);
    expect([refused.status, refused.body.error.code]).toEqual([400, "passkey_failed"]);
  });

  test("refuses a user who is not staff, whose answer still signs in to an app", async () => {
    const { browser, assert, signIn } = await newHolder("user");
    const json = await assert();
    const refused = await signIn(json);
    expect([refused.status, refused.body.error.code, browser.set]).toEqual([403, "permission_denied", null]);
    expect((await call("POST", "/api/auth/passkey/login", { json, ip: newIp() })).status).toBe(200);
  });

  test("refuses a body with neither, and one with half a code", async () => {
    const browser = newBrowser();
    const nothing = await browser.call("POST", SESSION, { json: {} });
    expect([nothing.status, Object.keys(nothing.body.error.details)]).toEqual([
      400,
      ["identifier", "verification_token"],
    ]);
    const half = await browser.call("POST", SESSION, { json: { identifier: "9841234567", credential: null } });
    expect([half.status, Object.keys(half.body.error.details)]).toEqual([400, ["verification_token"]]);
  });

  test("after a code, says that a passkey is required until one proves the session", async () => {
    const { person, authenticator, browser } = await newHolder();
    const opened = await openConsole(browser, person, { env: required });
    expect(opened.body.data.user.passkey_required).toBe(true);
    const again = await browser.call("POST", `${SESSION}/refresh`, { env: required });
    expect(again.body.data.user.passkey_required).toBe(true);
    const access = again.body.data.access_token;
    const refused = await call("GET", "/api/users", { token: access, env: required, ip: newIp() });
    expect([refused.status, refused.body.error.code]).toEqual([403, "passkey_required"]);
    expect((await proveBy({ ...person, access }, authenticator, { env: required })).status).toBe(200);
    const proved = await browser.call("POST", `${SESSION}/refresh`, { env: required });
    expect(proved.body.data.user.passkey_required).toBe(false);
    // Another session with the passkey does not count.
    await signInBy(authenticator, { env: required });
    const other = await openConsole(newBrowser(), person, { env: required });
    expect(other.body.data.user.passkey_required).toBe(true);
  });
});
