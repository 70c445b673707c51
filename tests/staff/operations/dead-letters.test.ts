import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SignedIn } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { count, rows, run } from "../../support/database.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import { auditOf, newAdmin } from "../../support/staff.ts";
import { heldTasks, tick } from "../../support/tasks.ts";

const PATH = "/api/staff/dead-letters";
const reason = "The receiver works again";

beforeEach(async () => {
  stopClock();
  await run("delete from dead_letters");
});
afterEach(() => vi.useRealTimers());

interface Given {
  type?: string;
  at?: number;
  payload?: string | null;
  userId?: string | null;
  eventId?: string | null;
}

let serial = 0;
async function insert({ type = "webhook.due", at = Date.now(), payload = "{}", userId = null, eventId }: Given = {}) {
  serial += 1;
  const id = `letter-${String(serial).padStart(6, "0")}-${crypto.randomUUID().slice(0, 8)}`;
  await run(
    `insert into dead_letters (id, queue, event_id, type, user_id, payload, reason, trace, attempts, created_at)
      values (?, 'tasks', ?, ?, ?, ?, 'gone', 'at f', 12, ?)`,
    id,
    eventId === undefined ? `event-${id}` : eventId,
    type,
    userId,
    payload,
    at,
  );
  return id;
}

const list = async (admin: SignedIn, query = "") => documented("GET", `${PATH}?${query}`, { token: admin.access });
const settle = (admin: SignedIn, json: object) =>
  documented("POST", PATH, { token: admin.access, json: { reason, ...json } });
const stateOf = async (id: string) =>
  (await rows("select replayed_at, discarded_at from dead_letters where id = ?", id))[0];
const events = (id: string) => count("from outbox where id = ?", `event-${id}`);

describe("GET staff/dead-letters", () => {
  test("lists one state, newest first, page by page, and filters by type", async () => {
    const admin = await newAdmin();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++)
      ids.unshift(await insert({ at: 1_000 + Math.floor(i / 2), type: i % 2 ? "a.b" : "c.d" }));
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await list(admin, `page_size=2${cursor}`);
      seen.push(...body.data.results.map(({ id }: { id: string }) => id));
      if (body.data.next_cursor === null) break;
      cursor = `&cursor=${body.data.next_cursor}`;
    }
    expect(seen).toEqual(ids);
    const { results } = (await list(admin, "type=a.b")).body.data;
    expect(results.map(({ id }: { id: string }) => id)).toEqual([ids[1], ids[3]]);
    expect(results[0]).toEqual({
      id: ids[1],
      queue: "tasks",
      type: "a.b",
      user_id: null,
      reason: "gone",
      trace: "at f",
      attempts: 12,
      payload: "{}",
      created_at: "1970-01-01T00:00:01.001Z",
      settled_at: null,
    });
    await settle(admin, { action: "REPLAY", ids: [ids[0]] });
    await settle(admin, { action: "DISCARD", ids: [ids[1]] });
    const idsOf = async (query: string) =>
      (await list(admin, query)).body.data.results.map(({ id }: { id: string }) => id);
    expect(await idsOf("")).toEqual(ids.slice(2));
    expect(await idsOf("state=REPLAYED")).toEqual([ids[0]]);
    expect(await idsOf("state=DISCARDED")).toEqual([ids[1]]);
    expect(await idsOf("state=DISCARDED&type=c.d")).toEqual([]);
    const { body } = await list(admin, "page_size=1");
    expect(codeOf(await list(admin, `state=REPLAYED&cursor=${body.data.next_cursor}`))[0]).toBe(400);
  });

  test("shows no payload about a deleted user, before the queue has erased it", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const payload = JSON.stringify({ to: user.identifier });
    const { userId } = user;
    for (const type of ["user.updated", "account.deleted", "platform.event"]) await insert({ type, userId, payload });
    const unknown = await insert({ type: "platform.event", userId: crypto.randomUUID(), payload: "{}" });
    const shown = async () => (await list(admin)).body.data.results.map((each: { payload: string }) => each.payload);
    const known = await shown();
    expect(known.filter((each: string | null) => each !== null)).toHaveLength(4);
    const deleted = await documented("DELETE", "/api/auth/account", { token: user.access, json: {} });
    expect(deleted.status).toBe(200);
    expect((await rows("select payload from dead_letters where user_id = ?", userId))[0]).toEqual({ payload });
    const { results } = (await list(admin)).body.data;
    for (const letter of results) expect(letter.payload).toBe(letter.id === unknown ? "{}" : null);
    expect(results).toHaveLength(4);
  });

  test("finds a few settled letters among hundreds that wait", async () => {
    const admin = await newAdmin();
    const id = await insert({ at: 1 });
    await settle(admin, { action: "DISCARD", ids: [id] });
    await run(
      `with recursive n(value) as (select 1 union all select value + 1 from n where value < 650)
        insert into dead_letters (id, queue, reason, attempts, created_at) select 'many-' || value, 'tasks', 'gone', 1, 10 + value from n`,
    );
    const seen: string[] = [];
    let pages = 0;
    for (let cursor = ""; pages < 10; pages++) {
      const { body } = await list(admin, `state=DISCARDED${cursor}`);
      seen.push(...body.data.results.map((each: { id: string }) => each.id));
      if (body.data.next_cursor === null) break;
      cursor = `&cursor=${body.data.next_cursor}`;
    }
    expect([seen, pages]).toEqual([[id], 2]);
  });
});

describe("POST staff/dead-letters", () => {
  test("replays letters by id once, with an audit row each, and leaves out what has nothing to replay", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const own = await insert({ userId: user.userId, payload: '{"user_id":"u"}' });
    const [gone, empty] = [await insert({ userId: crypto.randomUUID() }), await insert({ payload: null })];
    const ids = [own, gone, empty, "unknown"];
    expect((await settle(admin, { action: "REPLAY", ids })).body.data).toEqual({ settled: 2, remaining: 0 });
    expect(await stateOf(own)).toEqual({ replayed_at: Date.now(), discarded_at: null });
    expect(await stateOf(empty)).toEqual({ replayed_at: null, discarded_at: null });
    expect([await events(own), await events(gone), await events(empty)]).toEqual([1, 1, 0]);
    const audit = (await auditOf(user.userId)).filter(({ entity_type }) => entity_type === "dead_letter");
    expect(audit).toMatchObject([{ action: "UPDATE", entity_id: own, actor_id: admin.userId, by_staff: 1 }]);
    expect(JSON.parse(audit[0]?.new_values ?? "")).toEqual({ action: "REPLAY", type: "webhook.due", reason });
    expect((await auditOf(admin.userId)).filter(({ entity_type }) => entity_type === "dead_letter")).toMatchObject([
      { entity_id: gone },
    ]);
    await run("delete from outbox");
    expect((await settle(admin, { action: "REPLAY", ids })).body.data).toEqual({ settled: 0, remaining: 0 });
    expect(await events(own)).toBe(0);
  });

  test("a replayed letter's event is sent by the next tick", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const id = await insert({
      type: "user.updated",
      userId: user.userId,
      payload: JSON.stringify({ user_id: user.userId }),
    });
    await settle(admin, { action: "REPLAY", ids: [id] });
    const tasks = heldTasks();
    await tick(tasks.env);
    expect(tasks.take(user.userId).map(({ event_id }) => event_id)).toContain(`event-${id}`);
  });

  test("replays 50 of a type at a time, the oldest first, and says how many remain", async () => {
    const admin = await newAdmin();
    const ids: string[] = [];
    for (let i = 0; i < 53; i++) ids.push(await insert({ at: 1_000 + i }));
    await insert({ type: "another.type", at: 1_000 });
    const before = new Date(1_000 + 52).toISOString();
    const act = { action: "REPLAY", type: "webhook.due", before };
    expect((await settle(admin, act)).body.data).toEqual({ settled: 50, remaining: 2 });
    expect([await events(ids[49] ?? ""), await events(ids[50] ?? "")]).toEqual([1, 0]);
    expect((await settle(admin, act)).body.data).toEqual({ settled: 2, remaining: 0 });
    expect(await events(ids[52] ?? ""), "not before the time").toBe(0);
    expect(await count("from dead_letters where replayed_at is null")).toBe(2);
  });

  test("never replays a discarded letter", async () => {
    const admin = await newAdmin();
    const id = await insert();
    expect((await settle(admin, { action: "DISCARD", ids: [id] })).body.data).toEqual({ settled: 1, remaining: 0 });
    expect(await stateOf(id)).toEqual({ replayed_at: null, discarded_at: Date.now() });
    for (const action of ["REPLAY", "DISCARD"]) {
      expect((await settle(admin, { action, ids: [id] })).body.data).toEqual({ settled: 0, remaining: 0 });
    }
    expect(await events(id)).toBe(0);
  });

  test.each([
    [{ action: "REPLAY" }, "ids"],
    [{ action: "REPLAY", ids: [] }, "ids"],
    [{ action: "REPLAY", ids: Array.from({ length: 51 }, (_, i) => `id${i}`) }, "ids"],
    [{ action: "REPLAY", type: "webhook.due" }, "before"],
    [{ action: "REPLAY", type: "webhook.due", before: "yesterday" }, "before"],
    [{ action: "RETRY", ids: ["a"] }, "action"],
    [{ action: "DISCARD", ids: ["a"], reason: "" }, "reason"],
  ])("refuses %j and names %s", async (json, field) => {
    const answer = await settle(await newAdmin(), json);
    expect(codeOf(answer)).toEqual([400, "validation_error"]);
    expect(Object.keys(answer.body.error.details)).toEqual([field]);
  });

  test("is for admins", async () => {
    const id = await insert();
    for (const caller of [await newStaff(), await newUser()]) {
      expect(codeOf(await settle(caller, { action: "REPLAY", ids: [id] }))).toEqual([403, "permission_denied"]);
      expect(codeOf(await list(caller))).toEqual([403, "permission_denied"]);
    }
    expect(await stateOf(id)).toEqual({ replayed_at: null, discarded_at: null });
  });
});
