import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  type SignedIn,
  signUp,
  testEnv,
  verify,
} from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { expectRefused, logout, me, refresh, rotate } from "../support/session-calls.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const newUser = (identifier = newPhone(), options: CallOptions = {}) => signUp(identifier, { ip: newIp(), ...options });
const list = (token: string) => call("GET", "/api/auth/sessions", { token });
const end = (token: string, id: string) => call("DELETE", `/api/auth/sessions/${id}`, { token });
const sid = ({ access }: { access: string }) => String(decodeJwt(access).sid);

/** Signs the user in again, `later` milliseconds after the last time. */
async function logIn({ identifier }: SignedIn, options: CallOptions = {}, later = 2 * MINUTE): Promise<SignedIn> {
  clock.advance(later);
  const from = { ip: newIp(), ...options };
  const json = { identifier, verification_token: await verify(identifier, from) };
  const { status, body } = await call("POST", "/api/auth/login", { ...from, json });
  expect(status).toBe(200);
  const { user_id, access_token, refresh_token } = body.data;
  return { identifier, userId: user_id, access: access_token, refresh: refresh_token };
}

const events = (userId: string, type: string) =>
  rows("select payload from recorded_events where user_id = ? and type = ?", userId, type);
const logoutRows = (userId: string) =>
  rows("select actor_id, by_staff, entity_id from audit_logs where user_id = ? and action = 'LOGOUT'", userId);

async function expectDead(...sessions: SignedIn[]): Promise<void> {
  for (const session of sessions) {
    expectRefused(await me(session.access));
    expectRefused(await refresh(session.refresh));
  }
}

async function expectAlive(...sessions: SignedIn[]): Promise<void> {
  for (const { access } of sessions) expect((await me(access)).status).toBe(200);
}

describe("logout", () => {
  it("ends the session for access and refresh tokens at once, with one LOGOUT audit row (ASVS 7.4.1)", async () => {
    const user = await newUser();
    const answer = await logout(user.access, user.refresh);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual({ message: expect.stringMatching(/./) });
    await expectDead(user);
    expectRefused(await list(user.access));
    expectRefused(await logout(user.access, user.refresh));
    expect(await logoutRows(user.userId)).toEqual([{ actor_id: user.userId, by_staff: 0, entity_id: sid(user) }]);
    expect(await testEnv.KV.get(`deny:${sid(user)}`)).not.toBeNull();
  });

  it("keeps its denylist entry for 90 days, the longest life of a session", async () => {
    const user = await newUser();
    const lives: unknown[] = [];
    const KV = {
      get: async () => null,
      put: async (_key: string, _value: string, options: KVNamespacePutOptions) =>
        void lives.push(options.expirationTtl),
    } as unknown as KVNamespace;
    expect((await logout(user.access, user.refresh, { env: { KV } })).status).toBe(200);
    expect(lives).toEqual([90 * 24 * 3600]);
  });

  it("ends the session once when called in parallel", async () => {
    const user = await newUser();
    const answers = await Promise.all(Array.from({ length: 10 }, () => logout(user.access, user.refresh)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
    expect(await logoutRows(user.userId)).toHaveLength(1);
  });

  it("accepts the token as refresh, also in a form, and requires one", async () => {
    const user = await newUser();
    for (const form of [{}, { refresh_token: "" }]) {
      const answer = await call("POST", "/api/auth/logout", { token: user.access, form: { ...form, other: "x" } });
      expect([answer.status, answer.body.error.code]).toEqual([400, "refresh_token_required"]);
    }
    await expectAlive(user);
    const form = { refresh: user.refresh };
    expect((await call("POST", "/api/auth/logout", { token: user.access, form })).status).toBe(200);
    await expectDead(user);
  });

  it("rejects the refresh token of another session of the same or another user and ends neither", async () => {
    const user = await newUser();
    const [same, other] = [await logIn(user), await newUser()];
    for (const { refresh: token } of [same, other]) expectRefused(await logout(user.access, token));
    await expectAlive(user, same, other);
    for (const session of [user, same, other]) await rotate(session.refresh);
    expect(await logoutRows(user.userId)).toEqual([]);
  });

  it("accepts an expired access token with the live refresh token of the same session", async () => {
    const user = await newUser();
    const other = await newUser();
    clock.advance(HOUR);
    expectRefused(await me(user.access));
    expectRefused(await logout(user.access, other.refresh));
    expect((await logout(user.access, await rotate(user.refresh))).status).toBe(200);
    expect(await logoutRows(user.userId)).toHaveLength(1);
    await rotate(other.refresh);
  });

  it("rejects an expired access token with an expired refresh token", async () => {
    const user = await newUser();
    clock.advance(61 * DAY);
    expectRefused(await logout(user.access, user.refresh));
    expect(await logoutRows(user.userId)).toEqual([]);
  });

  it.each(["a live", "an expired"])(
    "accepts %s access token with a refresh token rotated long ago and ends the session",
    async (age) => {
      const user = await newUser();
      const second = await rotate(user.refresh);
      const third = await rotate(second);
      clock.advance(age === "a live" ? MINUTE : HOUR);
      const other = await newUser();
      expectRefused(await logout(user.access, other.refresh));
      expect((await logout(user.access, user.refresh)).status).toBe(200);
      for (const token of [user.refresh, second, third]) expectRefused(await refresh(token));
      expect(await logoutRows(user.userId)).toEqual([expect.objectContaining({ entity_id: sid(user) })]);
      expectRefused(await logout(user.access, third));
      await rotate(other.refresh);
    },
  );

  it("accepts an expired refresh token while its session is live", async () => {
    const user = await newUser();
    let token = user.refresh;
    for (let month = 0; month < 2; month++) {
      clock.advance(31 * DAY);
      token = await rotate(token);
    }
    expect((await logout(user.access, user.refresh)).status).toBe(200);
    expectRefused(await refresh(token));
  });

  it("requires an access token and rejects any other kind", async () => {
    const user = await newUser();
    const anonymous = await call("POST", "/api/auth/logout", { json: { refresh_token: user.refresh } });
    expect([anonymous.status, anonymous.body.error.code]).toEqual([401, "authentication_required"]);
    expect(anonymous.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expectRefused(await logout(user.refresh, user.refresh));
    expectRefused(await logout(user.access, user.access));
    await expectAlive(user);
  });
});

describe("the list of sessions (ASVS 7.5.2)", () => {
  it("shows where and how each live session of the caller was opened and marks the current one", async () => {
    const email = newEmail();
    const [ip, otherIp] = [newIp(), newIp()];
    const first = await newUser(email, { ip, headers: { "user-agent": "Rental/1 (Android)" } });
    const createdAt = new Date().toISOString();
    const second = await logIn(first, { ip: otherIp });
    const { body } = await list(second.access);
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    const common = { created_at: instant, last_used_at: instant, device_name: null, method: "OTP_EMAIL" };
    expect(body.data).toHaveLength(2);
    expect(body.data).toContainEqual({ ...common, id: sid(second), current: true, ip: otherIp, user_agent: null });
    const shown = { ...common, id: sid(first), current: false, ip, user_agent: "Rental/1 (Android)" };
    expect(body.data).toContainEqual({ ...shown, created_at: createdAt, last_used_at: createdAt });
    await rotate(first.refresh);
    const seen = (await list(first.access)).body.data.find(({ id }: { id: string }) => id === sid(first));
    expect(seen).toEqual({ ...shown, current: true, created_at: createdAt, last_used_at: new Date().toISOString() });
  });

  it("omits ended and expired sessions and those of other users", async () => {
    const user = await newUser();
    await newUser();
    const left = await logIn(user);
    await logout(left.access, left.refresh);
    clock.advance(61 * DAY);
    const latest = await logIn(user);
    const { body } = await list(latest.access);
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([sid(latest)]);
    expect(body.data[0].method).toBe("OTP_PHONE");
  });

  it("has at most 10: the 11th sign-in ends the least recently used one, not the oldest", async () => {
    const sessions = [await newUser()];
    const [oldest] = sessions as [SignedIn];
    while (sessions.length < 10) sessions.push(await logIn(oldest, {}, 3 * HOUR));
    const rotated = await rotate(oldest.refresh);
    sessions.push(await logIn(oldest, {}, 3 * HOUR));
    expectRefused(await refresh(sessions[1]?.refresh ?? ""));
    await rotate(rotated);
    for (const { refresh: token } of sessions.slice(2)) await rotate(token);
  });

  it("has at most 10: the 11th sign-in ends the oldest if none was used since, with one audit row (ASVS 7.1.2)", async () => {
    const sessions = [await newUser()];
    const [oldest] = sessions as [SignedIn];
    while (sessions.length < 11) sessions.push(await logIn(oldest, {}, 3 * HOUR));
    const latest = sessions[10] as SignedIn;
    const { body } = await list(latest.access);
    const ids = body.data.map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(sessions.slice(1).map(sid).sort());
    expectRefused(await refresh(oldest.refresh));
    await rotate(sessions[1]?.refresh ?? "");
    expect(await logoutRows(oldest.userId)).toEqual([expect.objectContaining({ entity_id: sid(oldest) })]);
    expect(await testEnv.KV.get(`deny:${sid(oldest)}`)).not.toBeNull();
  });
});

describe("ending sessions from the list", () => {
  it("ends the named session at once, and only once", async () => {
    const user = await newUser();
    const other = await logIn(user);
    const answer = await end(user.access, sid(other));
    expect([answer.status, answer.body.success]).toEqual([200, true]);
    await expectDead(other);
    await expectAlive(user);
    const again = await end(user.access, sid(other));
    expect([again.status, again.body.error.code]).toEqual([404, "not_found"]);
    expect(await logoutRows(user.userId)).toEqual([expect.objectContaining({ entity_id: sid(other) })]);
    expect((await end(user.access, sid(user))).status).toBe(200);
    await expectDead(user);
  });

  it("returns 404 for another user's session, which stays valid, and for an unknown one (ASVS 8.2.2)", async () => {
    const [user, other] = [await newUser(), await newUser()];
    for (const id of [sid(other), crypto.randomUUID(), "x", "%27%20OR%201=1", "9".repeat(60)]) {
      const answer = await end(user.access, id);
      expect([id, answer.status, answer.body.error.code]).toEqual([id, 404, "not_found"]);
    }
    await expectAlive(user, other);
    await rotate(other.refresh);
  });

  it("ends all others and keeps the current one (ASVS 7.4.3)", async () => {
    const user = await newUser();
    const others = [await logIn(user), await logIn(user)];
    const stranger = await newUser();
    const answer = await call("DELETE", "/api/auth/sessions", { token: user.access });
    expect([answer.status, answer.body.success]).toEqual([200, true]);
    await expectDead(...others);
    await expectAlive(user, stranger);
    await rotate(user.refresh);
    expect((await list(user.access)).body.data).toHaveLength(1);
    const audited = (await logoutRows(user.userId)).map(({ entity_id }) => entity_id);
    expect(audited.sort()).toEqual(others.map(sid).sort());
    expect((await call("DELETE", "/api/auth/sessions", { token: user.access })).status).toBe(200);
    expect(await logoutRows(user.userId)).toHaveLength(2);
  });

  it("is refused to an ended session and ends nothing", async () => {
    const user = await newUser();
    const other = await logIn(user);
    await logout(other.access, other.refresh);
    expectRefused(await end(other.access, sid(user)));
    expectRefused(await call("DELETE", "/api/auth/sessions", { token: other.access }));
    await expectAlive(user);
  });
});

describe("the event auth.new_device (ASVS 6.3.5)", () => {
  const agent = (name: string) => ({ headers: { "user-agent": name } });
  const announced = (user: SignedIn) => events(user.userId, "auth.new_device");

  it("is recorded once for a sign-in from a network the user never signed in from", async () => {
    const user = await newUser(newPhone(), agent("Phone/1"));
    expect(await announced(user)).toEqual([]);
    clock.advance(2 * MINUTE);
    const from = { ip: newIp(), ...agent("Laptop/1") };
    const json = { identifier: user.identifier, verification_token: await verify(user.identifier, from) };
    for (let repeat = 0; repeat < 2; repeat++) {
      expect((await call("POST", "/api/auth/login", { ...from, json })).status).toBe(200);
    }
    expect(await announced(user)).toHaveLength(1);
  });

  it.each(["Phone/1", "Tablet/1"])(
    "does not depend on the user agent: on a new network %s is a new device",
    async (sent) => {
      const user = await newUser(newPhone(), agent("Phone/1"));
      const { access } = await logIn(user, agent(sent));
      const [event, ...more] = await announced(user);
      expect(more).toEqual([]);
      expect(JSON.parse(String(event?.payload))).toEqual({ session_id: decodeJwt(access).sid });
    },
  );

  it("is not recorded on the network of an earlier sign-in, whatever the user agent", async () => {
    const ip = newIp();
    const user = await newUser(newPhone(), { ip, ...agent("Phone/1") });
    await logIn(user, { ip, ...agent("Phone/1") });
    await logIn(user, { ip, ...agent("Tablet/1") });
    expect(await announced(user)).toEqual([]);
  });

  it("is recorded for each new network, and once for two sign-ins from one", async () => {
    const user = await newUser();
    const [first, second] = [newIp(), newIp()];
    await logIn(user, { ip: first });
    await logIn(user, { ip: first });
    await logIn(user, { ip: second });
    expect(await announced(user)).toHaveLength(2);
  });

  it.each([
    ["a millisecond less than 90 days ago", 90 * DAY - 1, 0],
    ["90 days ago", 90 * DAY, 1],
  ])("is recorded if the network was last used 90 days ago, but not if later: %s", async (_when, later, count) => {
    const ip = newIp();
    const user = await newUser(newPhone(), { ip, ...agent("Phone/1") });
    await logIn(user, { ip, ...agent("Phone/1") }, later);
    expect(await announced(user)).toHaveLength(count);
  });

  it.each([
    ["less than a day after the first, does not renew it", DAY - 1, 1],
    ["a day after the first, renews it", DAY, 0],
  ])("is recorded 90 days after the network was renewed; a second sign-in %s", async (_what, again, count) => {
    const ip = newIp();
    const user = await newUser(newPhone(), { ip });
    await logIn(user, { ip }, again);
    await logIn(user, { ip }, 90 * DAY - again);
    expect(await announced(user)).toHaveLength(count);
  });

  it("is recorded after a long absence even if no session of the user is left", async () => {
    const user = await newUser();
    await testEnv.DB.prepare("delete from sessions where user_id = ?").bind(user.userId).run();
    await logIn(user, {}, 200 * DAY);
    expect(await announced(user)).toHaveLength(1);
  });
});
