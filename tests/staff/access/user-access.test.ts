import { expect, test } from "vitest";
import { call, networkOf, newIp, newPhone, requestCode, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { run } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import { auditOf, USERS } from "../../support/staff.ts";

const clock = useClock();

const access = (staff: SignedIn, { userId }: { userId: string }) =>
  documented("GET", `${USERS}/${userId}/access`, { token: staff.access });

test("shows locks, codes and what became of each, devices and notifications, but no identifier, and records no view", async () => {
  const [staff, user] = [await newStaff(), await signUp(newPhone(), { ip: newIp() })];
  const ip = newIp();
  clock.advance(61_000);
  const otp = await requestCode(user.identifier, { ip });
  const wrong = String((Number(otp) + 1) % 1_000_000).padStart(6, "0");
  for (let i = 0; i < 5; i++) {
    await call("POST", "/api/auth/otp/verify", { ip, json: { identifier: user.identifier, otp: wrong } });
  }
  const device = { device_id: "d", fcm_token: crypto.randomUUID(), device_type: "ANDROID", device_name: "Pixel" };
  await call("POST", "/api/auth/device", { token: user.access, json: device });
  await run(
    "insert into notifications (id, user_id, notification_type, title, message, created_at) values (?, ?, 'WELCOME', 'Hello', 'You', 0)",
    newId(),
    user.userId,
  );
  const { body } = await access(staff, user);
  const { locks, codes, devices, notifications } = body.data;
  const network = networkOf(ip);
  expect(locks).toContainEqual({
    identifier: "phone_number",
    network_class: null,
    network,
    failures: expect.any(Number),
    locked_until: new Date(Date.now() + 60_000).toISOString(),
    is_closed: false,
  });
  expect(locks).toContainEqual(expect.objectContaining({ network_class: "other", network: null, locked_until: null }));
  expect(codes).toHaveLength(2);
  expect(codes[0]).toMatchObject({
    channel: "sms",
    network_class: "other",
    tries: 5,
    delivered_at: expect.any(String),
    undeliverable_at: null,
    verified_at: null,
  });
  expect(codes[1]).toMatchObject({ tries: null, verified_at: expect.any(String) });
  expect(devices).toMatchObject([{ device_type: "ANDROID", device_name: "Pixel", can_push: true }]);
  expect(notifications).toContainEqual(expect.objectContaining({ title: "Hello", is_read: false }));
  expect(JSON.stringify(body)).not.toContain(user.identifier.slice(4));
  expect(await auditOf(user.userId, "VIEW")).toEqual([]);
});

test("shows that a class is closed, and that a device without a session gets no push", async () => {
  const [staff, user] = [await newStaff(), await newUser()];
  const device = { device_id: "d", fcm_token: crypto.randomUUID(), device_type: "IOS" };
  await call("POST", "/api/auth/device", { token: user.access, json: device });
  await run(
    `insert or replace into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at)
      values (?, 'other', json_array(?2 - 2, ?2 - 1), 100, 0, ?2)`,
    user.identifier,
    Date.now() - 1_000,
  );
  await run("update sessions set revoked_at = 1, revoked_reason = 'logout' where user_id = ?", user.userId);
  const { locks, devices } = (await access(staff, user)).body.data;
  const closedUntil = new Date(Date.now() - 1_000 + 7 * 86_400_000).toISOString();
  expect(locks).toContainEqual({
    identifier: "phone_number",
    network_class: "other",
    network: null,
    failures: 2,
    locked_until: closedUntil,
    is_closed: true,
  });
  expect(devices).toMatchObject([{ can_push: false }]);
  clock.advance(86_400_000 + 1);
  expect((await access(await newStaff(), user)).body.data.codes).toEqual([]);
  clock.advance(6 * 86_400_000);
  expect((await access(await newStaff(), user)).body.data.locks).toEqual([]);
});

test("counts a failure until its window ends: 5 minutes for a network, a day for a class", async () => {
  const user = await newUser();
  const now = Date.now();
  await run(
    `insert or replace into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at)
      values (?1, 'other', json_array(?2 - 60000, ?2), 2, 0, ?2)`,
    user.identifier,
    now,
  );
  await run(
    `insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at)
      values (?1, '10.0.0.0/24', json_array(?2 - 60000, ?2), 0, 0, ?2)`,
    user.identifier,
    now,
  );
  const failures = async () => {
    const { locks } = (await access(await newStaff(), user)).body.data;
    const of = (isNetwork: boolean) =>
      locks.find((each: { network: string | null }) => (each.network !== null) === isNetwork).failures;
    return { network: of(true), class: of(false) };
  };
  expect(await failures()).toEqual({ network: 2, class: 2 });
  clock.advance(240_000 - 1);
  expect(await failures()).toEqual({ network: 2, class: 2 });
  clock.advance(1);
  expect(await failures()).toEqual({ network: 1, class: 2 });
  clock.advance(86_400_000 - 300_000 - 1);
  expect(await failures()).toEqual({ network: 0, class: 2 });
  clock.advance(1);
  expect(await failures()).toEqual({ network: 0, class: 1 });
});

test("lists the networks that are locked first, however many others failed", async () => {
  const [staff, user] = [await newStaff(), await newUser()];
  const now = Date.now();
  await run(
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < 120)
      insert into otp_network_guards (identifier, network, failures, lock_count, locked_until, last_guess_at)
      select ?1, printf('10.0.%03d.0/24', i), '[1]', 1, iif(i = 119, ?2, 0), ?3 + i from n`,
    user.identifier,
    now + 60_000,
    now - 1000,
  );
  const { locks } = (await access(staff, user)).body.data;
  const networks = locks.map((lock: { network: string | null }) => lock.network);
  expect(networks.slice(0, 2)).toEqual(["10.0.119.0/24", "10.0.120.0/24"]);
  expect(networks).toHaveLength(50);
});

test("answers 404 for an unknown user, and 403 to a user", async () => {
  const [staff, user] = [await newStaff(), await newUser()];
  expect(codeOf(await access(staff, { userId: crypto.randomUUID() }))).toEqual([404, "not_found"]);
  expect(codeOf(await access(user, user))).toEqual([403, "permission_denied"]);
});
