import { beforeAll, describe, expect, it, vi } from "vitest";
import { call, newIp, newPhone, type SignedIn, signUp, testEnv, verify } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { insertHistory } from "../support/history.ts";
import { runJob } from "../support/jobs.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { newAdmin } from "../support/staff.ts";
import { findTraces } from "../support/traces.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const DAY = 86_400_000;
/** Tables whose rows about a user come back when the primary is restored, parents first. */
const TABLES = ["users", "profiles", "wallets", "points", "sessions", "audit_logs", "notifications", "kyc"];
const ownerOf = (table: string) => (table === "users" ? "id" : "user_id");

/** The current rows about the user. */
async function copyOf(userId: string): Promise<[string, Record<string, unknown>[]][]> {
  const copies = TABLES.map(async (table): Promise<[string, Record<string, unknown>[]]> => {
    const { results } = await testEnv.DB.prepare("select name from pragma_table_info(?)")
      .bind(table)
      .all<{ name: string }>();
    const columns = results.map(({ name }) => name).join(", ");
    return [table, await rows(`select ${columns} from ${table} where ${ownerOf(table)} = ?`, userId)];
  });
  return Promise.all(copies);
}

/** Restores the rows that the primary had about the user, as Time Travel does. */
async function restore(userId: string, copy: Awaited<ReturnType<typeof copyOf>>): Promise<void> {
  for (const table of [...TABLES].reverse()) await rows(`delete from ${table} where ${ownerOf(table)} = ?`, userId);
  for (const [table, found] of copy) {
    for (const row of found) {
      const names = Object.keys(row);
      const places = names.map(() => "?").join(", ");
      await rows(`insert into ${table} (${names.join(", ")}) values (${places})`, ...Object.values(row));
    }
  }
}

async function settle(simulation: Simulation): Promise<void> {
  for (let minute = 0; minute < 3; minute++) {
    while (simulation.queue.held.length > 0) await simulation.deliver();
    await simulation.consume("search", simulation.searchQueue.held.splice(0));
    clock.advance(60_000);
    await simulation.tick();
  }
}

async function find(staff: SignedIn, search: string): Promise<string[]> {
  const { body } = await call("GET", `/api/users?search=${encodeURIComponent(search)}`, { token: staff.access });
  return body.data.results.map(({ id }: { id: string }) => id);
}

const entriesOf = async (userId: string) =>
  (await testEnv.SEARCH_DB.prepare("select text, removed_at from search_entries where user_id = ?").bind(userId).all())
    .results;

/** A user whose deletion was undone by a restore of the primary, and another user as a control. */
async function restored() {
  const simulation = new Simulation(1);
  const [user, neighbour] = [await signUp(), await signUp()];
  const word = `canary ${crypto.randomUUID()}`;
  await insertHistory(user.userId, { rows: 3, word });
  await rows("update users set username = ?2, username_key = ?2 where id = ?1", user.userId, word);
  const copy = await copyOf(user.userId);
  const answer = await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} });
  expect(answer).toMatchObject({ status: 200 });
  await settle(simulation);
  expect(await findTraces([word, user.identifier])).toEqual([]);
  await restore(user.userId, copy);
  expect((await findTraces([word])).length).toBeGreaterThan(2);
  return { simulation, user, neighbour, word };
}

describe("after a restore of the primary that undid a deletion", () => {
  it("neither a rebuild, a check nor a late message adds the user to the search again", async () => {
    const { simulation, user, neighbour, word } = await restored();
    const staff = await newAdmin();
    // Entries of deleted users are purged after a week; the record of the deletion is not.
    await testEnv.SEARCH_DB.prepare("delete from search_entries").run();
    await runJob("rebuild_user_search");
    await runJob("check_user_search");
    const payload = JSON.stringify({ user_id: user.userId });
    const late = { event_id: word, type: "user_search.due", user_id: user.userId, payload, created_at: Date.now() };
    await simulation.consume("search", [{ id: word, attempts: 1, body: late }]);
    expect(await entriesOf(user.userId)).toEqual([]);
    expect(await find(staff, word.slice(7, 20))).toEqual([]);
    expect(await entriesOf(neighbour.userId)).toMatchObject([{ removed_at: null }]);
    expect(await find(staff, neighbour.identifier.slice(6))).toEqual([neighbour.userId]);
  });

  it("a rebuild after the restore was undone brings back users who did not exist in between", async () => {
    const simulation = new Simulation(1);
    const [user, staff] = [await signUp(), await newAdmin()];
    await settle(simulation);
    // What a rebuild left while the user did not exist.
    await testEnv.SEARCH_DB.prepare(
      "update search_entries set text = '', phone_number = '', version = 9007199254740991, removed_at = ? where user_id = ?",
    )
      .bind(Date.now(), user.userId)
      .run();
    await runJob("rebuild_user_search");
    expect(await entriesOf(user.userId)).toMatchObject([{ removed_at: null }]);
    expect(await find(staff, user.identifier.slice(6))).toEqual([user.userId]);
  });

  it("reapply_account_deletions deletes the users again, with all their data", async () => {
    const { simulation, user, neighbour, word } = await restored();
    expect((await call("GET", "/api/auth/me", { token: user.access })).status).toBe(200);
    await rows("insert into rentals (user_id, rental_id, started_at) values (?, 'open', 1)", user.userId);
    await runJob("reapply_account_deletions");
    clock.advance(60_000);
    await simulation.tick();
    await settle(simulation);
    expect(await findTraces([word, user.identifier])).toEqual([]);
    expect((await call("GET", "/api/auth/me", { token: user.access })).status).toBe(401);
    expect((await call("GET", "/api/auth/me", { token: neighbour.access })).status).toBe(200);
    const told = await rows("select id from recorded_events where user_id = ? and type = 'user.deleted'", user.userId);
    expect(told.length).toBeGreaterThan(0);
    const options = { ip: newIp() };
    const verification_token = await verify(user.identifier, options);
    const json = { identifier: user.identifier, verification_token };
    const again = await call("POST", "/api/auth/register", { ...options, json });
    expect(again.status).toBe(201);
    expect(await rows("select current_points from points where user_id = ?", again.body.data.user_id)).toEqual([
      { current_points: 0 },
    ]);
  });

  it("a deletion whose message is delivered only after the restore is recorded and can be reapplied", async () => {
    const simulation = new Simulation(1);
    const user = await signUp();
    const document = `kyc/${user.userId}/${crypto.randomUUID()}`;
    await testEnv.KYC_BUCKET.put(document, "canary");
    const copy = await copyOf(user.userId);
    expect(await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} })).toMatchObject({
      status: 200,
    });
    const recorded = async () =>
      (
        await testEnv.SEARCH_DB.prepare("select user_id from deleted_accounts where user_id = ?")
          .bind(user.userId)
          .all()
      ).results;
    expect([simulation.queue.held.length > 0, await recorded()]).toEqual([true, []]);
    await restore(user.userId, copy);
    await rows("delete from outbox where user_id = ?", user.userId);
    await settle(simulation);
    expect(await recorded()).toEqual([{ user_id: user.userId }]);
    expect((await call("GET", "/api/auth/me", { token: user.access })).status, "the restored account").toBe(200);
    expect(await testEnv.KYC_BUCKET.head(document), "its document").not.toBeNull();
    await runJob("reapply_account_deletions");
    clock.advance(60_000);
    await simulation.tick();
    await settle(simulation);
    expect((await call("GET", "/api/auth/me", { token: user.access })).status).toBe(401);
    expect(await testEnv.KYC_BUCKET.head(document)).toBeNull();
    expect(await findTraces([user.identifier])).toEqual([]);
  });

  it("reapply_account_deletions does nothing if no deleted user is back, and is safe to repeat", async () => {
    const [{ simulation, user }, stranger] = [await restored(), await signUp(newPhone())];
    for (let run = 0; run < 2; run++) {
      await runJob("reapply_account_deletions");
      clock.advance(60_000);
      await simulation.tick();
      await settle(simulation);
    }
    const again = "select id from audit_logs where user_id = ? and action = 'DELETE' and entity_type = 'user'";
    expect(await rows(again, user.userId)).toHaveLength(1);
    expect((await call("GET", "/api/auth/me", { token: stranger.access })).status).toBe(200);
  });

  it("the empty entry of a removed user stays in the search for 7 days", async () => {
    const id = crypto.randomUUID();
    const removedAt = Date.now();
    await testEnv.SEARCH_DB.prepare(
      `insert into search_entries (sort_key, user_id, version, text, phone_number, status_bucket, written_by, removed_at)
        values (?1, ?2, 1, '', '', 0, 'test', ?1)`,
    )
      .bind(removedAt, id)
      .run();
    vi.setSystemTime(removedAt + 7 * DAY - 1);
    await runJob("check_user_search");
    expect(await entriesOf(id)).toHaveLength(1);
    vi.setSystemTime(removedAt + 7 * DAY + 1);
    await runJob("check_user_search");
    expect(await entriesOf(id)).toEqual([]);
  });

  it("the record of a deletion is kept for 400 days, longer than Time Travel reaches back", async () => {
    const simulation = new Simulation(1);
    const user = await signUp();
    await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} });
    await settle(simulation);
    const recorded = async () =>
      (
        await testEnv.SEARCH_DB.prepare("select deleted_at from deleted_accounts where user_id = ?")
          .bind(user.userId)
          .all()
      ).results;
    const [{ deleted_at: deletedAt } = { deleted_at: 0 }] = (await recorded()) as { deleted_at: number }[];
    vi.setSystemTime(deletedAt + 400 * DAY);
    await runJob("check_user_search");
    expect(await recorded()).toHaveLength(1);
    vi.setSystemTime(deletedAt + 400 * DAY + 1);
    await runJob("check_user_search");
    expect(await recorded()).toEqual([]);
  });
});
