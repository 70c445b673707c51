import fc from "fast-check";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Answer, call, newIp, testEnv } from "../support/client.ts";
import { fakeProviders, newPerson, type Person, type Providers } from "../support/openid.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { checkModel, command, inTurn, wait } from "./run-model.ts";
import { type ModelSession, newSessionModel, type SessionModel } from "./session-model.ts";

beforeAll(keepSentEvents);

interface Real {
  person: Person;
  staff: Person;
  userId: string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const ask = (method: string, path: string, options: Parameters<typeof call>[2] = {}) =>
  call(method, path, { env: providers.env, ip: newIp(), ...options });
const codeOf = ({ status, body }: Answer) => (status < 300 ? "ok" : `${status} ${body.error?.code}`);

/** Signs in with a Google ID token, which needs no one-time code. */
const enter = async (person: Person) =>
  ask("POST", "/api/auth/google/token", { json: await providers.nativeSignIn("google", person) });

const signIn = command<SessionModel, Real>("sign in", async (model, { person }) => {
  // Two sign-ins at the same time would have no order.
  vi.setSystemTime(Date.now() + SECOND);
  const expected = model.signIn(Date.now());
  const answer = await enter(person);
  if (expected === "account_inactive") return expect(codeOf(answer)).toBe("403 account_inactive");
  expect(codeOf(answer)).toBe("ok");
  const { access_token, refresh_token } = answer.body.data;
  model.opened(String(decodeJwt(access_token).sid), refresh_token, access_token, Date.now());
});

/** A command on the session opened `index` sign-ins ago. */
const about = (
  name: string,
  index: number,
  run: (model: SessionModel, session: ModelSession, real: Real) => Promise<void>,
) =>
  command<SessionModel, Real>(
    `${name}, session ${index}`,
    async (model, real) => {
      const session = model.sessions.at(-1 - index);
      if (session) await run(model, session, real);
    },
    (model) => model.sessions.length > index,
  );

const refresh = (index: number, age: number, hasKey: boolean) =>
  about(`refresh ${age} rotations old${hasKey ? " with a key" : ""}`, index, async (model, session, { userId }) => {
    const token = session.refreshTokens.at(-1 - age);
    if (!token) return;
    const expected = model.refresh(session, age, hasKey, Date.now());
    const headers = hasKey ? { "idempotency-key": `key-of-rotation-${session.refreshTokens.length - age}` } : {};
    const answer = await ask("POST", "/api/auth/refresh", { json: { refresh: token.value }, headers });
    if (expected === "refused") expect(codeOf(answer)).toBe("401 token_not_valid");
    else {
      expect(codeOf(answer)).toBe("ok");
      if (expected === "repeated") expect(answer.body.refresh).toBe(session.refreshTokens.at(-1)?.value);
      else model.rotated(session, answer.body.refresh, hasKey, Date.now());
      session.access = answer.body.access;
      session.accessAt = Date.now();
    }
    const thefts = await testEnv.DB.prepare(
      "select count(*) as n from recorded_events where user_id = ? and type = 'auth.refresh_reuse'",
    )
      .bind(userId)
      .first<number>("n");
    expect(thefts).toBe(model.thefts);
  });

const look = (index: number) =>
  about("list", index, async (model, session) => {
    const answer = await ask("GET", "/api/auth/sessions", { token: session.access });
    if (!model.isSignedIn(session, Date.now())) return expect(codeOf(answer)).toBe("401 token_not_valid");
    const listed = answer.body.data.map(({ id, current }: { id: string; current: boolean }) => [id, current]);
    expect(listed.sort()).toEqual(
      model
        .live(Date.now())
        .map(({ id }) => [id, id === session.id])
        .sort(),
    );
  });

const logout = (index: number, age: number) =>
  about(`log out by a token ${age} rotations old`, index, async (model, session) => {
    const refresh_token = session.refreshTokens.at(-1 - age)?.value;
    if (refresh_token === undefined) return;
    const isEnded = model.logout(session, age, Date.now());
    const answer = await ask("POST", "/api/auth/logout", { token: session.access, json: { refresh_token } });
    expect(codeOf(answer)).toBe(isEnded ? "ok" : "401 token_not_valid");
  });

const endOthers = (index: number) =>
  about("end the others", index, async (model, session) => {
    const ended = model.endOthers(session, Date.now());
    const answer = await ask("DELETE", "/api/auth/sessions", { token: session.access });
    expect([codeOf(answer), answer.body.data?.ended]).toEqual(
      ended === undefined ? ["401 token_not_valid", undefined] : ["ok", ended],
    );
  });

const endOne = (index: number, other: number) =>
  about(`end session ${other}`, index, async (model, session) => {
    const target = model.sessions.at(-1 - other);
    if (!target) return;
    const expected = model.end(session, target, Date.now());
    const answer = await ask("DELETE", `/api/auth/sessions/${target.id}`, { token: session.access });
    expect(codeOf(answer)).toBe(
      { ended: "ok", not_found: "404 not_found", token_not_valid: "401 token_not_valid" }[expected],
    );
  });

const setStatus = (status: "BANNED" | "ACTIVE") =>
  command<SessionModel, Real>(`set ${status}`, async (model, { staff, userId }) => {
    const token = (await enter(staff)).body.data.access_token;
    const answer = await ask("POST", `/api/users/${userId}/status`, {
      token,
      json: { status, reason: "Asked by phone" },
    });
    expect(codeOf(answer)).toBe("ok");
    if (status === "BANNED") model.ban();
    else model.unban();
  });

type Step = ReturnType<typeof refresh>;
const pause: (milliseconds: number) => Step = wait;

/** Uses a token of two rotations ago, which only a thief would do. */
const steal = inTurn(signIn, refresh(0, 0, false), refresh(0, 0, true), refresh(0, 2, false), refresh(0, 0, false));
/** Repeats a refresh after a pause, like an app that lost the response. */
const repeatAfter = (milliseconds: number, withKey: [boolean, boolean]) =>
  inTurn(signIn, refresh(0, 0, withKey[0]), pause(milliseconds), refresh(0, 1, withKey[1]), look(0));
const fillUp = inTurn(...Array.from({ length: 11 }, () => signIn), look(0), refresh(10, 0, false));
/** Refreshes a session so often that only its absolute expiry can end it. */
const keepAlive = (last: number) =>
  inTurn(
    signIn,
    ...[29, 29, 29].flatMap((days) => [pause(days * DAY), refresh(0, 0, false)]),
    pause(last),
    refresh(0, 0, false),
    look(0),
  );

const session = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 9, 10);
const age = fc.constantFrom(0, 0, 0, 1, 1, 2);
const times = [
  SECOND,
  30 * SECOND,
  2 * MINUTE - SECOND,
  2 * MINUTE,
  14 * MINUTE,
  16 * MINUTE,
  HOUR,
  DAY - SECOND,
  DAY,
  29 * DAY,
  59 * DAY,
  60 * DAY,
];

test("ASVS 7.2.4, 7.4.1, 7.4.2, 10.4.5, 10.4.8: sessions follow the model under any sequence of steps", {
  timeout: 3_600_000,
}, async () => {
  await checkModel<SessionModel, Real>(
    [
      fc.constant(signIn),
      fc.constantFrom(steal, fillUp, ...[3 * DAY - SECOND, 3 * DAY, 4 * DAY].map(keepAlive)),
      fc
        .tuple(
          fc.constantFrom(2 * MINUTE - SECOND, 2 * MINUTE, DAY - SECOND, DAY),
          fc.tuple(fc.boolean(), fc.boolean()),
        )
        .map(([milliseconds, keys]) => repeatAfter(milliseconds, keys)),
      fc.tuple(session, age, fc.boolean()).map(([index, old, hasKey]) => refresh(index, old, hasKey)),
      fc.tuple(session, age, fc.boolean()).map(([index, old, hasKey]) => refresh(index, old, hasKey)),
      session.map(look),
      fc.tuple(session, age).map(([index, old]) => logout(index, old)),
      session.map(endOthers),
      fc.tuple(session, session).map(([index, other]) => endOne(index, other)),
      fc.constantFrom(setStatus("BANNED"), setStatus("ACTIVE"), setStatus("ACTIVE")),
      fc.constantFrom(...times).map(wait),
      fc.constantFrom(...times.slice(0, 6)).map(wait),
    ],
    async () => {
      const [person, staff] = [newPerson("google"), newPerson("google")];
      const userId = (await enter(person)).body.data.user_id;
      const staffId = (await enter(staff)).body.data.user_id;
      await testEnv.DB.prepare("update users set role = 'staff' where id = ?").bind(staffId).run();
      // The model starts without sessions.
      await testEnv.DB.prepare("delete from sessions where user_id = ?").bind(userId).run();
      return { model: newSessionModel(), real: { person, staff, userId } };
    },
    { share: 2, steps: 60 },
  );
});
