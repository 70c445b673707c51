import { describe, expect, it } from "vitest";
import { call, newIp, type SignedIn, signUp, testEnv, verify } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { historyOf, insertHistory } from "../../support/history.ts";
import { costOf } from "../../support/simulator/budget.ts";
import type { Fault } from "../../support/simulator/scheduler.ts";
import { Simulation } from "../../support/simulator/simulation.ts";
import { newAdmin } from "../../support/staff.ts";
import { findTraces } from "../../support/traces.ts";

const clock = useClock();

const MINUTE = 60_000;
/** Maximum number of rows that a refused deletion reads: session, user, identifiers, wallet, rental, admins. */
const FEW_ROWS = 30;
/** Maximum number of rows that one transaction of a deletion reads or writes, indexes included. */
const BOUNDED_ROWS = 6_000;

/** Inserts other users and their verified codes. */
async function insertStrangers(count: number): Promise<void> {
  const n = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)";
  const run = (sql: string) => testEnv.DB.prepare(sql).bind(count);
  await testEnv.DB.batch([
    run(`insert into users (id, username, username_key, email_verified, phone_verified, referral_code, status, role,
      social_provider, locale, date_joined, updated_at, version) ${n}
      select 'stranger ' || i, 'stranger ' || i, 'stranger ' || i, 0, 1, 'S' || i, 'ACTIVE', 'user', 'PHONE', 'en', 1, 1, 1 from n`),
    run(`insert into otp_challenges (cid, identifier, network, network_rank, network_class, code_hash, secret_id, created_at, expires_at,
      attempts_familiar, attempts_other, consumed_by, consumed_at, consumed_network) ${n}
      select 'code ' || i, 'stranger' || i || '@example.com', 'n', 1, 'other', '', 's', 1, 1, 0, 0, 'i', 9e15, 'n' from n`),
  ]);
}

async function costOfDeletion(user: SignedIn, json: object, expected: [number, string]) {
  const simulation = new Simulation(1);
  const answer = await simulation.call("DELETE", "/api/auth/account", { token: user.access, json });
  if (answer === "died") throw new Error("the call died");
  expect([answer.status, answer.body.error?.code ?? "ok"]).toEqual(expected);
  return costOf(simulation.log);
}

describe("A refused deletion", () => {
  it("reads a few rows and writes none, however many users and tokens exist", async () => {
    await insertStrangers(3_000);
    const [stale, renting, owing, gone] = [await signUp(), await signUp(), await signUp(), await signUp()];
    await rows("insert into rentals (user_id, rental_id, started_at) values (?, 'r', 1)", renting.userId);
    await rows("update wallets set balance_minor = -1 where user_id = ?", owing.userId);
    expect((await call("DELETE", "/api/auth/account", { token: gone.access, json: {} })).status).toBe(200);
    const refusals: [SignedIn, [number, string]][] = [
      [renting, [409, "open_rental"]],
      [owing, [409, "debt_due"]],
      [gone, [401, "token_not_valid"]],
    ];
    await rows("update users set role = 'user' where role = 'admin'");
    const admin = await newAdmin();
    refusals.push([admin, [409, "last_admin"]]);
    const costs = [];
    for (const [user, expected] of refusals) costs.push(await costOfDeletion(user, {}, expected));
    clock.advance(11 * MINUTE);
    costs.push(await costOfDeletion(stale, {}, [403, "reauthentication_required"]));
    const strange = await verify(gone.identifier, { ip: newIp() });
    costs.push(await costOfDeletion(stale, { verification_token: strange }, [403, "reauthentication_required"]));
    for (const { d1, rowsRead, rowsWritten } of costs) {
      expect({ d1, rowsWritten, isFew: rowsRead <= FEW_ROWS }, `${rowsRead} rows`).toEqual({
        d1: 1,
        rowsWritten: 0,
        isFew: true,
      });
    }
  });

  it("distinguishes an admin from the last admin among many users", async () => {
    await rows("update users set role = 'user' where role = 'admin'");
    const [first, second] = [await newAdmin(), await newAdmin()];
    await costOfDeletion(first, {}, [200, "ok"]);
    await costOfDeletion(second, {}, [409, "last_admin"]);
  });
});

describe("The deletion of an account with a long history", () => {
  /** Delivers the deletion's messages until the queue is empty; returns their number. */
  async function finish(simulation: Simulation): Promise<number> {
    let messages = 0;
    while (simulation.queue.held.length > 0) {
      messages += simulation.queue.held.length;
      await simulation.deliver();
    }
    return messages;
  }

  it("touches a bounded number of rows per transaction and leaves nothing once its tasks are done", async () => {
    const user = await signUp();
    const word = `canary ${crypto.randomUUID()}`;
    await insertHistory(user.userId, { rows: 3_000, word });
    const simulation = new Simulation(1);
    const answer = await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} });
    expect(answer).toMatchObject({ status: 200 });
    const deletion = costOf(simulation.log);
    expect(deletion.rowsRead + deletion.rowsWritten).toBeLessThan(1_000);
    const before = simulation.log.length;
    expect(await finish(simulation)).toBeGreaterThan(3);
    for (const { rowsRead, rowsWritten, detail } of simulation.log.slice(before)) {
      expect(rowsRead + rowsWritten, detail.join("\n")).toBeLessThan(BOUNDED_ROWS);
    }
    expect(await findTraces([word])).toEqual([]);
    // Audit rows stay without values, dead letters without payload, and ledger rows without the user.
    expect(await historyOf(user.userId)).toEqual({
      audit_logs: expect.any(Number),
      dead_letters: 3_000,
    });
    const [ledger] = await rows(
      "select count(*) as n from point_transactions where user_id is null and reason = 'referral' and reference = id",
    );
    expect(ledger).toEqual({ n: 3_000 });
  });

  it("resumes after a crash or failure at its first, fourth or eighth call and leaves no trace", async () => {
    const faults: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
    for (const fault of faults) {
      for (const index of [0, 3, 7]) {
        const user = await signUp();
        const word = `canary ${crypto.randomUUID()}`;
        await insertHistory(user.userId, { rows: 250, word });
        const simulation = new Simulation(index);
        await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} });
        const first = structuredClone(simulation.queue.held);
        const place = { faults: (each: { index: number }) => (each.index === index ? fault : undefined) };
        await simulation.deliver(1, place);
        // Messages that were not acknowledged are redelivered.
        simulation.queue.held.push(...first);
        for (let round = 0; round < 2; round++) {
          await finish(simulation);
          clock.advance(MINUTE);
          await simulation.tick();
        }
        expect(await findTraces([word]), `${fault} at ${index}`).toEqual([]);
      }
    }
  });

  it("hides the user from every staff route before the tasks have run", async () => {
    const admin = await newAdmin();
    const user = await signUp();
    const word = `canary ${crypto.randomUUID()}`;
    await insertHistory(user.userId, { rows: 5, word });
    await rows("update users set username = ?2, username_key = ?2 where id = ?1", user.userId, word);
    const token = admin.access;
    const path = `/api/users/${user.userId}`;
    const before = await call("GET", `${path}/audit-logs`, { token });
    expect(JSON.stringify(before.body)).toContain(word);
    expect((await call("DELETE", "/api/auth/account", { token: user.access, json: {} })).status).toBe(200);
    const { total_count: total } = (await call("GET", "/api/users", { token })).body.data.pagination;
    const gets = ["", "/audit-logs", "/sessions", "/analytics-report", "/kyc"].map((end) => path + end);
    for (const get of [...gets, "/api/users", `/api/users?search=${word}`, `/api/users?search=${user.identifier}`]) {
      const answer = await call("GET", get, { token });
      expect([200, 404, 405], get).toContain(answer.status);
      for (const text of [word, user.identifier])
        expect(JSON.stringify(answer.body.data ?? {}), get).not.toContain(text);
    }
    const logs = await call("GET", `${path}/audit-logs`, { token });
    expect(logs.status).toBe(200);
    for (const log of logs.body.data.results) {
      expect(log).toMatchObject({ old_values: null, new_values: null, ip: null, user_agent: null });
    }
    const [counted] = await rows<{ n: number }>("select count(*) as n from users");
    expect(total).toBe(counted?.n);
  });

  it("rejects concurrent writes about the user", async () => {
    for (const seed of [1, 2, 3, 4]) {
      const [staff, user, invitee] = [await newAdmin(), await signUp(), await signUp()];
      const word = `canary ${crypto.randomUUID()}`;
      await rows(
        "insert into referrals (invitee_id, inviter_id, status, created_at) values (?, ?, 'PENDING', 0)",
        invitee.userId,
        user.userId,
      );
      const simulation = new Simulation(seed);
      const patch = { token: staff.access, json: { full_name: word, reason: "x" } };
      await simulation.race([
        { method: "DELETE", path: "/api/auth/account", options: { token: user.access, json: {} } },
        ...Array.from({ length: 5 }, () => ({ method: "PATCH", path: `/api/users/${user.userId}`, options: patch })),
        { method: "PUT", path: "/api/users/profile", options: { token: user.access, json: { full_name: word } } },
        { method: "GET", path: `/api/users/${user.userId}`, options: { token: staff.access } },
      ]);
      await finish(simulation);
      clock.advance(MINUTE);
      await simulation.tick();
      await finish(simulation);
      expect(await findTraces([word]), `seed ${seed}`).toEqual([]);
      const late = await call("PATCH", `/api/users/${user.userId}`, patch);
      expect(late.status).toBe(404);
    }
  });
});
