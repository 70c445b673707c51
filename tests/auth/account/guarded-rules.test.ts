import { decodeJwt } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  call,
  logIn,
  networkOf,
  newEmail,
  newIp,
  newPhone,
  readCode,
  requestCode,
  type SignedIn,
  signUp,
  testEnv,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, run } from "../../support/database.ts";
import { otherThan } from "../../support/otp-calls.ts";
import { newUser } from "../../support/people.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { logout, me, refresh } from "../../support/session-calls.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const sidOf = ({ access }: SignedIn) => String(decodeJwt(access).sid);
const outcome = ({ status, body }: Answer) => [status, body.error?.code];

const ask = (identifier: string, ip: string, env: Partial<Env> = {}) =>
  call("POST", "/api/auth/otp/request", { ip, env, json: { identifier } });
const guess = (identifier: string, otp: string, ip = newIp(), env: Partial<Env> = {}) =>
  call("POST", "/api/auth/otp/verify", { ip, env, json: { identifier, otp } });

async function rotate(token: string): Promise<{ access: string; refresh: string }> {
  const answer = await refresh(token);
  expect(answer.status).toBe(200);
  return answer.body.data;
}

describe("ASVS 7.4.1: the denylist of ended sessions", () => {
  const isListed = async (sid: string) => (await testEnv.KV.get(`deny:${sid}`)) !== null;

  test("refuses a denied session at refresh even if the database does not know that it ended", async () => {
    const [denied, other] = [await newUser(), await newUser()];
    await testEnv.KV.put(`deny:${sidOf(denied)}`, "1");
    const answer = await refresh(denied.refresh);
    expect(outcome(answer)).toEqual([401, "token_not_valid"]);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect((await refresh(other.refresh)).status).toBe(200);
  });

  test("contains a session that a logout ended", async () => {
    const user = await newUser();
    expect(await isListed(sidOf(user))).toBe(false);
    expect((await logout(user.access, user.refresh)).status).toBe(200);
    expect(await isListed(sidOf(user))).toBe(true);
  });

  test("contains the sessions that a user ended, one or all others, and never the user's current one", async () => {
    const present = await newUser();
    const others: SignedIn[] = [];
    for (let i = 0; i < 3; i++) {
      clock.advance(SECOND);
      others.push(await logIn(present.identifier));
    }
    const [second, third, fourth] = others as [SignedIn, SignedIn, SignedIn];
    const options = { token: present.access };
    expect((await call("DELETE", `/api/auth/sessions/${sidOf(second)}`, options)).status).toBe(200);
    expect(await Promise.all([present, second, third, fourth].map(sidOf).map(isListed))).toEqual([
      false,
      true,
      false,
      false,
    ]);
    expect((await call("DELETE", "/api/auth/sessions", options)).status).toBe(200);
    expect(await Promise.all([present, third, fourth].map(sidOf).map(isListed))).toEqual([false, true, true]);
  });

  test("contains the oldest session, which an eleventh sign-in ended", async () => {
    const oldest = await newUser();
    for (let i = 1; i <= 9; i++) {
      await run(
        `insert into sessions (id, user_id, created_at, last_used_at, counter, refresh_key_id, rotated_at, rotated_by, replays, idle_ttl_ms,
          idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, revoked_by, ip, user_agent, device_name, method)
          select ?1, user_id, created_at + ?2, last_used_at, counter, refresh_key_id, rotated_at,
          rotated_by, replays, idle_ttl_ms, idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, revoked_by,
          ip, user_agent, device_name, method from sessions where id = ?3`,
        crypto.randomUUID(),
        i,
        sidOf(oldest),
      );
    }
    clock.advance(SECOND);
    expect(await isListed(sidOf(oldest))).toBe(false);
    const newest = await logIn(oldest.identifier);
    expect(await isListed(sidOf(oldest))).toBe(true);
    expect(await isListed(sidOf(newest))).toBe(false);
    expect((await me(oldest.access)).status).toBe(401);
  });

  test("contains a session that the reuse of a refresh token ended (RFC 9700 4.14.2)", async () => {
    const user = await newUser();
    const { refresh: second } = await rotate(user.refresh);
    await rotate(second);
    expect(await isListed(sidOf(user))).toBe(false);
    expect((await refresh(user.refresh)).status).toBe(401);
    expect(await isListed(sidOf(user))).toBe(true);
  });
});

describe("ASVS 6.3.1: a network has 600 wrong attempts in 10 minutes, at any identifiers", () => {
  const LIMIT = 600;
  const WINDOW = 10 * MINUTE;

  /** Gives the network a new window with this number of wrong attempts. */
  async function networkAfter(guesses: number): Promise<string> {
    const ip = newIp();
    expect((await guess(newPhone(), "111111", ip)).status).toBe(400);
    const network = ip.split(".").slice(0, 3).join(".");
    const changed = await run(
      "update network_guess_limits set guesses = ? where network like ? || '.%'",
      guesses,
      network,
    );
    expect(changed.meta.changes).toBe(1);
    return ip;
  }

  test("accepts the 600th attempt; rejects the next with 429 until the window ends, without charging it", async () => {
    const ip = await networkAfter(LIMIT - 2);
    const [phone, later] = [newPhone(), newPhone()];
    const [code, laterCode] = [await requestCode(phone, { ip: newIp() }), await requestCode(later, { ip: newIp() })];
    expect(outcome(await guess(phone, otherThan(code), ip)), "guess 599").toEqual([400, "invalid_otp"]);
    expect((await guess(phone, code, ip)).status, "a right guess").toBe(200);
    expect(outcome(await guess(newPhone(), "111111", ip)), "guess 600").toEqual([400, "invalid_otp"]);
    clock.advance(4 * MINUTE);
    for (const [identifier, otp] of [
      [later, laterCode],
      [later, otherThan(laterCode)],
      [newEmail(), "111111"],
    ] as const) {
      const refused = await guess(identifier, otp, ip);
      expect(outcome(refused)).toEqual([429, "rate_limit_exceeded"]);
      expect(refused.headers.get("retry-after")).toBe("360");
    }
    expect((await guess(later, laterCode)).status, "from another network").toBe(200);
  });

  test("accepts attempts again exactly when the window ends", async () => {
    const ip = await networkAfter(LIMIT);
    clock.advance(WINDOW - 1);
    const refused = await guess(newPhone(), "111111", ip);
    expect([...outcome(refused), refused.headers.get("retry-after")]).toEqual([429, "rate_limit_exceeded", "1"]);
    clock.advance(1);
    expect(outcome(await guess(newPhone(), "111111", ip))).toEqual([400, "invalid_otp"]);
    expect(outcome(await guess(newPhone(), "111111", ip))).toEqual([400, "invalid_otp"]);
  });

  test("lets a person verify a code requested from the same network whatever others on it did", async () => {
    const ip = await networkAfter(LIMIT + 50);
    const [own, foreign] = [newPhone(), newPhone()];
    const code = await requestCode(own, { ip });
    const foreignCode = await requestCode(foreign, { ip: newIp() });
    expect((await guess(foreign, foreignCode, ip)).status).toBe(429);
    expect((await guess(own, code, ip)).status).toBe(200);
    clock.advance(MINUTE);
    const next = await requestCode(own, { ip: newIp() });
    expect((await guess(own, next, ip)).status, "a code asked for elsewhere, the own one being used").toBe(429);
  });
});

describe("the 600 wrong attempts of a network", () => {
  const guesses = (ip: string) =>
    testEnv.DB.prepare("select guesses from network_guess_limits where network = ?")
      .bind(networkOf(ip))
      .first<number>("guesses");

  test("count a wrong attempt with or without a live code, but neither a right one nor its repetition", async () => {
    const [phone, ip] = [newPhone(), newIp()];
    const code = await requestCode(phone, { ip });
    await guess(newPhone(), "111111", ip);
    expect(await guesses(ip)).toBe(1);
    await guess(phone, otherThan(code), ip);
    expect(await guesses(ip)).toBe(2);
    const headers = { "idempotency-key": crypto.randomUUID() };
    for (let call_ = 0; call_ < 3; call_++) {
      const right = await call("POST", "/api/auth/otp/verify", { ip, headers, json: { identifier: phone, otp: code } });
      expect([right.status, await guesses(ip)]).toEqual([200, 2]);
    }
    const other = { ip, headers, json: { identifier: phone, otp: otherThan(code) } };
    expect((await call("POST", "/api/auth/otp/verify", other)).status).toBe(409);
    expect(await guesses(ip), "a guess at the body of a bound key").toBe(3);
  });

  test("do not count attempts that a lock rejects, so that one locked person does not use up the network's attempts", async () => {
    const [phone, ip] = [newPhone(), newIp()];
    const code = await requestCode(phone, { ip });
    for (let i = 0; i < 5; i++) await guess(phone, otherThan(code), ip);
    for (let i = 0; i < 3; i++) expect((await guess(phone, code, ip)).status).toBe(429);
    expect(await guesses(ip)).toBe(5);
  });

  test("count each of several simultaneous wrong attempts once, and no right one", async () => {
    const ip = newIp();
    const people = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const phone = newPhone();
        return { phone, code: await requestCode(phone, { ip }) };
      }),
    );
    await Promise.all(people.map(({ phone, code }, i) => guess(phone, i % 2 ? code : otherThan(code), ip)));
    expect(await guesses(ip)).toBe(2);
  });
});

describe("a network without attempts left", () => {
  const spend = (ip: string) =>
    run("insert or replace into network_guess_limits values (?, ?, 600)", networkOf(ip), Date.now());

  test.each(["phone", "e-mail"])(
    "may still try the first five codes that it requested, but not a sixth (%s)",
    async (kind) => {
      const ip = newIp();
      const asked = [];
      for (let i = 0; i < 6; i++) {
        const identifier = kind === "phone" ? newPhone() : newEmail();
        asked.push({ identifier, code: await requestCode(identifier, { ip }) });
        clock.advance(SECOND);
      }
      await spend(ip);
      const [sixth] = asked.splice(5);
      expect(outcome(await guess(sixth?.identifier ?? "", sixth?.code ?? "", ip))).toEqual([
        429,
        "rate_limit_exceeded",
      ]);
      for (const { identifier, code } of asked) {
        expect(outcome(await guess(identifier, otherThan(code), ip))).toEqual([400, "invalid_otp"]);
        expect((await guess(identifier, code, ip)).status).toBe(200);
      }
      expect((await guess(sixth?.identifier ?? "", sixth?.code ?? "")).status, "from another network").toBe(200);
    },
  );

  test("may attempt only five codes beyond its 600 wrong attempts, however many codes it requests", async () => {
    const ip = newIp();
    await run("insert or replace into network_guess_limits values (?, ?, 590)", networkOf(ip), Date.now());
    let heard = 0;
    for (let i = 0; i < 12; i++) {
      const phone = newPhone();
      const code = await requestCode(phone, { ip });
      clock.advance(SECOND);
      for (let n = 0; n < 3; n++) heard += (await guess(phone, otherThan(code), ip)).status === 400 ? 1 : 0;
    }
    // Three attempts at each of the first five codes: ten were left, and the limit does not apply to these codes.
    expect(heard).toBe(15);
  });
});

describe("codes and networks", () => {
  test.each(["newer", "older"] as const)(
    "ASVS 6.5.1: a right %s code also consumes the other live code",
    async (right) => {
      const [phone, ip] = [newPhone(), newIp()];
      const older = await requestCode(phone, { ip });
      clock.advance(MINUTE);
      let newer = await requestCode(phone, { ip });
      for (let messages = 3; newer === older; messages++) {
        clock.advance(2 * MINUTE);
        await ask(phone, ip);
        newer = await readCode(phone, messages);
      }
      const [used, left] = right === "newer" ? [newer, older] : [older, newer];
      expect((await guess(phone, used, ip)).status).toBe(200);
      expect(outcome(await guess(phone, left, ip))).toEqual([400, "invalid_otp"]);
      expect(outcome(await guess(phone, left))).toEqual([400, "invalid_otp"]);
    },
  );

  test("after a sign-up the network still waits for its next code and another network does not", async () => {
    const ip = newIp();
    const { identifier } = await signUp(newPhone(), { ip });
    clock.advance(10 * SECOND);
    const again = await ask(identifier, ip);
    expect([...outcome(again), again.headers.get("retry-after")]).toEqual([429, "rate_limit_exceeded", "50"]);
    expect((await ask(identifier, newIp())).status).toBe(200);
    clock.advance(50 * SECOND);
    expect((await ask(identifier, ip)).status).toBe(200);
  });

  test("codes that strangers requested before a sign-up do not count against the network of the sign-up", async () => {
    const [phone, home] = [newPhone(), newIp()];
    for (let stranger = 1; stranger <= 2; stranger++) {
      expect((await ask(phone, newIp())).status).toBe(200);
      clock.advance(MINUTE);
    }
    await signUp(phone, { ip: home });
    clock.advance(MINUTE);
    expect((await ask(phone, home)).status).toBe(200);
  });

  test.each(["staff", "admin"])("a test identifier whose user is %s cannot log in", async (role) => {
    const identifier = newPhone();
    const until = new Date(Date.now() + 10 * DAY).toISOString().slice(0, 10);
    const env = { TEST_IDENTIFIERS: JSON.stringify([{ identifier, code: "424242", until }]) } as Partial<Env>;
    const enter = async (step: "register" | "login", given = env) => {
      const ip = newIp();
      const asked = await ask(identifier, ip, given);
      expect(asked.status).toBe(200);
      const code = given === env ? "424242" : await readCode(identifier);
      const verified = await guess(identifier, code, ip, given);
      const json = { identifier, verification_token: verified.body.data.verification_token };
      return call("POST", `/api/auth/${step}`, { ip, json, env: given });
    };
    const registered = await enter("register");
    expect(registered.status).toBe(201);
    expect((await enter("login")).status).toBe(200);
    const userId = registered.body.data.user_id;
    await run("update users set role = ? where id = ?", role, userId);
    const refused = await enter("login");
    expect(refused.status).toBe(403);
    expect(refused.body.data).toBeUndefined();
    expect(await count("from sessions where user_id = ?", userId)).toBe(2);
    clock.advance(MINUTE);
    expect((await enter("login", {})).status, "as an ordinary identifier").toBe(200);
  });
});

describe("logout with an access token that has expired", () => {
  const REPLAY_WINDOW = 120 * SECOND;

  /** A session that was refreshed a minute before its first access token expires. */
  async function rotatedLate() {
    const user = await newUser();
    clock.advance(14 * MINUTE);
    return { user, successor: await rotate(user.refresh) };
  }

  test("accepts the previous refresh token while the last response may have been lost", async () => {
    const { user, successor } = await rotatedLate();
    clock.advance(REPLAY_WINDOW - 1);
    expect((await me(user.access)).status).toBe(401);
    expect((await logout(user.access, user.refresh)).status).toBe(200);
    expect((await me(successor.access)).status).toBe(401);
    expect((await refresh(successor.refresh)).status).toBe(401);
  });

  test("accepts older rotated refresh tokens as well and ends the session each time", async () => {
    const { user, successor } = await rotatedLate();
    const last = await rotate(successor.refresh);
    clock.advance(REPLAY_WINDOW);
    expect((await me(user.access)).status).toBe(401);
    expect((await logout(user.access, user.refresh)).status).toBe(200);
    expect((await me(last.access)).status).toBe(401);
    expect((await refresh(last.refresh)).status).toBe(401);
  });
});

describe("ASVS 6.3.5: a user is notified of a lockout", () => {
  const events = (userId: string) => count("from recorded_events where type = 'auth.lockout' and user_id = ?", userId);

  test("once per lock, however many attempts follow, and once if both limits are reached together", async () => {
    const { identifier, userId } = await newUser();
    for (let lock = 1; lock <= 4; lock++) {
      clock.advance(6 * MINUTE);
      const ip = newIp();
      const code = await requestCode(identifier, { ip });
      for (let i = 1; i <= 5; i++) {
        expect(await events(userId)).toBe(lock - 1);
        expect((await guess(identifier, otherThan(code), ip)).status).toBe(400);
      }
      expect(await events(userId)).toBe(lock);
      for (let i = 0; i < 3; i++) expect((await guess(identifier, code, ip)).status).toBe(429);
      expect(await events(userId)).toBe(lock);
    }
  });

  test("once when a hundred consecutive failures lock the network class and no other limit is reached", async () => {
    const { identifier, userId } = await newUser();
    const ip = newIp();
    const code = await requestCode(identifier, { ip });
    expect((await guess(identifier, otherThan(code), ip)).status).toBe(400);
    await run("update otp_class_guards set streak = 98, failures = '[]' where identifier = ?", identifier);
    expect((await guess(identifier, otherThan(code), ip)).status).toBe(400);
    expect(await events(userId), "after 99 failures").toBe(0);
    expect((await guess(identifier, otherThan(code), ip)).status).toBe(400);
    expect(await events(userId), "after 100 failures").toBe(1);
    for (let i = 0; i < 2; i++) {
      expect((await guess(identifier, code)).headers.get("retry-after")).toBe(String((7 * DAY) / SECOND));
    }
    expect(await events(userId)).toBe(1);
  });

  test("not if no user has the identifier", async () => {
    const [identifier, ip] = [newPhone(), newIp()];
    const code = await requestCode(identifier, { ip });
    const before = await count("from recorded_events where type = 'auth.lockout'");
    for (let i = 0; i < 5; i++) await guess(identifier, otherThan(code), ip);
    expect((await guess(identifier, code, ip)).status).toBe(429);
    expect(await count("from recorded_events where type = 'auth.lockout'")).toBe(before);
  });

  test("not if the attempt that would have locked was right", async () => {
    const { identifier, userId } = await newUser();
    clock.advance(MINUTE);
    const ip = newIp();
    const code = await requestCode(identifier, { ip });
    for (let i = 0; i < 4; i++) expect((await guess(identifier, otherThan(code), ip)).status).toBe(400);
    expect((await guess(identifier, code, ip)).status).toBe(200);
    expect(await events(userId)).toBe(0);
  });
});

test("GET auth/me reports the user's own profile completeness and KYC status", async () => {
  const [bare, whole] = [await newUser(), await newUser()];
  await run("update profiles set full_name = 'A B', date_of_birth = '2000-01-01' where user_id = ?", whole.userId);
  const id = crypto.randomUUID();
  await run(
    `insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index,
      front_document_id, status, rejection_reason, version, changed_by, submitted_at, created_at, updated_at)
      values (?, ?, '', '', '', '', '', 'REJECTED', 'blurred', 1, '', 0, 0, 0)`,
    whole.userId,
    id,
  );
  const view = async ({ access }: SignedIn) => {
    const { profile_complete, kyc_status } = (await me(access)).body.data;
    return { profile_complete, kyc_status };
  };
  expect(await view(whole)).toEqual({ profile_complete: false, kyc_status: "REJECTED" });
  await run("update profiles set address = 'Kathmandu' where user_id = ?", whole.userId);
  expect(await view(whole)).toEqual({ profile_complete: true, kyc_status: "REJECTED" });
  expect(await view(bare)).toEqual({ profile_complete: false, kyc_status: "NOT_SUBMITTED" });
});
