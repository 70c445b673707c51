import { describe, expect, it } from "vitest";
import { call, logIn, newIp, signUp, testEnv } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { newId } from "../support/ids.ts";
import { countedDatabase } from "../support/jobs.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { heldTasks, runTasks } from "../support/tasks.ts";

const clock = useClock();

const PATH = "/api/users/notifications";

interface Shown {
  id: string;
  title: string;
  is_read: boolean;
  notification_type: string;
}

const list = (token: string, query = "") => call("GET", PATH + query, { token });

async function insertNotifications(userId: string, count: number): Promise<void> {
  await testEnv.DB.prepare(
    `insert into notifications (id, user_id, notification_type, title, message, data, created_at)
      select printf('%05d-', value) || ?1, ?1, 'WELCOME', 'Title ' || value, 'Text', '{"ride_id":"7"}', value
      from (with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) select value from n)`,
  )
    .bind(userId, count)
    .run();
}

describe("users/notifications", () => {
  it("lists the user's own notifications, newest first, page by page, each once", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    await insertNotifications(asha.userId, 45);
    await insertNotifications(bikash.userId, 3);
    const seen: Shown[] = [];
    const sizes: number[] = [];
    for (let cursor = ""; ; ) {
      const { status, body } = await list(asha.access, `?page_size=20${cursor && `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      expect(body.data.unread_count).toBe(45);
      seen.push(...body.data.results);
      sizes.push(body.data.results.length);
      cursor = body.data.next_cursor;
      if (!cursor) break;
    }
    expect(sizes).toEqual([20, 20, 5]);
    expect(seen.map(({ title }) => title)).toEqual(Array.from({ length: 45 }, (_, i) => `Title ${45 - i}`));
    expect(seen[0]).toEqual({
      id: expect.any(String),
      title: "Title 45",
      message: "Text",
      notification_type: "WELCOME",
      data: { ride_id: "7" },
      is_read: false,
      created_at: new Date(45).toISOString(),
    });
  });

  it("has no next page after a full last page, and is empty for a new user", async () => {
    const { access, userId } = await signUp();
    expect((await list(access)).body.data).toEqual({ results: [], unread_count: 0, next_cursor: null });
    await insertNotifications(userId, 20);
    expect((await list(access)).body.data.next_cursor).toBeNull();
  });

  it("keeps the unread count exact at constant cost, however notifications are removed or read", async () => {
    const { access, userId } = await signUp();
    const database = countedDatabase();
    const unread = async () => {
      const { body } = await call("GET", PATH, { token: access, env: database.env });
      return { count: body.data.unread_count, ...database.take() };
    };
    await insertNotifications(userId, 30);
    const few = await unread();
    expect(few.count).toBe(30);
    await testEnv.DB.prepare("delete from notifications where user_id = ?").bind(userId).run();
    await insertNotifications(userId, 3_000);
    const many = await unread();
    expect(many.count).toBe(3_000);
    expect(many.all).toBeLessThanOrEqual(few.all);
    const run = (sql: string) => testEnv.DB.prepare(sql).bind(userId).run();
    await run("update notifications set read_at = 1 where user_id = ? and created_at <= 1000");
    expect((await unread()).count).toBe(2_000);
    await run("update notifications set read_at = 2 where user_id = ? and created_at <= 1000");
    await run("delete from notifications where user_id = ? and created_at <= 1500");
    expect((await unread()).count).toBe(1_500);
    await run("update notifications set read_at = null where user_id = ? and created_at <= 1600");
    expect((await unread()).count).toBe(1_500);
  });

  it("marks a notification as read, and a repetition changes nothing", async () => {
    const { access, userId } = await signUp();
    await insertNotifications(userId, 2);
    const [newest] = (await list(access)).body.data.results;
    const read = () => call("POST", `${PATH}/${newest.id}/read`, { token: access });
    expect((await read()).body.data).toEqual({ ...newest, is_read: true });
    const [before] = (await testEnv.DB.prepare("select read_at from notifications where id = ?").bind(newest.id).all())
      .results;
    clock.advance(5000);
    expect((await read()).status).toBe(200);
    const [after] = (await testEnv.DB.prepare("select read_at from notifications where id = ?").bind(newest.id).all())
      .results;
    expect(after).toEqual(before);
    expect((await list(access)).body.data).toMatchObject({
      unread_count: 1,
      results: [{ is_read: true }, { is_read: false }],
    });
  });

  it("opens one notification by its id without marking it as read", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    await insertNotifications(asha.userId, 2);
    const [newest] = (await list(asha.access)).body.data.results;
    const open = (token: string) => call("GET", `${PATH}/${newest.id}`, { token });
    expect((await open(asha.access)).body.data).toEqual(newest);
    expect((await list(asha.access)).body.data.unread_count).toBe(2);
    const stranger = await open(bikash.access);
    expect([stranger.status, stranger.body.error.code]).toEqual([404, "not_found"]);
    await call("POST", `${PATH}/read`, { token: asha.access });
    expect((await open(asha.access)).body.data).toEqual({ ...newest, is_read: true });
    await call("POST", "/api/auth/logout", { token: asha.access, json: { refresh_token: asha.refresh } });
    expect((await open(asha.access)).status).toBe(401);
  });

  it("marks all notifications as read at constant cost; later ones are unread, and other users keep theirs", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    const database = countedDatabase();
    const readAll = async (token: string) => {
      const { status } = await call("POST", `${PATH}/read`, { token, env: database.env });
      return { status, ...database.take() };
    };
    await insertNotifications(bikash.userId, 3);
    await insertNotifications(asha.userId, 2);
    const few = await readAll(asha.access);
    expect(few.status).toBe(200);
    await testEnv.DB.prepare("delete from notifications where user_id = ?").bind(asha.userId).run();
    await insertNotifications(asha.userId, 3_000);
    await testEnv.DB.prepare(
      "update users set unread_notifications = 3000, notifications_read_through = null where id = ?",
    )
      .bind(asha.userId)
      .run();
    expect((await readAll(asha.access)).all).toBeLessThanOrEqual(few.all);
    const data = async (token: string) => (await list(token, "?page_size=2")).body.data;
    expect(await data(asha.access)).toMatchObject({ unread_count: 0, results: [{ is_read: true }, { is_read: true }] });
    expect(await data(bikash.access)).toMatchObject({
      unread_count: 3,
      results: [{ is_read: false }, { is_read: false }],
    });

    const insert =
      "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'WELCOME', 'New', '', 9000)";
    await testEnv.DB.prepare(insert).bind(`99999-${asha.userId}`, asha.userId).run();
    expect(await data(asha.access)).toMatchObject({
      unread_count: 1,
      results: [{ is_read: false }, { is_read: true }],
    });
    // Reading or deleting what was read before does not change the count.
    await call("POST", `${PATH}/00007-${asha.userId}/read`, { token: asha.access });
    await testEnv.DB.prepare("delete from notifications where user_id = ? and created_at < 100")
      .bind(asha.userId)
      .run();
    expect((await data(asha.access)).unread_count).toBe(1);
    expect((await Promise.all([readAll(asha.access), readAll(asha.access)])).map(({ status }) => status)).toEqual([
      200, 200,
    ]);
    expect((await data(asha.access)).unread_count).toBe(0);
    expect((await readAll(asha.access)).status).toBe(200);
  });

  it("never shows another user's notifications (ASVS 8.2.2), and nothing after the session has ended", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    await insertNotifications(asha.userId, 1);
    const [own] = (await list(asha.access)).body.data.results;
    const stranger = await call("POST", `${PATH}/${own.id}/read`, { token: bikash.access });
    expect([stranger.status, stranger.body.error.code]).toEqual([404, "not_found"]);
    await call("POST", "/api/auth/logout", { token: asha.access, json: { refresh_token: asha.refresh } });
    expect((await list(asha.access)).status).toBe(401);
    expect((await call("POST", `${PATH}/${own.id}/read`, { token: asha.access })).status).toBe(401);
    const row = await testEnv.DB.prepare("select read_at from notifications where id = ?").bind(own.id).first();
    expect(row).toEqual({ read_at: null });
  });

  it("refuses another user's cursors, altered cursors and page sizes out of range", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    await insertNotifications(asha.userId, 30);
    const cursor = (await list(asha.access)).body.data.next_cursor;
    const altered = `${cursor.slice(0, -2)}${cursor.at(-2) === "A" ? "B" : "A"}${cursor.at(-1)}`;
    const refused = [
      await list(bikash.access, `?cursor=${cursor}`),
      await list(asha.access, `?cursor=${altered}`),
      await list(asha.access, "?cursor=%00"),
      await list(asha.access, "?page_size=0"),
      await list(asha.access, "?page_size=101"),
      await list(asha.access, "?page_size=many"),
      await list(asha.access, "?page_size=10&page_size=20"),
    ];
    expect(refused.map(({ status, body }) => [status, body.error.code, ...Object.keys(body.error.details)])).toEqual([
      [400, "validation_error", "cursor"],
      [400, "validation_error", "cursor"],
      [400, "validation_error", "cursor"],
      [400, "validation_error", "page_size"],
      [400, "validation_error", "page_size"],
      [400, "validation_error", "page_size"],
      [400, "validation_error", "page_size"],
    ]);
  });
});

describe("notify_security_events", () => {
  /** Runs the cron to publish pending events, and delivers each message three times concurrently. */
  async function settle(simulation = new Simulation(1)): Promise<void> {
    await simulation.deliver(3);
    for (let minute = 0; minute < 2; minute++) {
      clock.advance(61_000);
      await simulation.tick();
      await simulation.deliver(3);
    }
  }
  const typesOf = async (token: string) =>
    (await list(token)).body.data.results.map(({ notification_type }: Shown) => notification_type);

  it("notifies about a new device once (ASVS 6.3.5)", async () => {
    const user = await signUp(undefined, { ip: newIp(), headers: { "user-agent": "phone" } });
    clock.advance(120_000);
    const tasks = heldTasks();
    const second = await logIn(user.identifier, { ip: newIp(), headers: { "user-agent": "laptop" }, env: tasks.env });
    const messages = tasks.take(user.userId, "auth.new_device");
    expect(await runTasks([...messages, ...messages], {})).toEqual(["taken", "taken"]);
    expect(await typesOf(second.access)).toEqual(["NEW_DEVICE"]);
  });

  it("notifies about a lockout once, in the user's language", async () => {
    const user = await signUp(undefined, { ip: newIp(), headers: { "accept-language": "ne" } });
    const stranger = newIp();
    clock.advance(120_000);
    await call("POST", "/api/auth/otp/request", { ip: stranger, json: { identifier: user.identifier } });
    const simulation = new Simulation(1);
    for (let i = 0; i < 6; i++) {
      await simulation.call("POST", "/api/auth/otp/verify", {
        ip: stranger,
        json: { identifier: user.identifier, otp: String(i).padStart(6, "0") },
      });
    }
    await settle(simulation);
    expect(await typesOf(user.access)).toEqual(["LOCKOUT"]);
    expect((await list(user.access)).body.data.results[0].title).toMatch(/[\u0900-\u097f]/);
  });

  it("notifies about a reused refresh token once", async () => {
    const user = await signUp();
    const refresh = (token: string) => call("POST", "/api/auth/refresh", { json: { refresh: token } });
    const first = await refresh(user.refresh);
    await refresh(first.body.refresh);
    const simulation = new Simulation(1);
    const reused = await simulation.call("POST", "/api/auth/refresh", { json: { refresh: user.refresh } });
    expect(reused).toMatchObject({ status: 401 });
    clock.advance(120_000);
    const again = await logIn(user.identifier);
    await settle(simulation);
    expect(await typesOf(again.access)).toEqual(["SESSION_ENDED"]);
  });

  it("notifies about a changed identifier in the app and with one message to the old identifier", async () => {
    const user = await signUp();
    const event = { channel: "sms", old_identifier: user.identifier, locale: "en" };
    await testEnv.DB.prepare(
      `insert into outbox (id, type, user_id, payload, queue, created_at, leased_until, attempts)
        values (?, 'user.identifier_changed', ?, ?, 'tasks', 0, 0, 0)`,
    )
      .bind(newId(), user.userId, JSON.stringify(event))
      .run();
    await settle();
    expect(await typesOf(user.access)).toEqual(["IDENTIFIER_CHANGED"]);
    const sent = await testEnv.DB.prepare("select text from local_outbox where recipient = ? and code is null")
      .bind(user.identifier)
      .all();
    expect(sent.results).toHaveLength(1);
  });
});

describe("update_user_last_activity", () => {
  const activityOf = (userId: string) =>
    testEnv.DB.prepare("select last_activity_at as at from users where id = ?").bind(userId).first<number>("at");

  it("requests no update within 15 minutes of a sign-in or refresh, which records the activity itself", async () => {
    const { access, refresh, userId } = await signUp();
    expect(await activityOf(userId)).toBe(Date.now());
    const simulation = new Simulation(1);
    clock.advance(15 * 60_000 - 1_000);
    await simulation.call("GET", "/api/auth/me", { token: access });
    expect(simulation.queue.held).toEqual([]);
    clock.advance(1_000);
    const fresh = await call("POST", "/api/auth/refresh", { json: { refresh } });
    const refreshedAt = Date.now();
    expect(await activityOf(userId)).toBe(refreshedAt);
    clock.advance(60_000);
    await simulation.call("GET", "/api/auth/me", { token: fresh.body.access });
    expect(simulation.queue.held).toEqual([]);
    expect(await activityOf(userId)).toBe(refreshedAt);
  });

  it("records a use 15 minutes after the token was issued once per session, even if messages are duplicated or late", async () => {
    const { access, refresh, userId } = await signUp();
    const simulation = new Simulation(1);
    // The token is still accepted, because the clocks of two machines may differ by 5 seconds.
    clock.advance(15 * 60_000 + 1_000);
    await simulation.call("GET", "/api/auth/me", { token: access });
    const used = Date.now();
    const [report] = structuredClone(simulation.queue.held);
    clock.advance(1_000);
    await simulation.call("GET", "/api/auth/me", { token: access });
    await simulation.deliver(2);
    expect(await activityOf(userId)).toBe(used);
    clock.advance(15 * 60_000);
    await call("POST", "/api/auth/refresh", { json: { refresh } });
    const refreshedAt = Date.now();
    if (report) simulation.queue.held.push(report);
    await simulation.deliver();
    expect(await activityOf(userId)).toBe(refreshedAt);
  });

  it("ignores refused calls", async () => {
    const { access, refresh, userId } = await signUp();
    const signedInAt = Date.now();
    await call("POST", "/api/auth/logout", { token: access, json: { refresh_token: refresh } });
    clock.advance(15 * 60_000 + 1_000);
    const simulation = new Simulation(1);
    await simulation.call("GET", "/api/auth/me", { token: access });
    expect(simulation.queue.held).toEqual([]);
    expect(await activityOf(userId)).toBe(signedInAt);
  });
});
