import { describe, expect, it } from "vitest";
import { call, logIn, newIp, signUp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { runJob } from "../../support/jobs.ts";

const DAY_MS = 86_400_000;

const clock = useClock();

const PATH = "/api/auth/device";
const newToken = () => `push-${crypto.randomUUID()}`;
const post = (token: string, json: object) => call("POST", PATH, { token, json });
const phone = (more: object = {}) => ({ device_id: "phone", fcm_token: newToken(), device_type: "ANDROID", ...more });

const devicesOf = (userId: string) =>
  rows<{ device_id: string; fcm_token: string | null; session_id: string }>(
    "select * from devices where user_id = ? order by last_used_at, id",
    userId,
  );
const auditsOf = (userId: string) =>
  rows<{ action: string }>(
    "select action from audit_logs where user_id = ? and entity_type = 'device' order by created_at",
    userId,
  ).then((found) => found.map(({ action }) => action));

describe("auth/device", () => {
  it("deletes a device 90 days after the session that registered it was opened, unless a later session registers it", async () => {
    const user = await signUp();
    await post(user.access, phone({ device_id: "old" }));
    await post(user.access, phone({ device_id: "kept" }));
    clock.advance(DAY_MS);
    const again = await logIn(user.identifier);
    await post(again.access, phone({ device_id: "kept" }));
    const left = async () => (await devicesOf(user.userId)).map(({ device_id }) => device_id).sort();
    clock.advance(89 * DAY_MS);
    await runJob("purge_expired_sessions");
    expect(await left()).toEqual(["kept", "old"]);
    clock.advance(1);
    await runJob("purge_expired_sessions");
    expect(await left()).toEqual(["kept"]);
    clock.advance(DAY_MS);
    await runJob("purge_expired_sessions");
    expect(await left()).toEqual([]);
  });

  it("registers a device and returns it", async () => {
    const { access } = await signUp();
    const device = { ...phone(), device_name: "Asha's phone", app_version: "1.2.3", os_version: "15", is_active: true };
    const answer = await post(access, device);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual({ ...device, id: expect.any(String), last_used: new Date().toISOString() });
    const { body } = await call("GET", "/api/auth/sessions", { token: access });
    expect(body.data[0].device_name).toBe("Asha's phone");
  });

  it("keeps one row per device and values that a call omits; an identical call only updates the last use", async () => {
    const { access, userId } = await signUp();
    const first = await post(access, phone({ device_name: "Old name", app_version: "1" }));
    clock.advance(1000);
    const { device_name: _, app_version: __, ...same } = first.body.data;
    const second = await post(access, same);
    expect(second.body.data).toEqual({ ...first.body.data, last_used: new Date().toISOString() });
    expect(await auditsOf(userId)).toEqual(["CREATE"]);
    clock.advance(1000);
    const third = await post(access, { ...same, fcm_token: newToken(), app_version: "2", is_active: "false" });
    expect(third.body.data).toMatchObject({
      id: first.body.data.id,
      app_version: "2",
      device_name: "Old name",
      is_active: false,
    });
    expect(await devicesOf(userId)).toHaveLength(1);
    expect(await auditsOf(userId)).toEqual(["CREATE", "UPDATE"]);
    expect(await rows("select version from users where id = ?", userId)).toEqual([{ version: 3 }]);
  });

  it("keeps pushes off when a later call omits is_active, and turns them on only when it says so", async () => {
    const { access, userId } = await signUp();
    const device = phone();
    const answers = [];
    for (const more of [{}, { is_active: false }, {}, { app_version: "2" }, { is_active: true }, {}]) {
      clock.advance(1000);
      answers.push((await post(access, { ...device, ...more })).body.data.is_active);
    }
    expect(answers).toEqual([true, false, false, false, true, true]);
    const audits = await rows(
      "select new_values ->> 'is_active' as is_active from audit_logs where user_id = ? and entity_type = 'device' order by created_at",
      userId,
    );
    expect(audits, "no row for a call that changes nothing").toEqual([1, 0, 0, 1].map((is_active) => ({ is_active })));
  });

  it("moves a push token from another user's device and from another device of the same user", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    const device = phone();
    await post(asha.access, device);
    await post(bikash.access, device);
    expect(await devicesOf(asha.userId)).toMatchObject([{ fcm_token: null }]);
    expect(await devicesOf(bikash.userId)).toMatchObject([{ fcm_token: device.fcm_token }]);
    clock.advance(1000);
    await post(bikash.access, { ...device, device_id: "tablet" });
    expect(await devicesOf(bikash.userId)).toMatchObject([
      { device_id: "phone", fcm_token: null },
      { device_id: "tablet", fcm_token: device.fcm_token },
    ]);
  });

  it("gives a push token that many users claim at once to exactly one of them", async () => {
    const users = await Promise.all(Array.from({ length: 8 }, () => signUp()));
    const device = phone();
    const answers = await Promise.all(users.map(({ access }) => post(access, device)));
    expect(answers.map(({ status }) => status)).toEqual(users.map(() => 200));
    expect(await rows("select id from devices where fcm_token = ?", device.fcm_token)).toHaveLength(1);
  });

  it("ties the device to the session that registered it last", async () => {
    const first = await signUp();
    const device = phone();
    await post(first.access, device);
    clock.advance(120_000);
    const second = await logIn(first.identifier, { ip: newIp() });
    await post(second.access, device);
    const [row] = await devicesOf(first.userId);
    const { body } = await call("GET", "/api/auth/sessions", { token: second.access });
    expect(row?.session_id).toBe(body.data.find((session: { current: boolean }) => session.current).id);
    expect(await auditsOf(first.userId)).toEqual(["CREATE"]);
  });

  it("keeps the 20 most recently used devices", async () => {
    const { access, userId } = await signUp();
    for (let i = 1; i <= 22; i++) {
      clock.advance(1000);
      await post(access, phone({ device_id: `device-${i}` }));
    }
    const kept = (await devicesOf(userId)).map(({ device_id }) => device_id);
    expect(kept).toEqual(Array.from({ length: 20 }, (_, i) => `device-${i + 3}`));
  });

  describe("30 registrations an hour", () => {
    const expectRefused = async (answer: ReturnType<typeof post>) => {
      const { status, headers, body } = await answer;
      expect([status, body.error?.code]).toEqual([429, "rate_limit_exceeded"]);
      const wait = headers.get("retry-after");
      expect(headers.get("ratelimit-policy")).toBe('"device-registrations";q=30;w=3600');
      expect(headers.get("ratelimit")).toBe(`"device-registrations";r=0;t=${wait}`);
      return Number(wait);
    };

    it.each([
      ["of as many devices", (i: number) => phone({ device_id: `device-${i}` })],
      ["of one device with as many push tokens", () => phone()],
      ["of one unchanged device", () => phone({ fcm_token: "push-the-same-token" })],
    ])("accepts 30 registrations %s; rejects the 31st and changes nothing", async (_, make) => {
      const [user, neighbour] = [await signUp(), await signUp()];
      for (let i = 0; i < 30; i++) expect((await post(user.access, make(i))).status).toBe(200);
      const state = async () => [await devicesOf(user.userId), await auditsOf(user.userId)];
      const before = await state();
      clock.advance(60_000);
      expect(await expectRefused(post(user.access, make(30)))).toBe(3540);
      expect(await state()).toEqual(before);
      expect((await post(neighbour.access, phone())).status).toBe(200);
      clock.advance(3_539_000);
      const renewed = await call("POST", "/api/auth/refresh", { json: { refresh: user.refresh } });
      expect(await expectRefused(post(renewed.body.access, make(30)))).toBe(1);
      clock.advance(1_000);
      expect((await post(renewed.body.access, make(31))).status).toBe(200);
    });

    it("accepts 30 of many simultaneous registrations across all sessions of a user", async () => {
      const user = await signUp();
      clock.advance(61_000);
      const other = await logIn(user.identifier);
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          post(i % 2 === 0 ? user.access : other.access, phone({ device_id: `device-${i}` })),
        ),
      );
      const passed = answers.filter(({ status }) => status === 200).length;
      expect([passed, answers.filter(({ status }) => status === 429).length]).toEqual([30, 10]);
      expect(await auditsOf(user.userId)).toHaveLength(30);
    });

    it("counts repeated registrations without an additional row, and deletes the count with the account", async () => {
      const user = await signUp();
      const device = phone();
      await post(user.access, device);
      let written = 0;
      const DB = new Proxy(testEnv.DB, {
        get(target, name) {
          if (name !== "batch") return Reflect.get(target, name).bind(target);
          return async (statements: D1PreparedStatement[]) => {
            const results = await target.batch(statements);
            for (const { meta } of results) written += meta.rows_written;
            return results;
          };
        },
      });
      expect((await call("POST", PATH, { token: user.access, json: device, env: { DB } })).status).toBe(200);
      // The device, one index entry and the counter; the session's device name does not change.
      expect(written).toBe(3);
      expect((await call("DELETE", "/api/auth/account", { token: user.access })).status).toBe(200);
      expect(await rows("select 1 from device_registrations where user_id = ?", user.userId)).toEqual([]);
    });
  });

  it("keeps the device just registered even if other devices have later timestamps", async () => {
    const { access, userId } = await signUp();
    for (let i = 1; i <= 20; i++) await post(access, phone({ device_id: `device-${i}` }));
    await testEnv.DB.prepare("update devices set last_used_at = last_used_at + 60000 where user_id = ?")
      .bind(userId)
      .run();
    const newest = await post(access, phone({ device_id: "newest" }));
    expect([newest.status, newest.body.data?.device_id]).toEqual([200, "newest"]);
    expect(await devicesOf(userId)).toHaveLength(20);
  });

  it.each([
    ["device_id", undefined],
    ["device_id", ""],
    ["device_id", "x".repeat(256)],
    ["fcm_token", "short"],
    ["fcm_token", undefined],
    ["fcm_token", "x".repeat(4097)],
    ["device_type", "TOASTER"],
    ["device_type", undefined],
    ["device_name", "x".repeat(256)],
    ["app_version", "x".repeat(51)],
    ["os_version", "x".repeat(51)],
    ["os_version", { major: 15 }],
    ["is_active", "maybe"],
  ])("rejects %s %j, names the field and registers nothing", async (field, value) => {
    const { access, userId } = await signUp();
    const answer = await post(access, { ...phone(), [field]: value });
    expect([answer.status, answer.body.error.code]).toEqual([400, "validation_error"]);
    expect(Object.keys(answer.body.error.details)).toEqual([field]);
    expect(await devicesOf(userId)).toEqual([]);
  });

  it("accepts a form and a lower-case device type", async () => {
    const { access } = await signUp();
    const form = { device_id: "tablet", fcm_token: newToken(), device_type: "ios", is_active: "1", app_version: "" };
    const answer = await call("POST", PATH, { token: access, form });
    expect(answer.body.data).toMatchObject({ device_type: "IOS", is_active: true, app_version: null });
  });

  it("registers nothing and moves no push token after the session has ended", async () => {
    const [asha, bikash] = [await signUp(), await signUp()];
    const device = phone();
    await post(asha.access, device);
    await call("POST", "/api/auth/logout", { token: bikash.access, json: { refresh_token: bikash.refresh } });
    expect((await post(bikash.access, device)).status).toBe(401);
    expect(await devicesOf(asha.userId)).toMatchObject([{ fcm_token: device.fcm_token }]);
    expect(await devicesOf(bikash.userId)).toEqual([]);
  });
});
