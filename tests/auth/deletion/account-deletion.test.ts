import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  call,
  logIn,
  newIp,
  newPhone,
  requestCode,
  type SignedIn,
  signUp,
  testEnv,
  verify,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { naiveDeletion } from "../../support/naive/naive-deletion.ts";
import { deliver, newEvent } from "../../support/platform.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { me, refresh } from "../../support/session-calls.ts";
import type { Fault } from "../../support/simulator/scheduler.ts";
import { Simulation } from "../../support/simulator/simulation.ts";
import { findTraces } from "../../support/traces.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const MINUTE = 60_000;
const remove = (token: string, json: object = {}) => call("DELETE", "/api/auth/account", { token, json });

/** A user with data in every store, and the strings that would identify them. */
async function wellKnownUser() {
  const ip = newIp();
  const userAgent = `canary agent ${crypto.randomUUID()}`;
  const options = { ip, headers: { "user-agent": userAgent } };
  const user = await signUp(newPhone(), options);
  const mark = newId();
  const fcm_token = `canary-push-${mark}`;
  const profile = { full_name: `Canary ${mark}`, date_of_birth: "1990-01-01", address: `Canary street ${mark}` };
  await call("PUT", "/api/users/profile", { ...options, token: user.access, json: profile });
  await call("POST", "/api/auth/device", {
    ...options,
    token: user.access,
    json: { device_id: `canary-device-${mark}`, fcm_token, device_type: "ANDROID" },
  });
  const key = `kyc/${user.userId}/${crypto.randomUUID()}`;
  await testEnv.KYC_BUCKET.put(key, "canary");
  await run(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?1, ?2, 'T', ?3, '', 0)",
    newId(),
    user.userId,
    `Canary title ${mark}`,
  );
  await run(
    `insert into dead_letters (id, queue, event_id, type, user_id, payload, reason, attempts, created_at)
      values (?1, 'tasks', ?1, 't', ?2, ?3, 'r', 1, ?4)`,
    newId(),
    user.userId,
    JSON.stringify({ name: `Canary letter ${mark}` }),
    Date.now(),
  );
  const payload = JSON.stringify({ user_id: user.userId });
  const due = { event_id: mark, type: "user_search.due", user_id: user.userId, payload, created_at: Date.now() };
  await new Simulation(1).consume("search", [{ id: mark, attempts: 1, body: due }]);
  clock.advance(2 * MINUTE);
  // A code that is still live in KV and in D1.
  await requestCode(user.identifier, options);
  const [named] = await rows<{ username: string; referral_code: string }>(
    "select username, referral_code from users where id = ?",
    user.userId,
  );
  const words = [user.identifier, mark, userAgent, ip, named?.username ?? "", named?.referral_code ?? ""];
  return { user, options, words };
}

/** Runs the cron and the queue until nothing is pending. */
async function settle(simulation = new Simulation(1)): Promise<void> {
  await simulation.deliver();
  for (let minute = 0; minute < 3; minute++) {
    clock.advance(MINUTE);
    await simulation.tick();
    await simulation.deliver(2);
  }
  await simulation.consume("search", simulation.searchQueue.held.splice(0), 2);
}

async function deletedIn(simulation: Simulation, user: SignedIn): Promise<Answer> {
  const answer = await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} });
  if (answer === "died") throw new Error("the call died");
  return answer;
}

describe("DELETE auth/account", () => {
  it("leaves only ids of the person in D1, SEARCH_DB, KV and R2", async () => {
    const { user, words } = await wellKnownUser();
    const before = new Set((await findTraces(words)).map(({ where }) => where));
    expect(before.size).toBeGreaterThan(10);
    expect([...before]).toEqual(expect.arrayContaining(["audit_logs", "sessions", "search search_entries"]));
    const live = "select cid from otp_challenges where identifier = ? order by cid desc limit 1";
    const [{ cid } = { cid: "" }] = await rows<{ cid: string }>(live, user.identifier);
    const liveCodesInKv = async () => (await findTraces([cid])).filter(({ where }) => where === "KV");
    expect(await liveCodesInKv()).toHaveLength(1);
    const simulation = new Simulation(1);
    expect((await deletedIn(simulation, user)).status).toBe(200);
    await settle(simulation);
    expect(await findTraces(words)).toEqual([]);
    expect(await liveCodesInKv()).toEqual([]);
    const left = await findTraces([user.userId]);
    expect([...new Set(left.map(({ where }) => where))].sort()).toEqual([
      "audit_logs",
      "dead_letters",
      "search deleted_accounts",
      "search search_entries",
    ]);
    const [tombstone] = await rows(
      "select * from audit_logs where user_id = ? and action = 'DELETE' and entity_type = 'user'",
      user.userId,
    );
    expect(tombstone).toMatchObject({ entity_id: user.userId, old_values: null, new_values: null, ip: null });
  });

  it("ends every session at once, so that a second deletion gets 401", async () => {
    const user = await signUp();
    clock.advance(2 * MINUTE);
    const other = await logIn(user.identifier);
    expect((await remove(user.access)).status).toBe(200);
    const after = [await remove(user.access)];
    for (const session of [user, other]) after.push(await me(session.access), await refresh(session.refresh));
    const refusals = after.map(({ status, body }) => [status, body.error.code]);
    expect(refusals).toEqual(after.map(() => [401, "token_not_valid"]));
  });

  it("frees identifier and username for a new account, which starts empty", async () => {
    const user = await signUp();
    const [{ username } = { username: "" }] = await rows<{ username: string }>(
      "select username from users where id = ?",
      user.userId,
    );
    await remove(user.access);
    clock.advance(2 * MINUTE);
    const verification_token = await verify(user.identifier, { ip: newIp() });
    const json = { identifier: user.identifier, verification_token, username };
    const again = await call("POST", "/api/auth/register", { json });
    expect(again.status).toBe(201);
    expect(again.body.data.user_id).not.toBe(user.userId);
    expect(await rows("select id from audit_logs where user_id = ?", again.body.data.user_id)).toHaveLength(1);
  });

  it("keeps ledger rows without personal data", async () => {
    const user = await signUp();
    const [bonus] = await rows<{ id: string }>("select id from point_transactions where user_id = ?", user.userId);
    const transaction = crypto.randomUUID();
    await run(
      `insert into wallet_transactions (id, user_id, source, transaction_id, transaction_type, amount_minor,
        wallet_delta_minor, currency, occurred_at, created_at) values (?1, ?2, 'pay', ?1, 'TOPUP', 500, 500, 'NPR', 0, 0)`,
      transaction,
      user.userId,
    );
    const simulation = new Simulation(1);
    await deletedIn(simulation, user);
    await settle(simulation);
    expect(await rows("select user_id, delta from point_transactions where id = ?", bonus?.id)).toEqual([
      { user_id: null, delta: 50 },
    ]);
    expect(await rows("select user_id, amount_minor from wallet_transactions where id = ?", transaction)).toEqual([
      { user_id: null, amount_minor: 500 },
    ]);
  });

  it("removes the person from the points that an inviter and an invitee earned by each other", async () => {
    const [inviter, identifier] = [await signUp(), newPhone()];
    const [owner] = await rows<{ referral_code: string }>(
      "select referral_code from users where id = ?",
      inviter.userId,
    );
    const options = { ip: newIp() };
    const verification_token = await verify(identifier, options);
    const json = { identifier, verification_token, referral_code: owner?.referral_code };
    const { data } = (await call("POST", "/api/auth/register", { ...options, json })).body;
    const invitee: SignedIn = { ...inviter, identifier, userId: data.user_id, access: data.access_token };
    await deliver([
      newEvent(invitee.userId, "rental.returned", { rental_id: crypto.randomUUID(), on_time: true, amount: "10.00" }),
    ]);
    const earned =
      "select id, user_id, delta, reference from point_transactions where reason = 'referral' order by delta";
    const before = await rows<{ id: string }>(earned);
    const [ofInvitee, ofInviter] = before.slice(-2);
    expect(before.slice(-2)).toMatchObject([
      { user_id: invitee.userId, delta: 50, reference: expect.any(String) },
      { user_id: inviter.userId, delta: 100, reference: invitee.userId },
    ]);
    const simulation = new Simulation(1);
    expect((await deletedIn(simulation, invitee)).status).toBe(200);
    await settle(simulation);
    expect(await rows(earned)).toEqual([
      { id: ofInvitee?.id, user_id: null, delta: 50, reference: ofInvitee?.id },
      { id: ofInviter?.id, user_id: inviter.userId, delta: 100, reference: ofInviter?.id },
    ]);
    expect(await rows("select current_points from points where user_id = ?", inviter.userId)).toEqual([
      { current_points: 150 },
    ]);
  });

  it("requires a sign-in of the last 10 minutes; a refresh does not count (ASVS 7.5.1)", async () => {
    const user = await signUp();
    clock.advance(10 * MINUTE - 1);
    const { body } = await call("POST", "/api/auth/refresh", { json: { refresh: user.refresh } });
    clock.advance(1);
    const refused = await remove(body.access);
    expect([refused.status, refused.body.error.code]).toEqual([403, "reauthentication_required"]);
    expect((await me(body.access)).status).toBe(200);
  });

  it("accepts a fresh verification token of the caller instead; rejects used, old and other people's tokens", async () => {
    const user = await signUp();
    clock.advance(11 * MINUTE);
    const stranger = await verify(newPhone(), { ip: newIp() });
    const own = await verify(user.identifier, { ip: newIp() });
    expect((await remove(user.access, { verification_token: stranger })).status).toBe(403);
    expect((await remove(user.access, { verification_token: "made up" })).status).toBe(403);
    const used = await call("POST", "/api/auth/login", {
      json: { identifier: user.identifier, verification_token: own },
    });
    expect(used.status).toBe(200);
    expect((await remove(user.access, { verification_token: own })).status).toBe(403);
    clock.advance(2 * MINUTE);
    const fresh = await verify(user.identifier, { ip: newIp() });
    expect((await remove(user.access, { verification_token: fresh })).status).toBe(200);
  });

  it.each([
    [
      "an open rental",
      "insert into rentals (user_id, rental_id, started_at) values (?, 'r', 1)",
      "update rentals set returned_at = 2 where user_id = ?",
      "open_rental",
      /power bank/,
    ],
    [
      "a debt",
      "update wallets set balance_minor = -1 where user_id = ?",
      "update wallets set balance_minor = 0 where user_id = ?",
      "debt_due",
      /balance/,
    ],
  ])(
    "is refused while there is %s, says what to do and does not redeem the token",
    async (_, create, mend, code, words) => {
      const user = await signUp();
      clock.advance(11 * MINUTE);
      const verification_token = await verify(user.identifier, { ip: newIp() });
      await run(create, user.userId);
      const refused = await remove(user.access, { verification_token });
      expect([refused.status, refused.body.error.code]).toEqual([409, code]);
      expect(refused.body.error.message).toMatch(words);
      expect((await me(user.access)).status).toBe(200);
      await run(mend, user.userId);
      expect((await remove(user.access, { verification_token })).status).toBe(200);
    },
  );

  it("is refused for the last admin", async () => {
    const [first, second] = [await signUp(), await signUp()];
    await run("update users set role = 'user' where role = 'admin'");
    await run("update users set role = 'admin' where id in (?, ?)", first.userId, second.userId);
    expect((await remove(first.access)).status).toBe(200);
    const refused = await remove(second.access);
    expect([refused.status, refused.body.error.code]).toEqual([409, "last_admin"]);
    await run("update users set role = 'user' where id = ?", second.userId);
  });

  it("takes effect once when called a hundred times at once", async () => {
    const user = await signUp();
    const simulation = new Simulation(7);
    const answers = await simulation.race(
      Array.from({ length: 100 }, () => ({
        method: "DELETE",
        path: "/api/auth/account",
        options: { token: user.access, json: {} },
      })),
    );
    const statuses = answers.map((answer) => (answer === "died" ? 0 : answer.status)).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 99 }, () => 401)]);
    expect(await rows("select id from audit_logs where user_id = ? and action = 'DELETE'", user.userId)).toHaveLength(
      1,
    );
    expect(
      await rows("select id from recorded_events where user_id = ? and type = 'user.deleted'", user.userId),
    ).toHaveLength(1);
  });

  it("detects that a naive deletion is correct alone and takes effect twice in a race", async () => {
    const countEvents = async (isCalm: boolean) => {
      const { userId } = await signUp();
      const calls = { method: "DELETE", path: `/api/auth/account?user=${userId}` };
      await new Simulation(7, naiveDeletion, isCalm).race(Array.from({ length: 20 }, () => calls));
      return (await rows("select id from recorded_events where user_id = ? and type = 'user.deleted'", userId)).length;
    };
    expect(await countEvents(true)).toBe(1);
    expect(await countEvents(false)).toBeGreaterThan(1);
  });

  it("ends a session that is refreshed at the same moment", async () => {
    for (const seed of [1, 2, 3]) {
      const user = await signUp();
      const simulation = new Simulation(seed);
      const answers = await simulation.race([
        ...Array.from({ length: 10 }, () => ({
          method: "POST",
          path: "/api/auth/refresh",
          options: { json: { refresh: user.refresh } },
        })),
        { method: "DELETE", path: "/api/auth/account", options: { token: user.access, json: {} } },
      ]);
      expect(answers.at(-1)).toMatchObject({ status: 200 });
      for (const answer of answers.slice(0, -1)) {
        if (answer === "died" || answer.status !== 200) continue;
        expect((await me(answer.body.access)).status).toBe(401);
      }
    }
  });

  it("completes after a failure or crash at any of the first six calls of the request and of its task", async () => {
    const faults: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
    for (const fault of faults) {
      for (let index = 0; index < 6; index++) {
        const { user, words } = await wellKnownUser();
        const simulation = new Simulation(index);
        const place = { faults: (each: { index: number }) => (each.index === index ? fault : undefined) };
        await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} }, place);
        const held = structuredClone(simulation.queue.held);
        await simulation.deliver(1, place);
        // Messages that were not acknowledged are redelivered.
        simulation.queue.held.push(...held);
        if ((await me(user.access)).status === 200) await deletedIn(simulation, user);
        await settle(simulation);
        expect(await findTraces(words), `${fault} at ${index}`).toEqual([]);
      }
    }
  });
});
