import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { trigramsOf } from "../../../src/staff/directory/common-text.ts";
import { sortKeyOf } from "../../../src/staff/directory/search-sort-key.ts";
import { call, newIp, newPhone, readCode, type SignedIn, signUp, testEnv } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { insertUser } from "../../support/platform.ts";
import { costOf } from "../../support/simulator/budget.ts";
import type { BindingCall, Fault } from "../../support/simulator/scheduler.ts";
import { Simulation } from "../../support/simulator/simulation.ts";

const DAY_MS = 86_400_000;
/** Each test runs on its own day, so that the job runs of other tests are finished. */
let today = Date.UTC(2028, 0, 1, 21, 0);

beforeEach(() => {
  today += 2 * DAY_MS;
  stopClock({ at: today });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const onSearch = (sql: string, ...values: unknown[]) =>
  testEnv.SEARCH_DB.prepare(sql)
    .bind(...values)
    .all<Record<string, unknown>>()
    .then(({ results }) => results);

const entryOf = async (userId: string) =>
  (
    await onSearch(
      "select version, text, phone_number, status_bucket, removed_at from search_entries where user_id = ?",
      userId,
    )
  )[0];

async function newStaff(): Promise<SignedIn> {
  const user = await signUp();
  await rows("update users set role = 'staff' where id = ?", user.userId);
  return user;
}

async function find(staff: SignedIn, search: string): Promise<string[]> {
  const path = `/api/users?search=${encodeURIComponent(search)}`;
  const { body, status } = await call("GET", path, { token: staff.access });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.data.results.map(({ id }: { id: string }) => id);
}

/** Signs up in the simulation, so that the queue messages stay there. */
async function signUpIn(simulation: Simulation, identifier = newPhone(), ip = newIp()) {
  await call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
  const otp = await readCode(identifier);
  const proof = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
  const json = { identifier, verification_token: proof.body.data.verification_token };
  const answer = await simulation.call("POST", "/api/auth/register", { ip, json });
  if (answer === "died" || answer.status !== 201) throw new Error("register failed");
  return { userId: String(answer.body.data.user_id), access: String(answer.body.data.access_token), identifier };
}

describe("search projection", () => {
  it("adds a new user once however often the message is delivered; a full phone number finds them before that", async () => {
    const [simulation, staff] = [new Simulation(1), await newStaff()];
    const user = await signUpIn(simulation);
    const national = user.identifier.slice(4);
    expect(await find(staff, user.identifier)).toEqual([user.userId]);
    expect(await find(staff, national.slice(2))).toEqual([]);
    const asked = simulation.searchQueue.held.splice(0);
    expect(asked.map(({ body }) => body)).toMatchObject([{ type: "user_search.due", user_id: user.userId }]);
    await simulation.consume("search", asked, 8);
    expect(await find(staff, national.slice(2))).toEqual([user.userId]);
    expect(await onSearch("select count(*) as n from search_entries where user_id = ?", user.userId)).toEqual([
      { n: 1 },
    ]);
  });

  it("follows changes and deletions; a late message does not bring a deleted user back", async () => {
    const [simulation, staff] = [new Simulation(2), await newStaff()];
    const user = await signUpIn(simulation);
    const late = simulation.searchQueue.held.map((message) => ({ ...message }));
    const name = `feed.${user.identifier.slice(-6)}`;
    const options = { token: staff.access, json: { username: name, reason: "asked" } };
    await simulation.call("PATCH", `/api/users/${user.userId}`, options);
    await simulation.consume("search", simulation.searchQueue.held.splice(0), 2);
    expect(await find(staff, name.slice(2))).toEqual([user.userId]);
    expect(await find(staff, `user_${user.identifier.slice(-4)}`)).not.toContain(user.userId);
    expect(
      ((await simulation.call("DELETE", "/api/auth/account", { token: user.access, json: {} })) as { status: number })
        .status,
    ).toBe(200);
    await simulation.consume("search", simulation.searchQueue.held.splice(0));
    await simulation.consume("search", late, 3);
    expect(await find(staff, name.slice(2))).toEqual([]);
    expect(await entryOf(user.userId)).toMatchObject({ text: "", phone_number: "", removed_at: expect.any(Number) });
  });

  it("writes a whole message batch in one round trip, and a malformed message does not block it", async () => {
    const simulation = new Simulation(3);
    const users = [await signUpIn(simulation), await signUpIn(simulation), await signUpIn(simulation)];
    const held = simulation.searchQueue.held.splice(0);
    const [first] = held;
    const malformed = { id: "bad", attempts: 1, body: { ...(first?.body as object), payload: '{"user_id": 5}' } };
    const before = simulation.log.length;
    await simulation.deliverBatch([...held, malformed]);
    const calls = simulation.log.slice(before);
    expect(calls.filter(({ binding }) => binding === "SEARCH_DB")).toHaveLength(1);
    for (const { userId } of users) expect(await entryOf(userId)).toMatchObject({ removed_at: null });
    const [letter] = await rows("select reason from dead_letters order by created_at desc, id desc limit 1");
    expect(letter).toEqual({ reason: "payload: user_id invalid_type" });
  });

  it("adds no cost to a sign-up: the same statements and rows on the primary, and no call to the search database", async () => {
    // Identifiers that sort first and ids that sort last: a seek at the end of an index reads one row less.
    let nth = 0;
    const cost = async () => {
      await rows("delete from sms_send_limits");
      const simulation = new Simulation(4);
      nth += 1;
      vi.setSystemTime(today + nth * 60_000);
      await signUpIn(simulation, `+977980000000${nth}`, `1.1.${nth}.1`);
      const primary = simulation.log.filter(({ binding }) => binding === "D1");
      return { cost: costOf(simulation.log), statements: primary.flatMap(({ detail }) => detail) };
    };
    // The first user of a status bucket inserts the row that counts them.
    await cost();
    await onSearch("delete from search_entries");
    await onSearch("insert into user_search (user_search) values ('delete-all')");
    const empty = await cost();
    const texts = Array.from({ length: 2000 }, (_, i) => ({
      sort_key: i + 1,
      id: crypto.randomUUID(),
      text: `\n\nfull${i}`,
    }));
    await onSearch(
      `insert into search_entries select value ->> 'sort_key', value ->> 'id', 1, value ->> 'text', '', 0, 'test', null from json_each(?)`,
      JSON.stringify(texts),
    );
    await onSearch(
      "insert into user_search (rowid, text) select value ->> 'sort_key', value ->> 'text' from json_each(?)",
      JSON.stringify(texts),
    );
    const full = await cost();
    expect(full).toEqual(empty);
    expect(full.cost.search).toBe(0);
  });
});

/** Runs the cron and delivers messages once a minute, for this many minutes. */
async function runMinutes(simulation: Simulation, minutes: number, faults?: (call: BindingCall) => Fault | undefined) {
  for (let minute = 0; minute < minutes; minute++) {
    await simulation.tick(1, faults ? { faults } : {});
    await simulation.deliver(1, faults ? { faults } : {});
    // Jobs also change users.
    await simulation.consume("search", simulation.searchQueue.held.splice(0));
    vi.setSystemTime(Date.now() + 61_000);
  }
}

const runsOf = (name: string) =>
  rows("select processed, finished_at from job_runs where name = ? and period_started_at >= ?", name, today - DAY_MS);

/** Users who joined long ago, the first one 30 days ago. */
async function settledUsers(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await insertUser(Date.now() - 30 * DAY_MS - i * 1000));
  return ids;
}

describe("check_user_search", () => {
  it("repairs every kind of drift, reports the number of repairs, and finds none in the next run", async () => {
    // No user of another test becomes inactive meanwhile, because that would be a change and count as drift.
    await rows("update users set last_login = ? where status = 'ACTIVE'", today);
    await runMinutes(new Simulation(1), 3);
    const [missing = "", stale = "", unindexed = "", ahead = "", intact = ""] = await settledUsers(5);
    const young = await insertUser(Date.now());
    today += DAY_MS;
    vi.setSystemTime(today);
    const project = [stale, unindexed, ahead, intact].map((id, i) => ({
      id: `m${i}`,
      attempts: 1,
      body: {
        event_id: id,
        type: "user_search.due",
        user_id: id,
        payload: JSON.stringify({ user_id: id }),
        created_at: 0,
      },
    }));
    await new Simulation(1).consume("search", project);
    const nobody = crypto.randomUUID();
    await onSearch("insert into search_entries values (100007, ?, 1, 'x', '', 0, 'test', null)", nobody);
    await onSearch("update search_entries set text = 'other', status_bucket = 3 where user_id = ?", stale);
    await onSearch(
      "delete from user_search where rowid = (select sort_key from search_entries where user_id = ?)",
      unindexed,
    );
    await onSearch("update search_entries set version = 9, text = 'future' where user_id = ?", ahead);
    await rows("update users set updated_at = ? where id = ?", Date.now(), young);
    const warn = vi.spyOn(console, "warn");
    await runMinutes(new Simulation(1), 2);
    const [run] = await runsOf("check_user_search");
    expect(run).toMatchObject({ processed: 5, finished_at: expect.any(Number) });
    const lines = warn.mock.calls.map(([line]) => String(line)).filter((line) => line.includes("user_search_drift"));
    // One line per chunk; a run that another test left unfinished may be made up for at the same time.
    const drift = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "warn");
    expect(drift.reduce((sum, { users }) => sum + users, 0)).toBeGreaterThanOrEqual(5);
    for (const id of [missing, stale, unindexed, ahead, intact]) {
      const [user] = await rows("select username_key, version, status_bucket from users where id = ?", id);
      const text = `\n\n${user?.username_key}`;
      expect(await entryOf(id)).toEqual({
        version: user?.version,
        status_bucket: user?.status_bucket,
        text,
        phone_number: "",
        removed_at: null,
      });
      const found = onSearch(
        "select user_id from user_search join search_entries on sort_key = user_search.rowid where user_search match ?",
        trigramsOf(String(user?.username_key))
          .map((trigram) => `"${trigram}"`)
          .join(" AND "),
      );
      expect(await found).toEqual([{ user_id: id }]);
    }
    expect(await entryOf(nobody)).toMatchObject({ text: "", removed_at: expect.any(Number) });
    expect(await entryOf(young), "its message is still to come").toBeUndefined();
    today += 2 * DAY_MS;
    vi.setSystemTime(today);
    await rows("update users set updated_at = 0 where id = ?", young);
    await new Simulation(1).consume("search", [
      {
        id: "y",
        attempts: 1,
        body: {
          event_id: "y",
          type: "user_search.due",
          user_id: young,
          payload: JSON.stringify({ user_id: young }),
          created_at: 0,
        },
      },
    ]);
    await runMinutes(new Simulation(1), 2);
    expect(await runsOf("check_user_search")).toMatchObject([{ processed: 0 }]);
  });

  it("purges entries of deleted users after a week", async () => {
    const [old, fresh] = [crypto.randomUUID(), crypto.randomUUID()];
    const insert = "insert into search_entries values (?, ?, 9007199254740991, '', '', 0, 'test', ?)";
    await onSearch(insert, 100011, old, today - 8 * DAY_MS);
    await onSearch(insert, 100012, fresh, today - 6 * DAY_MS);
    await runMinutes(new Simulation(1), 3);
    expect(await entryOf(old)).toBeUndefined();
    expect(await entryOf(fresh)).toMatchObject({ text: "" });
  });
});

describe("rebuild_user_search", () => {
  it("rebuilds an emptied search whatever calls fail or die, and continues after an interruption", async () => {
    const ids = await settledUsers(12);
    const count = (await rows<{ n: number }>("select count(*) as n from users"))[0]?.n;
    await onSearch("delete from search_entries");
    await onSearch("insert into user_search (user_search) values ('delete-all')");
    await rows(
      "insert into job_runs (name, period_started_at, chunks, processed, leased_until) values ('rebuild_user_search', ?, 0, 0, 0)",
      today,
    );
    for (let seed = 1; seed <= 5; seed++) {
      const simulation = new Simulation(seed);
      const { random } = simulation.scheduler;
      const kinds: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];
      await runMinutes(simulation, 1, () => (random() < 0.1 ? kinds[Math.floor(random() * kinds.length)] : undefined));
    }
    await runMinutes(new Simulation(9), 3);
    expect(
      await rows(
        "select finished_at from job_runs where name = 'rebuild_user_search' and period_started_at = ?",
        today,
      ),
    ).toEqual([{ finished_at: expect.any(Number) }]);
    expect(await onSearch("select count(*) as n from search_entries where removed_at is null")).toEqual([{ n: count }]);
    expect(await onSearch("select count(*) as n from user_search")).toEqual([{ n: count }]);
    const [id = ""] = ids;
    expect(await entryOf(id)).toMatchObject({ removed_at: null });
    expect(await onSearch("select sort_key from search_entries where user_id = ?", id)).toEqual([
      { sort_key: sortKeyOf({ id, dateJoined: today - 30 * DAY_MS }) },
    ]);
  });

  it("never runs by itself", async () => {
    await runMinutes(new Simulation(1), 2);
    expect(await runsOf("rebuild_user_search")).toEqual([]);
  });
});
