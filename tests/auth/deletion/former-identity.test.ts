import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  readCode,
  requestCode,
  signUp,
  verify,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { fakeProviders, newPerson, type Person } from "../../support/openid.ts";
import { deliver, newEvent } from "../../support/platform.ts";
import { newAdmin } from "../../support/staff.ts";

const clock = useClock();
afterEach(() => vi.restoreAllMocks());

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ask = (identifier: string, options: CallOptions = {}) =>
  call("POST", "/api/auth/otp/request", { ip: newIp(), ...options, json: { identifier } });
const guess = (identifier: string, otp: string, ip = newIp()) =>
  call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
const codeOf = (answer: Answer) => (answer.status < 300 ? "ok" : answer.body.error.code);

async function remove(token: string, env: Partial<Env> = {}): Promise<void> {
  expect((await call("DELETE", "/api/auth/account", { token, json: {}, env })).status).toBe(200);
}

async function register(identifier: string, json: object = {}, options: CallOptions = { ip: newIp() }) {
  const verification_token = await verify(identifier, options);
  const answer = await call("POST", "/api/auth/register", {
    ...options,
    json: { identifier, verification_token, ...json },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return { userId: String(answer.body.data.user_id), access: String(answer.body.data.access_token) };
}

async function pointsOf(userId: string): Promise<number> {
  const [row] = await rows<{ current_points: number }>("select current_points from points where user_id = ?", userId);
  return row?.current_points ?? Number.NaN;
}

describe("After an account was deleted,", () => {
  it.each([
    ["a phone number", newPhone],
    ["an e-mail address", newEmail],
  ])("the limit of five codes per hour to %s still counts the codes of the deleted account", async (_, newOne) => {
    const identifier = newOne();
    for (const wait of [MINUTE, MINUTE, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE]) {
      const { access } = await register(identifier);
      await remove(access);
      clock.advance(wait - SECOND);
      expect(codeOf(await ask(identifier)), `after ${wait - SECOND} ms`).toBe("rate_limit_exceeded");
      clock.advance(SECOND);
    }
    const refused = await ask(identifier);
    expect(codeOf(refused)).toBe("rate_limit_exceeded");
    expect(codeOf(await ask(newOne())), "a neighbour").toBe("ok");
    clock.advance(Number(refused.headers.get("retry-after")) * SECOND);
    expect(codeOf(await ask(identifier)), "when the hour is over").toBe("ok");
  });

  it("a test identifier still waits for its next code", async () => {
    const identifier = newPhone();
    const until = new Date(Date.now() + 10 * DAY).toISOString().slice(0, 10);
    const env = { TEST_IDENTIFIERS: JSON.stringify([{ identifier, code: "424242", until }]) } as Partial<Env>;
    const options = { ip: newIp(), env };
    expect(codeOf(await ask(identifier, options))).toBe("ok");
    const proof = await call("POST", "/api/auth/otp/verify", { ...options, json: { identifier, otp: "424242" } });
    const json = { identifier, verification_token: proof.body.data.verification_token };
    const made = await call("POST", "/api/auth/register", { ...options, json });
    await remove(made.body.data.access_token, env);
    expect(codeOf(await ask(identifier, options))).toBe("rate_limit_exceeded");
    clock.advance(MINUTE);
    expect(codeOf(await ask(identifier, options))).toBe("ok");
  });

  it("the lock of a network lasts until it ends and does not affect another network", async () => {
    const [ip, home] = [newIp(), newIp()];
    const { identifier, access } = await signUp(newPhone(), { ip: home });
    clock.advance(MINUTE);
    const otp = await requestCode(identifier, { ip });
    const wrong = otp === "111111" ? "222222" : "111111";
    for (let i = 0; i < 5; i++) expect(codeOf(await guess(identifier, wrong, ip))).toBe("invalid_otp");
    await rows(
      "update otp_network_guards set locked_until = ?2 where identifier = ?1",
      identifier,
      Date.now() + 2 * HOUR,
    );
    await remove(access);
    clock.advance(2 * HOUR - SECOND);
    expect(codeOf(await ask(identifier, { ip }))).toBe("rate_limit_exceeded");
    expect(codeOf(await ask(identifier, { ip: home })), "another network").toBe("ok");
    await rows("delete from otp_challenges where identifier = ?", identifier);
    clock.advance(SECOND);
    expect(codeOf(await ask(identifier, { ip }))).toBe("ok");
  });

  it("the lock of either network class lasts until it ends, and known networks are unknown again", async () => {
    for (const networkClass of ["familiar", "other"]) {
      const home = newIp();
      const { identifier, access } = await signUp(newPhone(), { ip: home });
      await rows(
        `insert into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at)
          values (?1, ?2, json_array(?3), 7, ?3 + 3600000, ?3)`,
        identifier,
        networkClass,
        Date.now(),
      );
      await remove(access);
      clock.advance(HOUR - SECOND);
      for (const ip of [home, newIp()])
        expect(codeOf(await ask(identifier, { ip })), networkClass).toBe("rate_limit_exceeded");
      clock.advance(SECOND);
      expect(codeOf(await ask(identifier, { ip: home })), networkClass).toBe("ok");
      const guards = await rows("select network_class, streak from otp_class_guards where identifier = ?", identifier);
      expect(guards).toEqual([{ network_class: "other", streak: 7 }]);
    }
  });

  it("every code of the account is invalid and its known networks are forgotten", async () => {
    const ip = newIp();
    const { identifier, access } = await signUp(newPhone(), { ip });
    clock.advance(MINUTE);
    const old = await requestCode(identifier, { ip });
    await remove(access);
    expect(codeOf(await guess(identifier, old, ip))).toBe("invalid_otp");
    clock.advance(MINUTE);
    expect(codeOf(await ask(identifier, { ip }))).toBe("ok");
    const code = await readCode(identifier);
    if (code !== old) expect(codeOf(await guess(identifier, old, ip))).toBe("invalid_otp");
    expect(codeOf(await guess(identifier, code, ip))).toBe("ok");
    const sends = await rows("select distinct network_class from otp_challenges where identifier = ?", identifier);
    expect(sends).toEqual([{ network_class: "other" }]);
  });

  it("an unused verification token of the account is invalid, even after the next code", async () => {
    const ip = newIp();
    const { identifier, access } = await signUp(newPhone(), { ip });
    clock.advance(MINUTE);
    const json = { identifier, verification_token: await verify(identifier, { ip }) };
    await remove(access);
    const register = async () => codeOf(await call("POST", "/api/auth/register", { ip, json }));
    expect(await register()).toBe("invalid_token");
    clock.advance(MINUTE);
    expect(codeOf(await ask(identifier, { ip }))).toBe("ok");
    expect(await register()).toBe("invalid_token");
  });

  it("its identifier is stored only as a keyed hash", async () => {
    const { identifier, access } = await signUp();
    const [sent] = await rows<{ cid: string }>("select cid from otp_challenges where identifier = ?", identifier);
    await remove(access);
    const kept = await rows<{ identifier: string }>(
      "select identifier from otp_challenges where cid = ? union all select identity_hash from former_identities",
      sent?.cid,
    );
    expect(kept.length).toBeGreaterThan(1);
    for (const row of kept) expect(row.identifier).toMatch(/^[\w-]{43}$/);
    expect(await rows("select cid from otp_challenges where identifier = ?", identifier)).toEqual([]);
  });
});

describe("Signup bonus and referral after a deletion", () => {
  it("are granted once per phone number across deletions", async () => {
    const identifier = newPhone();
    const inviter = await signUp();
    const [{ referral_code } = { referral_code: "" }] = await rows<{ referral_code: string }>(
      "select referral_code from users where id = ?",
      inviter.userId,
    );
    const first = await register(identifier);
    expect(await pointsOf(first.userId)).toBe(50);
    await remove(first.access);
    for (let year = 0; year < 2; year++) {
      clock.advance(365 * DAY);
      const again = await register(identifier, { referral_code });
      expect(await pointsOf(again.userId)).toBe(0);
      expect(await rows("select * from referrals where invitee_id = ?", again.userId)).toEqual([]);
      await deliver([
        newEvent(again.userId, "rental.returned", { rental_id: crypto.randomUUID(), on_time: true, amount: "10.00" }),
      ]);
      expect([await pointsOf(again.userId), await pointsOf(inviter.userId)]).toEqual([0, 50]);
      await remove(again.access);
    }
    const other = await register(newPhone(), { referral_code });
    await deliver([
      newEvent(other.userId, "rental.returned", { rental_id: crypto.randomUUID(), on_time: true, amount: "10.00" }),
    ]);
    expect([await pointsOf(other.userId), await pointsOf(inviter.userId)], "a neighbour").toEqual([100, 150]);
  });

  it("are not granted again to an account that staff create for a former phone number", async () => {
    const [admin, former] = [await newAdmin(), await signUp()];
    await remove(former.access);
    clock.advance(DAY);
    for (const [identifier, points] of [
      [former.identifier, 0],
      [newPhone(), 50],
    ] as const) {
      const made = await call("POST", "/api/users", {
        token: await adminToken(admin.identifier),
        json: { identifier },
      });
      expect(made.status, JSON.stringify(made.body)).toBe(201);
      const options = { ip: newIp() };
      const verification_token = await verify(identifier, options);
      const json = { identifier, verification_token };
      expect((await call("POST", "/api/auth/login", { ...options, json })).status).toBe(200);
      expect(await pointsOf(made.body.data.id)).toBe(points);
    }
  });

  it("are granted once per provider account and address, whichever way the person returns", async () => {
    const providers = fakeProviders();
    const signIn = async (person: Person) => {
      const json = await providers.nativeSignIn("google", person);
      const answer = await call("POST", "/api/auth/google/token", { ip: newIp(), env: providers.env, json });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      return { userId: String(answer.body.data.user_id), access: String(answer.body.data.access_token) };
    };
    const person = newPerson("google");
    const first = await signIn(person);
    expect(await pointsOf(first.userId)).toBe(50);
    await remove(first.access, providers.env);
    const renamed = { ...newPerson("google"), sub: person.sub };
    const sameAddress = { ...newPerson("google"), email: person.email };
    for (const former of [person, renamed, sameAddress]) {
      const again = await signIn(former);
      expect(await pointsOf(again.userId)).toBe(0);
      await remove(again.access, providers.env);
    }
    const byCode = await register(person.email);
    expect(await pointsOf(byCode.userId)).toBe(0);
    expect(await pointsOf((await signIn(newPerson("google"))).userId), "a neighbour").toBe(50);
  });
});

/** Signs the admin in again, because staff sessions last 24 hours. */
async function adminToken(identifier: string): Promise<string> {
  const options = { ip: newIp() };
  const json = { identifier, verification_token: await verify(identifier, options) };
  clock.advance(2 * MINUTE);
  return (await call("POST", "/api/auth/login", { ...options, json })).body.data.access_token;
}
