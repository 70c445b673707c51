import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { call, newIp, testEnv, verify } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { newUser } from "../support/people.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { expectRefused, logout, me, refresh, rotate } from "../support/session-calls.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const withKey = () => ({ headers: { "idempotency-key": crypto.randomUUID() } });

async function expectEnded(userId: string, access: string, ...refreshTokens: string[]): Promise<void> {
  expectRefused(await me(access));
  for (const token of refreshTokens) expectRefused(await refresh(token));
  expect(await rows("select 1 from sessions where user_id = ? and revoked_at is null", userId)).toEqual([]);
}

const reuseEvents = (userId: string) =>
  rows("select type from recorded_events where user_id = ? and type = 'auth.refresh_reuse'", userId);

describe("refresh", () => {
  it("returns a new pair, also at the top level of the body where SimpleJWT clients read it", async () => {
    const user = await newUser();
    const { status, headers, body } = await refresh(user.refresh);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toContain("no-store");
    expect(body.data).toEqual({
      access: expect.stringMatching(/^eyJ/),
      refresh: expect.stringMatching(/^eyJ/),
      token_type: "Bearer",
      expires_in: 900,
    });
    expect(body).toMatchObject({ success: true, access: body.data.access, refresh: body.data.refresh });
    expect([user.access, user.refresh]).not.toContain(body.data.access);
    expect(body.data.refresh).not.toBe(user.refresh);
    expect(decodeJwt(body.data.access).sid).toBe(decodeJwt(user.access).sid);
    expect((await me(body.data.access)).status).toBe(200);
    expect((await me(user.access)).status).toBe(200);
    await rotate(body.data.refresh);
  });

  it("accepts the token as refresh or refresh_token, in JSON and in both kinds of form", async () => {
    let { refresh: token } = await newUser();
    for (const kind of ["json", "form", "multipart"] as const) {
      for (const name of ["refresh", "refresh_token"]) {
        const answer = await call("POST", "/api/auth/refresh/", {
          [kind]: { [name]: token, sid: "mine", counter: "0" },
        });
        expect(answer.status).toBe(200);
        token = answer.body.refresh;
      }
    }
  });

  it.each([{}, { refresh: "" }, { refresh: null, refresh_token: null }, { token: "x" }])(
    "without a refresh token gets 400 refresh_token_required: %j",
    async (json) => {
      const answer = await call("POST", "/api/auth/refresh", { json });
      expect([answer.status, answer.body.error.code]).toEqual([400, "refresh_token_required"]);
    },
  );

  it("updates the session's last use, but writes no audit row and does not change the user", async () => {
    const user = await newUser();
    const before = await rows("select count(*) as n from recorded_events where user_id = ?", user.userId);
    clock.advance(MINUTE);
    await rotate(user.refresh);
    const { userId } = user;
    expect(await rows("select last_used_at, activity_at from sessions where user_id = ?", userId)).toEqual([
      { last_used_at: Date.now(), activity_at: Date.now() },
    ]);
    expect(await rows("select version, updated_at from users where id = ?", userId)).toEqual([
      { version: 1, updated_at: Date.now() - MINUTE },
    ]);
    expect(await rows("select action from audit_logs where user_id = ?", user.userId)).toEqual([{ action: "CREATE" }]);
    expect(await rows("select count(*) as n from recorded_events where user_id = ?", user.userId)).toEqual(before);
  });

  it("updates last_login once it is an hour old, and the last activity once it is 15 minutes old", async () => {
    const { userId, refresh } = await newUser();
    const signedInAt = Date.now();
    const recorded = () => rows("select last_login, last_activity_at from users where id = ?", userId);
    clock.advance(15 * MINUTE - 1);
    const first = await rotate(refresh);
    expect(await recorded()).toEqual([{ last_login: signedInAt, last_activity_at: signedInAt }]);
    clock.advance(1);
    const second = await rotate(first);
    expect(await recorded()).toEqual([{ last_login: signedInAt, last_activity_at: signedInAt + 15 * MINUTE }]);
    clock.advance(45 * MINUTE - 1);
    const third = await rotate(second);
    expect(await recorded()).toEqual([{ last_login: signedInAt, last_activity_at: Date.now() }]);
    clock.advance(1);
    await rotate(third);
    expect(await recorded()).toEqual([{ last_login: Date.now(), last_activity_at: Date.now() }]);
  });

  it("gives one successor to parallel calls with one token (ASVS 15.4.2)", async () => {
    const user = await newUser();
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(user.refresh)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ body }) => body.refresh)).size).toBe(1);
    expect(new Set(answers.map(({ body }) => body.access)).size).toBe(20);
    await rotate(answers[0]?.body.refresh);
  });

  it("is refused to a banned user immediately, even if the session's row is live (ASVS 7.4.2)", async () => {
    const user = await newUser();
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user.userId);
    expectRefused(await refresh(user.refresh));
    expectRefused(await me(user.access));
  });
});

describe("a used refresh token", () => {
  it("returns the identical successor and a new access token for 120 seconds (FAPI 2.0, lost responses)", async () => {
    const user = await newUser();
    const first = await refresh(user.refresh);
    clock.advance(119 * SECOND);
    const again = await refresh(user.refresh, { ip: newIp() });
    expect(again.status).toBe(200);
    expect(again.body.refresh).toBe(first.body.refresh);
    expect(decodeJwt(again.body.access).jti).not.toBe(decodeJwt(first.body.access).jti);
    expect(decodeJwt(again.body.access).iat).toBe(Math.floor(Date.now() / 1000));
    expect((await me(again.body.access)).status).toBe(200);
    expect(await reuseEvents(user.userId)).toEqual([]);
    await rotate(again.body.refresh);
  });

  it("ends the session after 120 seconds, with one auth.refresh_reuse event (ASVS 10.4.5, 6.3.7)", async () => {
    const user = await newUser();
    const successor = await rotate(user.refresh);
    clock.advance(121 * SECOND);
    expectRefused(await refresh(user.refresh));
    expectRefused(await refresh(user.refresh));
    await expectEnded(user.userId, user.access, successor, user.refresh);
    expect(await reuseEvents(user.userId)).toHaveLength(1);
    expect(await testEnv.KV.get(`deny:${decodeJwt(user.access).sid}`)).not.toBeNull();
  });

  it("ends the session within the 120 seconds once its successor was used", async () => {
    const user = await newUser();
    const latest = await rotate(await rotate(user.refresh));
    expectRefused(await refresh(user.refresh));
    await expectEnded(user.userId, user.access, latest);
    expect(await reuseEvents(user.userId)).toHaveLength(1);
  });

  it("ends no other session of its user", async () => {
    const user = await newUser();
    clock.advance(2 * MINUTE);
    const verification_token = await verify(user.identifier, { ip: newIp() });
    const other = await call("POST", "/api/auth/login", { json: { identifier: user.identifier, verification_token } });
    await rotate(await rotate(user.refresh));
    expectRefused(await refresh(user.refresh));
    expect((await me(other.body.data.access_token)).status).toBe(200);
    await rotate(other.body.data.refresh_token);
  });

  it("returns the identical successor for 24 hours with the Idempotency-Key that rotated it", async () => {
    const user = await newUser();
    const key = withKey();
    const successor = await rotate(user.refresh, key);
    clock.advance(DAY - SECOND);
    expect(await rotate(user.refresh, key)).toBe(successor);
    clock.advance(2 * SECOND);
    expectRefused(await refresh(user.refresh, key));
    await expectEnded(user.userId, user.access, successor);
  });

  it.each(["no", "another"])(
    "ends the session after 120 seconds with %s Idempotency-Key if it was rotated with one",
    async (which) => {
      const user = await newUser();
      const successor = await rotate(user.refresh, withKey());
      clock.advance(121 * SECOND);
      expectRefused(await refresh(user.refresh, which === "no" ? {} : withKey()));
      await expectEnded(user.userId, user.access, successor);
    },
  );

  it("ends the session even with its Idempotency-Key once its successor was used", async () => {
    const user = await newUser();
    const key = withKey();
    const latest = await rotate(await rotate(user.refresh, key));
    expectRefused(await refresh(user.refresh, key));
    await expectEnded(user.userId, user.access, latest);
  });

  it("may be replayed 200 times; further replays get 429 until the replay window ends and then end the session", async () => {
    const user = await newUser();
    const successor = await rotate(user.refresh);
    for (let repeat = 0; repeat < 200; repeat++) expect(await rotate(user.refresh)).toBe(successor);
    for (let more = 0; more < 3; more++) {
      const answer = await refresh(user.refresh);
      expect([answer.status, answer.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect((await me(user.access)).status).toBe(200);
    clock.advance(120 * SECOND - 1);
    expect((await refresh(user.refresh)).status).toBe(429);
    expect((await me(user.access)).status).toBe(200);
    expect(await reuseEvents(user.userId)).toEqual([]);
    clock.advance(1);
    expectRefused(await refresh(user.refresh));
    await expectEnded(user.userId, user.access, successor);
  });

  it("gets 429 after 200 replays, while its successor still refreshes the session", async () => {
    const user = await newUser();
    const successor = await rotate(user.refresh);
    await run("update sessions set replays = 200 where user_id = ?", user.userId);
    expect((await refresh(user.refresh)).status).toBe(429);
    await rotate(successor);
  });

  it("returns nothing within the 120 seconds once the session has ended (ASVS 7.4.1)", async () => {
    const user = await newUser();
    const key = withKey();
    const successor = await rotate(user.refresh, key);
    expect((await logout(user.access, successor)).status).toBe(200);
    expectRefused(await refresh(user.refresh));
    expectRefused(await refresh(user.refresh, key));
    expect(await reuseEvents(user.userId)).toEqual([]);
  });
});

describe("an Idempotency-Key of refresh", () => {
  it("gets 409 with another refresh token of the session, which stays valid", async () => {
    const user = await newUser();
    const key = withKey();
    const successor = await rotate(user.refresh, key);
    const answer = await refresh(successor, key);
    expect([answer.status, answer.body.error.code]).toEqual([409, "idempotency_key_reused"]);
    expect((await me(user.access)).status).toBe(200);
    await rotate(successor);
  });

  it("belongs to its session, so that another session may use the same key", async () => {
    const key = withKey();
    for (const user of [await newUser(), await newUser()]) await rotate(user.refresh, key);
  });

  it("is rejected with 256 characters and consumes nothing", async () => {
    const user = await newUser();
    const answer = await refresh(user.refresh, { headers: { "idempotency-key": "k".repeat(256) } });
    expect([answer.status, answer.body.error.code]).toEqual([400, "validation_error"]);
    await rotate(user.refresh);
  });
});

describe.each([
  { role: "user", idle: 60 * DAY, absolute: 90 * DAY },
  { role: "staff", idle: 12 * HOUR, absolute: 24 * HOUR },
  { role: "admin", idle: 12 * HOUR, absolute: 24 * HOUR },
])("the session of a user with role $role (ASVS 7.3.1, 7.3.2)", ({ role, idle, absolute }) => {
  async function logInWithRole() {
    const user = await newUser();
    await rows("update users set role = ? where id = ?", role, user.userId);
    clock.advance(2 * MINUTE);
    const proof = { identifier: user.identifier, verification_token: await verify(user.identifier, { ip: newIp() }) };
    const answer = await call("POST", "/api/auth/login", { ip: newIp(), json: proof });
    return answer.body.data as { access_token: string; refresh_token: string };
  }

  it("ends when it is not refreshed for its idle time", async () => {
    const [kept, left] = [await logInWithRole(), await logInWithRole()];
    clock.advance(idle - 10 * MINUTE);
    const successor = await rotate(kept.refresh_token);
    clock.advance(10 * MINUTE + SECOND);
    expectRefused(await refresh(left.refresh_token));
    await rotate(successor);
    clock.advance(MINUTE);
    const late = await refresh(left.refresh_token);
    expectRefused(late);
    expect(late.body.error.message).toMatch(/expired/i);
  });

  it("ends at its absolute expiry however often it is refreshed", async () => {
    const session = await logInWithRole();
    const end = Date.now() + absolute;
    let token = session.refresh_token;
    for (let step = 0; step < 3; step++) {
      clock.advance(absolute / 3 - (step === 2 ? MINUTE : 0));
      token = await rotate(token);
      expect(decodeJwt(token).exp).toBeLessThanOrEqual(end / 1000);
    }
    const { access } = (await refresh(token)).body;
    token = await rotate(token);
    clock.advance(MINUTE + SECOND);
    expectRefused(await refresh(token));
    expectRefused(await me(access));
  });
});
