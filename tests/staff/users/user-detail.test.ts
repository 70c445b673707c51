import { beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  call,
  logIn,
  newEmail,
  newIp,
  newPhone,
  readCode,
  requestCode,
  type SignedIn,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { file, jpeg } from "../../support/documents.ts";
import { codeOf, documented, newStaff, newUser, pathOf, promote, sessionOf, submit } from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { auditOf, eventsOf, newAdmin, person, USERS } from "../../support/staff.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const SECOND = 1000;
const MINUTE = 60 * SECOND;

type Json = Record<string, unknown>;
const at = ({ userId }: { userId: string }, rest = "") => `${USERS}/${userId}${rest}`;
const detail = (staff: SignedIn, user: { userId: string }) => documented("GET", at(user), { token: staff.access });
const change = (staff: SignedIn, user: { userId: string }, json: Json, method = "PATCH") =>
  documented(method, at(user), { token: staff.access, json });
const setStatus = (staff: SignedIn, user: { userId: string }, json: Json) =>
  documented("POST", at(user, "/status"), { token: staff.access, json });
const setRole = (staff: SignedIn, user: { userId: string }, json: Json) =>
  documented("PUT", at(user, "/role"), { token: staff.access, json });
const me = ({ access }: SignedIn) => call("GET", "/api/auth/me", { token: access });
const refresh = (user: SignedIn) => call("POST", "/api/auth/refresh", { json: { refresh_token: user.refresh } });

/** All stored data about the user that a refused action must not change. */
const recordOf = async ({ userId }: { userId: string }) =>
  JSON.stringify([
    await rows("select * from users where id = ?", userId),
    await rows("select * from profiles where user_id = ?", userId),
    await rows("select id, revoked_at, counter from sessions where user_id = ? order by id", userId),
    await rows("select id from audit_logs where user_id = ? and action <> 'VIEW' order by id", userId),
    await rows("select id from recorded_events where user_id = ? order by id", userId),
    await rows("select id from notifications where user_id = ? order by id", userId),
    await rows("select * from points where user_id = ?", userId),
    await rows("select * from wallets where user_id = ?", userId),
  ]);

/** Expects the error of the action and that nothing about the user has changed. */
async function expectNothingChanged(
  user: { userId: string },
  act: () => Promise<Answer>,
  status: number,
  code: string,
) {
  const before = await recordOf(user);
  expect(codeOf(await act())).toEqual([status, code]);
  expect(await recordOf(user)).toBe(before);
}

describe("user detail", () => {
  test("has all fields of the contract, with null for absent values, and masks personal data", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await run("delete from profiles where user_id = ?", user.userId);
    const { body } = await detail(staff, user);
    const { identifier: phone, userId } = user;
    const [row] = await rows<{ referral_code: string; username: string; date_joined: number }>(
      "select * from users where id = ?",
      userId,
    );
    expect(body.data).toEqual({
      id: userId,
      username: row?.username,
      email: null,
      phone_number: phone,
      profile_picture: null,
      referral_code: row?.referral_code,
      status: "ACTIVE",
      email_verified: false,
      phone_verified: true,
      date_joined: new Date(row?.date_joined ?? 0).toISOString(),
      last_login: expect.stringMatching(/Z$/),
      profile: null,
      kyc: null,
      points: { current_points: 50, total_points: 50 },
      wallet_balance: { balance: "0.00", currency: "NPR" },
      masked_phone: phone.slice(0, 3) + "*".repeat(phone.length - 3),
      masked_email: null,
      social_provider: "PHONE",
      social_profile_data: null,
      role: "user",
      status_reason: null,
      locale: "en",
      last_activity_at: expect.stringMatching(/Z$/),
    });
  });

  test("shows profile and KYC if they exist, with the document number masked and the address in full", async () => {
    const staff = await newStaff();
    const user = await person(newEmail());
    await call("PATCH", "/api/users/profile", {
      token: user.access,
      json: { full_name: "Asha Gurung", address: "Patan" },
    });
    const number = "AB-1234567";
    expect((await submit(user, { document_number: number, document_front: file(jpeg()) })).status).toBe(201);
    const { data } = (await detail(staff, user)).body;
    expect(data.profile).toMatchObject({ full_name: "Asha Gurung", address: "Patan", is_profile_complete: false });
    expect(data.kyc).toMatchObject({ status: "PENDING", document_type: "CITIZENSHIP", rejection_reason: null });
    expect(JSON.stringify(data)).not.toContain(number);
    expect(data).toMatchObject({ email: user.identifier, phone_number: null, masked_phone: null });
    expect(data.masked_email).toBe(user.identifier.slice(0, 3) + "*".repeat(user.identifier.length - 3));
    expect((await call("GET", pathOf(data.kyc.document_front_url))).status).toBe(200);
  });

  test("writes one VIEW audit row per view by staff, and none for a refused view", async () => {
    const [staff, colleague, user, stranger] = [await newStaff(), await newAdmin(), await newUser(), await newUser()];
    expect(codeOf(await detail(stranger, user))).toEqual([403, "permission_denied"]);
    expect(await auditOf(user.userId, "VIEW")).toEqual([]);
    await detail(staff, user);
    await detail(staff, user);
    await detail(colleague, user);
    const views = await auditOf(user.userId, "VIEW");
    expect(views.map(({ actor_id, by_staff }) => `${actor_id} ${by_staff}`).toSorted()).toEqual(
      [staff, staff, colleague].map(({ userId }) => `${userId} 1`).toSorted(),
    );
    const [before] = await rows("select version from users where id = ?", user.userId);
    await detail(staff, user);
    expect(await rows("select version from users where id = ?", user.userId), "a view is no change").toEqual([before]);
    expect(await eventsOf(user.userId, "user.updated"), "no user.updated event").toEqual([]);
  });

  test("the routes of a user answer 404 for an unknown user, and 400 or 404 for an invalid id", async () => {
    const admin = await newAdmin();
    const nobody = crypto.randomUUID();
    for (const id of [nobody, "x", "profile2", "%00", "..%2f", "a".repeat(65), "' OR 1=1", "0".repeat(36)]) {
      for (const [method, rest, json] of [
        ["GET", ""],
        ["PUT", "", { full_name: "Asha" }],
        ["PATCH", "", { full_name: "Asha" }],
        ["POST", "/status", { status: "BANNED", reason: "x" }],
        ["PUT", "/role", { role: "staff", reason: "x" }],
        ["POST", "/unlock", { reason: "x" }],
        ["GET", "/sessions"],
        ["DELETE", "/sessions"],
        ["POST", "/analytics-report"],
        ["GET", "/analytics-report"],
        ["GET", "/audit-logs"],
      ] as [string, string, Json?][]) {
        const path = `${USERS}/${encodeURIComponent(id).replaceAll("%25", "%")}${rest}`;
        const { status, body } = await call(method, path, { token: admin.access, ...(json ? { json } : {}) });
        expect(id === nobody ? [404] : [400, 404], `${method} ${path}`).toContain(status);
        expect(body.success, path).toBe(false);
      }
    }
    expect(await rows("select 1 from audit_logs where user_id = ?", nobody)).toEqual([]);
    expect(await rows("select 1 from recorded_events where user_id = ?", nobody)).toEqual([]);
  });
});

describe("updating a user", () => {
  test("changes a username with a reason, and writes one audit row, a new version and the events", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const [before] = await rows<{ version: number; username: string }>("select * from users where id = ?", user.userId);
    const username = `New.Name_${Math.floor(Math.random() * 1e9)}`;
    const answer = await change(staff, user, { username, reason: "asked by phone" });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ id: user.userId, username });
    expect((await me(user)).body.data.username, "and the session lives").toBe(username);
    const audit = await auditOf(user.userId, "UPDATE");
    expect(audit).toMatchObject([{ by_staff: 1, actor_id: staff.userId, entity_type: "user" }]);
    expect(audit[0]?.old_values).toContain(before?.username);
    expect(audit[0]?.new_values).toContain(username);
    expect(audit[0]?.new_values).toContain("asked by phone");
    const [after] = await rows<{ version: number }>("select version from users where id = ?", user.userId);
    expect(after?.version).toBe((before?.version ?? 0) + 1);
    expect(await eventsOf(user.userId, "user.updated")).toHaveLength(1);
  });

  test("changes only the case of a username although its key stays the same", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const name = `case${Math.floor(Math.random() * 1e9)}`;
    await change(staff, user, { username: name, reason: "x" });
    expect((await change(staff, user, { username: name.toUpperCase(), reason: "x" })).status).toBe(200);
    expect((await me(user)).body.data.username).toBe(name.toUpperCase());
  });

  test("null clears a field with PUT and is ignored with PATCH", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const whole = {
      full_name: "Asha Gurung",
      date_of_birth: "1990-02-03",
      address: "Patan",
      avatar_url: "https://example.com/a.png",
      profile_picture: "https://example.com/p.png",
    };
    const set = await change(staff, user, whole);
    const { profile_picture, ...profile } = whole;
    expect(set.body.data).toMatchObject({ profile_picture, profile: { ...profile, is_profile_complete: true } });
    const nothing = Object.fromEntries(Object.keys(whole).map((name) => [name, null]));
    const patched = await change(staff, user, nothing);
    expect(patched.body.data).toMatchObject({ profile_picture, profile: { ...profile, is_profile_complete: true } });
    const put = await change(staff, user, nothing, "PUT");
    const { full_name, date_of_birth, address, avatar_url } = put.body.data.profile;
    expect([full_name, date_of_birth, address, avatar_url, put.body.data.profile_picture]).toEqual(Array(5).fill(null));
    expect(put.body.data.profile.is_profile_complete).toBe(false);
    const audit = await auditOf(user.userId, "UPDATE");
    expect(audit, "set, and cleared").toHaveLength(2);
    expect(audit.every(({ by_staff, actor_id }) => by_staff === 1 && actor_id === staff.userId)).toBe(true);
  });

  test("sending unchanged values changes nothing and needs no reason", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const read = (await detail(staff, user)).body.data;
    for (const method of ["PUT", "PATCH"]) {
      const before = await recordOf(user);
      const answer = await change(staff, user, read, method);
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(await recordOf(user), method).toBe(before);
      expect((await me(user)).status).toBe(200);
    }
  });

  test.each(["JSON", "form", "multipart"])("accepts a body as %s", async (kind) => {
    const [staff, user] = [await newStaff(), await newUser()];
    const fields = { full_name: `By ${kind}`, address: "", username: `by${kind}${Date.now()}`, reason: "asked" };
    const options = { JSON: { json: fields }, form: { form: fields }, multipart: { multipart: fields } }[kind] ?? {};
    const answer = await documented("PATCH", at(user), { token: staff.access, ...options });
    expect(answer.body.data, JSON.stringify(answer.body)).toMatchObject({
      username: fields.username,
      profile: { full_name: fields.full_name, address: null },
    });
  });

  test("requires a reason to change username, email or phone number", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (const json of [{ username: "reasonless" }, { email: newEmail() }, { phone_number: newPhone() }]) {
      for (const reason of [undefined, null, "", "  "]) {
        await expectNothingChanged(user, () => change(staff, user, { ...json, reason }), 400, "validation_error");
      }
    }
  });

  test("refuses invalid values with the name of the field", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (const [field, values] of Object.entries({
      username: ["a b", "x".repeat(151), "\u0301a", "a\u200db", [], {}, "a\u0000"],
      email: ["x", "a@", "@b.com", `${"x".repeat(250)}@b.com`, 5, "9841234567"],
      phone_number: ["123", "+1", "asha@example.com", "+977984", {}],
      full_name: ["x", "x".repeat(256), {}, [], "a\u0000b"],
      date_of_birth: ["2999-01-01", "x", "1990-02-30", 5],
      avatar_url: ["http://example.com", "javascript:alert(1)", "x"],
      profile_picture: ["http://example.com", "javascript:alert(1)", "x"],
    })) {
      for (const value of values) {
        const before = await recordOf(user);
        const answer = await change(staff, user, { [field]: value, reason: "x" });
        expect([field, value, ...codeOf(answer)]).toEqual([field, value, 400, "validation_error"]);
        expect(Object.keys(answer.body.error.details)).toEqual([field]);
        expect(await recordOf(user)).toBe(before);
      }
    }
  });

  test.each<["phone_number" | "email", () => string]>([
    ["phone_number", newPhone],
    ["email", newEmail],
  ])("a new %s is unverified, ends the sessions and notifies the previous identifier once", async (field, fresh) => {
    const staff = await newStaff();
    const tasks = heldTasks();
    const user = await person(fresh());
    clock.advance(SECOND);
    const second = await logIn(user.identifier);
    const next = fresh();
    const token = staff.access;
    const json = { [field]: field === "email" ? ` ${next.toUpperCase()} ` : next.slice(4), reason: "lost it" };
    const answer = await documented("PATCH", at(user), { token, json, env: tasks.env });
    const verified = field === "email" ? "email_verified" : "phone_verified";
    expect(answer.body.data).toMatchObject({ [field]: next, [verified]: false });
    for (const each of [user, second]) {
      expect(codeOf(await me(each))).toEqual([401, "token_not_valid"]);
      expect(codeOf(await refresh(each))).toEqual([401, "token_not_valid"]);
    }
    const events = (await eventsOf(user.userId)).filter(({ type }) => type.endsWith("identifier_changed"));
    expect(events).toHaveLength(1);
    const held = tasks.take(user.userId);
    expect(held.length).toBeGreaterThan(0);
    for (let i = 0; i < 2; i++) {
      for (const outcome of await runTasks(held, tasks.env)) expect(outcome).toBe("taken");
    }
    // The messages that the first tasks requested.
    for (let i = 0; i < 3; i++) await runTasks(tasks.take(user.userId), tasks.env);
    const sent = await rows("select channel from local_outbox where recipient = ? and code is null", user.identifier);
    expect(sent, "the old one").toHaveLength(1);
    expect(await rows("select 1 from local_outbox where recipient = ?", next), "not the new one").toEqual([]);
    expect(await auditOf(user.userId, "UPDATE")).toHaveLength(1);
    const known = "select network from familiar_networks where identifier = ?";
    expect(await rows(known, user.identifier), "known networks of the old one").toEqual([]);
    // The new identifier belongs to the user after a sign-in; the old one belongs to no user.
    clock.advance(SECOND);
    const again = await logIn(next);
    expect(again.userId).toBe(user.userId);
    expect((await detail(staff, user)).body.data).toMatchObject({ [verified]: true, points: { current_points: 50 } });
    expect(await rows("select 1 from point_transactions where user_id = ?", user.userId)).toHaveLength(1);
    const heir = await person(user.identifier);
    expect(heir.userId).not.toBe(user.userId);
  });

  test("another spelling of the same identifier is not a change", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const before = await recordOf(user);
    const { identifier } = user;
    for (const phone_number of [identifier.slice(4), ` ${identifier} `, `00${identifier.slice(1)}`]) {
      expect((await change(staff, user, { phone_number, reason: "x" })).status).toBe(200);
      expect((await change(staff, user, { phone_number })).status).toBe(200);
    }
    expect(await recordOf(user)).toBe(before);
  });

  test("a taken username or identifier is refused with its own error code and changes nothing", async () => {
    const [staff, user, other] = [await newStaff(), await newUser(), await newUser()];
    const mail = await person(newEmail());
    const { username } = (await me(other)).body.data;
    for (const [json, code] of [
      [{ phone_number: other.identifier }, "user_already_exists"],
      [{ email: mail.identifier.toUpperCase() }, "user_already_exists"],
      [{ username }, "username_taken"],
      [{ username: username.toUpperCase() }, "username_taken"],
      [{ username, full_name: "Never Kept" }, "username_taken"],
      [{ email: newEmail(), phone_number: other.identifier }, "user_already_exists"],
    ] as const) {
      await expectNothingChanged(user, () => change(staff, user, { ...json, reason: "x" }), 409, code);
    }
  });

  test("refuses to remove the last way to sign in", async () => {
    const staff = await newStaff();
    const [byPhone, byMail] = [await newUser(), await person(newEmail())];
    for (const [user, field] of [
      [byPhone, "phone_number"],
      [byMail, "email"],
    ] as const) {
      const clear = (method: string) => change(staff, user, { [field]: null, reason: "x" }, method);
      await expectNothingChanged(user, () => clear("PUT"), 409, "last_sign_in_method");
      const before = await recordOf(user);
      expect((await clear("PATCH")).status, "ignored").toBe(200);
      expect(await recordOf(user)).toBe(before);
    }
    const added = await change(staff, byPhone, { email: newEmail(), reason: "x" });
    expect(added.body.data).toMatchObject({ email_verified: false, phone_verified: true });
    const cleared = await change(staff, byPhone, { email: null, reason: "x" }, "PUT");
    expect(cleared.body.data).toMatchObject({ email: null, email_verified: false, phone_verified: true });
  });

  test("changes all fields at once, or names every invalid field", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const pictures = { profile_picture: "https://a.example/b.png", avatar_url: "https://a.example/c.png" };
    const profile = { full_name: "Asha Rai", date_of_birth: "1990-01-01", address: "Pokhara", ...pictures };
    for (const names of [
      { email: newEmail(), phone_number: newPhone() },
      { email: null, phone_number: newPhone() },
      { email: newEmail(), phone_number: null },
    ]) {
      const refused = await change(staff, user, { ...profile, ...names, username: newPhone().slice(4) }, "PUT");
      expect(Object.keys(refused.body.error.fields)).toEqual(["username", "reason"]);
      const given = { ...profile, ...names, username: `u${crypto.randomUUID().slice(0, 8)}`, reason: "all" };
      expect((await change(staff, user, given, "PUT")).body.data).toMatchObject(names);
    }
  });

  test("changes other fields of an account that has no way to sign in, and gives it one", async () => {
    const [staff, user, email] = [await newStaff(), await newUser(), newEmail()];
    await run("update users set phone_number = null, phone_verified = 0 where id = ?", user.userId);
    const named = await change(staff, user, { full_name: "Asha Rai" });
    expect(named.body.data.profile.full_name).toBe("Asha Rai");
    expect((await change(staff, user, { full_name: "Asha Rai" })).status, "sent back unchanged").toBe(200);
    const reached = await change(staff, user, { email, reason: "lost access" });
    expect(reached.body.data).toMatchObject({ email, phone_number: null });
    const clear = () => change(staff, user, { email: null, reason: "x" }, "PUT");
    await expectNothingChanged(user, clear, 409, "last_sign_in_method");
  });

  test("refuses staff their own identifiers, and only an admin can change those of staff", async () => {
    const [staff, colleague, admin, second] = [await newStaff(), await newStaff(), await newAdmin(), await newAdmin()];
    for (const json of [{ email: newEmail() }, { phone_number: newPhone() }]) {
      const given = { ...json, reason: "x" };
      for (const [actor, target] of [
        [staff, staff],
        [admin, admin],
        [staff, colleague],
        [staff, admin],
      ] as const) {
        await expectNothingChanged(target, () => change(actor, target, given), 403, "permission_denied");
      }
    }
    expect((await change(admin, colleague, { email: newEmail(), reason: "x" })).status).toBe(200);
    expect((await change(admin, second, { email: newEmail(), reason: "x" })).status).toBe(200);
    expect(codeOf(await me(colleague)), "whose sessions end as well").toEqual([401, "token_not_valid"]);
  });
});

describe("changing a user's status", () => {
  test.each(["BANNED", "INACTIVE"])(
    "to %s ends every session at once, with an audit row and a notification",
    async (status) => {
      const [staff, user] = [await newStaff(), await newUser()];
      clock.advance(SECOND);
      const second = await logIn(user.identifier);
      const tasks = heldTasks();
      const token = staff.access;
      const json = { status, reason: "complaints" };
      const answer = await documented("POST", at(user, "/status"), { token, json, env: tasks.env });
      expect(answer.body.data).toMatchObject({ id: user.userId, status });
      for (const each of [user, second]) {
        expect(codeOf(await me(each))).toEqual([401, "token_not_valid"]);
        expect((await refresh(each)).status).toBe(401);
      }
      const audit = await auditOf(user.userId, "UPDATE");
      expect(audit).toMatchObject([{ by_staff: 1, actor_id: staff.userId }]);
      expect(JSON.parse(audit[0]?.old_values ?? "")).toMatchObject({ status: "ACTIVE" });
      expect(JSON.parse(audit[0]?.new_values ?? "")).toMatchObject({ status });
      expect(audit[0]?.new_values).toContain("complaints");
      const held = tasks.take(user.userId);
      await runTasks([...held, ...held], tasks.env);
      const sent = await rows<{ message: string }>("select message from notifications where user_id = ?", user.userId);
      expect(sent).toHaveLength(1);
      expect(sent[0]?.message, "the reason is not shown").not.toContain("complaints");
      // Repeating the call changes nothing.
      const before = await recordOf(user);
      expect((await setStatus(staff, user, { status, reason: "again" })).status).toBe(200);
      expect(await recordOf(user)).toBe(before);
      // The owner learns the status after proving the identifier, but cannot sign in.
      clock.advance(2 * MINUTE);
      const ip = newIp();
      const otp = await requestCode(user.identifier, { ip });
      const verified = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier: user.identifier, otp } });
      const proof = { identifier: user.identifier, verification_token: verified.body.data.verification_token };
      expect(codeOf(await call("POST", "/api/auth/login", { ip, json: proof }))).toEqual([403, "account_inactive"]);
      const back = await setStatus(staff, user, { status: "ACTIVE" });
      expect(back.body.data).toMatchObject({ status: "ACTIVE" });
      expect(await auditOf(user.userId, "UPDATE")).toHaveLength(2);
      expect(codeOf(await me(user)), "old sessions stay ended").toEqual([401, "token_not_valid"]);
      expect((await call("POST", "/api/auth/login", { ip, json: proof })).status).toBe(200);
    },
  );

  test("INACTIVE set by staff survives a sign-in and replaces INACTIVE set for inactivity", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await run("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", user.userId);
    const answer = await setStatus(staff, user, { status: "INACTIVE", reason: "asked" });
    expect(answer.body.data.status).toBe("INACTIVE");
    expect(await rows("select status_reason from users where id = ?", user.userId)).toEqual([
      { status_reason: "staff" },
    ]);
    clock.advance(SECOND);
    await expect(logIn(user.identifier)).rejects.toThrow("account_inactive");
  });

  test("requires a known status, and a reason unless it is ACTIVE", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (const json of [
      { status: "BANNED" },
      { status: "INACTIVE", reason: "" },
      { status: "BANNED", reason: "  " },
      { status: "BANNED", reason: "x".repeat(256) },
      { status: "banned", reason: "x" },
      { status: ["BANNED"], reason: "x" },
      { reason: "x" },
      {},
    ]) {
      await expectNothingChanged(user, () => setStatus(staff, user, json), 400, "validation_error");
    }
  });

  test("only an admin can change the status of staff, and nobody their own", async () => {
    const [staff, colleague, admin, second] = [await newStaff(), await newStaff(), await newAdmin(), await newAdmin()];
    for (const status of ["BANNED", "INACTIVE", "ACTIVE"]) {
      for (const [actor, target] of [
        [staff, staff],
        [admin, admin],
        [staff, colleague],
        [staff, admin],
      ] as const) {
        const act = () => setStatus(actor, target, { status, reason: "x" });
        await expectNothingChanged(target, act, 403, "permission_denied");
      }
    }
    expect((await setStatus(admin, colleague, { status: "BANNED", reason: "x" })).status).toBe(200);
    expect((await setStatus(admin, second, { status: "INACTIVE", reason: "x" })).status).toBe(200);
    expect(codeOf(await detail(colleague, admin)), "banned staff are out").toEqual([401, "token_not_valid"]);
  });
});

describe("changing a user's role", () => {
  test("only an admin can change a role; it ends the sessions and applies from the next sign-in", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const promoted = await setRole(admin, user, { role: "staff", reason: "hired" });
    expect(promoted.status, JSON.stringify(promoted.body)).toBe(200);
    expect(codeOf(await me(user))).toEqual([401, "token_not_valid"]);
    expect((await refresh(user)).status).toBe(401);
    clock.advance(SECOND);
    const staff = await logIn(user.identifier);
    expect((await detail(staff, admin)).status).toBe(200);
    const demoted = await setRole(admin, user, { role: "user", reason: "left" });
    expect(demoted.status).toBe(200);
    expect(codeOf(await detail(staff, admin))).toEqual([401, "token_not_valid"]);
    const audit = await auditOf(user.userId, "UPDATE");
    expect(audit.map(({ actor_id, by_staff }) => [actor_id, by_staff])).toEqual([
      [admin.userId, 1],
      [admin.userId, 1],
    ]);
    expect(JSON.parse(audit[0]?.new_values ?? "")).toMatchObject({ role: "staff" });
    expect(audit[1]?.new_values).toContain("left");
  });

  test("staff get short sessions", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    await setRole(admin, user, { role: "staff", reason: "hired" });
    clock.advance(SECOND);
    await logIn(user.identifier);
    const [session] = await rows<{ idle_ttl_ms: number; absolute: number }>(
      `select idle_ttl_ms, absolute_expires_at - created_at as absolute from sessions where user_id = ? and revoked_at is null`,
      user.userId,
    );
    expect(session).toEqual({ idle_ttl_ms: 12 * 60 * MINUTE, absolute: 24 * 60 * MINUTE });
  });

  test("setting the same role changes nothing", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const before = await recordOf(user);
    expect((await setRole(admin, user, { role: "user", reason: "x" })).status).toBe(200);
    expect(await recordOf(user)).toBe(before);
    expect((await me(user)).status).toBe(200);
  });

  test("is refused for staff, for one's own account, without a reason, and for an unknown role", async () => {
    const [admin, staff, user] = [await newAdmin(), await newStaff(), await newUser()];
    for (const role of ["user", "staff", "admin"]) {
      for (const [actor, target] of [
        [staff, user],
        [staff, staff],
        [staff, admin],
        [admin, admin],
      ] as const) {
        await expectNothingChanged(
          target,
          () => setRole(actor, target, { role, reason: "x" }),
          403,
          "permission_denied",
        );
      }
    }
    for (const json of [
      { role: "staff" },
      { role: "root", reason: "x" },
      { role: "STAFF", reason: "x" },
      { reason: "x" },
    ]) {
      await expectNothingChanged(user, () => setRole(admin, user, json), 400, "validation_error");
    }
  });

  test("is refused for an account with a test identifier or without a verified identifier", async () => {
    const [admin, user] = [await newAdmin(), await newUser()];
    const until = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
    const TEST_IDENTIFIERS = JSON.stringify([{ identifier: user.identifier, code: "424242", until }]);
    const env = { TEST_IDENTIFIERS } as Partial<Env>;
    const token = admin.access;
    const made = await call("POST", USERS, { token, json: { identifier: newPhone() } });
    const unverified = { userId: made.body.data.id };
    for (const role of ["staff", "admin"]) {
      const json = { role, reason: "x" };
      const before = [await recordOf(user), await recordOf(unverified)];
      const tested = await documented("PUT", at(user, "/role"), { token, json, env });
      expect(codeOf(tested)).toEqual([409, "conflict"]);
      const blind = await documented("PUT", at(unverified, "/role"), { token, json });
      expect(codeOf(blind)).toEqual([409, "conflict"]);
      expect([await recordOf(user), await recordOf(unverified)]).toEqual(before);
    }
  });

  test("neither a role change nor a deletion can remove the last admin", async () => {
    const [admin, other] = [await newAdmin(), await newAdmin()];
    const rest = await rows<{ id: string }>(
      "select id from users where role = 'admin' and id not in (?, ?)",
      admin.userId,
      other.userId,
    );
    const ids = JSON.stringify(rest.map(({ id }) => id));
    await run("update users set role = 'user' where id in (select value from json_each(?))", ids);
    try {
      expect((await setStatus(admin, other, { status: "BANNED", reason: "x" })).status, "one is left").toBe(200);
      const remove = () => documented("DELETE", "/api/auth/account", { token: admin.access, json: {} });
      await expectNothingChanged(admin, remove, 409, "last_admin");
      for (const json of [{ role: "user" }, { role: "staff" }]) {
        const act = () => setRole(admin, admin, { ...json, reason: "x" });
        await expectNothingChanged(admin, act, 403, "permission_denied");
      }
      expect((await setStatus(admin, other, { status: "ACTIVE" })).status).toBe(200);
      expect((await remove()).status, "another one is there again").toBe(200);
    } finally {
      await run("update users set role = 'admin' where id in (select value from json_each(?))", ids);
    }
  });
});

describe("unlocking a user", () => {
  /** Sends wrong codes until the identifier is locked for two minutes, of which one has passed. */
  async function lockOut(identifier: string, ip: string) {
    for (let round = 0; round < 2; round++) {
      clock.advance(61 * SECOND);
      const code = await requestCode(identifier, { ip });
      const otp = code === "111111" ? "222222" : "111111";
      for (let i = 0; i < 5; i++) await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
      const locked = await call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp: code } });
      expect(codeOf(locked)).toEqual([429, "rate_limit_exceeded"]);
    }
  }

  /** A minute later, requests a code and verifies it. */
  const signIn = async (identifier: string, ip: string) => {
    clock.advance(61 * SECOND);
    const sent = await rows("select 1 from local_outbox where recipient = ?", identifier);
    const asked = await call("POST", "/api/auth/otp/request", { ip, json: { identifier } });
    if (asked.status !== 200) return asked;
    const otp = await readCode(identifier, sent.length + 1);
    return call("POST", "/api/auth/otp/verify", { ip, json: { identifier, otp } });
  };

  test("lets the owner sign in immediately and is audited; without it the lock remains", async () => {
    const staff = await newStaff();
    const [user, control] = [await newUser(), await newUser()];
    const [ip, elsewhere] = [newIp(), newIp()];
    await lockOut(user.identifier, ip);
    await lockOut(control.identifier, elsewhere);
    const unlocked = await documented("POST", at(user, "/unlock"), {
      token: staff.access,
      json: { reason: "rang us" },
    });
    expect(unlocked.status).toBe(200);
    expect(unlocked.body.data.id).toBe(user.userId);
    const audit = await auditOf(user.userId, "UPDATE");
    expect(audit).toMatchObject([{ by_staff: 1, actor_id: staff.userId }]);
    expect(audit[0]?.new_values).toContain("rang us");
    expect(codeOf(await signIn(control.identifier, elsewhere))).toEqual([429, "rate_limit_exceeded"]);
    clock.advance(-61 * SECOND);
    const entered = await signIn(user.identifier, ip);
    expect(entered.status, JSON.stringify(entered.body)).toBe(200);
  });

  test("lifts the hard lockout that a hundred failures caused", async () => {
    const user = await newUser();
    const ip = newIp();
    await lockOut(user.identifier, ip);
    const closed = await run("update otp_class_guards set streak = 100 where identifier = ?", user.identifier);
    expect(closed.meta.changes).toBeGreaterThan(0);
    clock.advance(60 * MINUTE);
    const code = await call("POST", "/api/auth/otp/request", { ip: newIp(), json: { identifier: user.identifier } });
    const otp = "111111";
    const refused = await call("POST", "/api/auth/otp/verify", {
      ip: newIp(),
      json: { identifier: user.identifier, otp },
    });
    expect([code.status, refused.status]).toContain(429);
    const staff = await newStaff();
    const unlock = { token: staff.access, json: { reason: "rang us" } };
    expect((await documented("POST", at(user, "/unlock"), unlock)).status).toBe(200);
    clock.advance(10 * MINUTE);
    expect((await logIn(user.identifier)).userId).toBe(user.userId);
  });

  test("requires a reason", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (const json of [
      {},
      { reason: "" },
      { reason: " " },
      { reason: null },
      { reason: [] },
      { reason: "x".repeat(256) },
    ]) {
      const act = () => documented("POST", at(user, "/unlock"), { token: staff.access, json });
      await expectNothingChanged(user, act, 400, "validation_error");
    }
  });
});

describe("sessions of a user", () => {
  test("staff can list them and end all of them, with an audit row for each", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    clock.advance(SECOND);
    const second = await logIn(user.identifier, { ip: newIp(), headers: { "user-agent": "Phone 2" } });
    const token = staff.access;
    const listed = await documented("GET", at(user, "/sessions"), { token });
    const ids = listed.body.data.map(({ id }: { id: string }) => id);
    expect(ids.toSorted()).toEqual([user, second].map(sessionOf).toSorted());
    expect(listed.body.data.every(({ current }: { current: boolean }) => current === false)).toBe(true);
    expect(JSON.stringify(listed.body)).toContain("Phone 2");
    const ended = await documented("DELETE", at(user, "/sessions"), { token });
    expect(ended.body.data.ended).toBe(2);
    for (const each of [user, second]) {
      expect(codeOf(await me(each))).toEqual([401, "token_not_valid"]);
      expect((await refresh(each)).status).toBe(401);
    }
    expect((await documented("GET", at(user, "/sessions"), { token })).body.data).toEqual([]);
    const before = await recordOf(user);
    expect((await documented("DELETE", at(user, "/sessions"), { token })).body.data.ended).toBe(0);
    expect(await recordOf(user), "nothing to end, nothing written").toBe(before);
    const audit = (await auditOf(user.userId)).filter(({ by_staff, action }) => by_staff === 1 && action !== "VIEW");
    expect(audit).toHaveLength(2);
    expect(audit.every(({ actor_id }) => actor_id === staff.userId)).toBe(true);
    clock.advance(SECOND);
    expect((await logIn(user.identifier)).userId, "the account is open").toBe(user.userId);
  });

  test("only an admin can end the sessions of staff, and nobody their own by this route", async () => {
    const [staff, colleague, admin, second] = [await newStaff(), await newStaff(), await newAdmin(), await newAdmin()];
    for (const [actor, target] of [
      [staff, staff],
      [admin, admin],
      [staff, colleague],
      [staff, admin],
    ] as const) {
      const act = () => documented("DELETE", at(target, "/sessions"), { token: actor.access });
      await expectNothingChanged(target, act, 403, "permission_denied");
      expect((await me(target)).status).toBe(200);
    }
    for (const target of [colleague, second]) {
      expect((await documented("DELETE", at(target, "/sessions"), { token: admin.access })).status).toBe(200);
      expect((await me(target)).status).toBe(401);
    }
  });
});

describe("analytics report", () => {
  test("is built by the queue and kept for an hour", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const tasks = heldTasks();
    const options = { token: staff.access, env: tasks.env };
    const path = at(user, "/analytics-report");
    expect(codeOf(await documented("GET", path, options))).toEqual([404, "not_found"]);
    expect((await documented("POST", path, options)).status).toBe(202);
    expect(codeOf(await documented("GET", path, options)), "queued").toEqual([404, "not_found"]);
    const held = tasks.take(user.userId);
    expect(held.length).toBeGreaterThan(0);
    await runTasks([...held, ...held], tasks.env);
    const report = await documented("GET", path, options);
    expect(report.body.data).toMatchObject({
      user_id: user.userId,
      usage: { total_rentals: 0, total_spent: "0.00", last_rental_date: null },
      wallet: { balance: "0.00", currency: "NPR" },
      points: { current_points: 50, total_points: 50 },
      generated_at: new Date().toISOString(),
    });
    clock.advance(60 * MINUTE - 1);
    expect((await documented("GET", path, { ...options, token: (await newStaff()).access })).status).toBe(200);
    clock.advance(1);
    expect(codeOf(await documented("GET", path, { ...options, token: (await newStaff()).access }))).toEqual([
      404,
      "not_found",
    ]);
  });
});

describe("audit log of a user", () => {
  test("is listed newest first, page by page, each entry once, with its actor", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (let i = 0; i < 6; i++) await change(staff, user, { address: `House ${i}` });
    const known = (await auditOf(user.userId)).length;
    const token = staff.access;
    const seen: { id: string; action: string; actor: { id: string } | null; by_staff: boolean }[] = [];
    for (let cursor = ""; ; ) {
      // Each page leaves a view row, which sorts behind the older rows by its time.
      clock.advance(SECOND);
      const { body } = await documented("GET", `${at(user, "/audit-logs")}?page_size=2${cursor}`, { token });
      seen.push(...body.data.results);
      if (body.data.next_cursor === null) break;
      cursor = `&cursor=${encodeURIComponent(body.data.next_cursor)}`;
      if (seen.length === 2) {
        clock.advance(SECOND);
        await change(staff, user, { address: "Later" });
      }
    }
    expect(seen).toHaveLength(known);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    expect(seen.map(({ id }) => id)).toEqual(
      seen
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    const updates = seen.filter(({ action }) => action === "UPDATE");
    expect(updates).toHaveLength(6);
    for (const { actor, by_staff } of updates) expect([actor?.id, by_staff]).toEqual([staff.userId, true]);
    const own = seen.find(({ action }) => action === "CREATE");
    expect([own?.actor?.id, own?.by_staff]).toEqual([user.userId, false]);
    expect(JSON.stringify(seen)).not.toContain(user.refresh);
  });

  test("refuses a cursor that was altered or belongs to another user's log", async () => {
    const [staff, user, other] = [await newStaff(), await newUser(), await newUser()];
    for (let i = 0; i < 3; i++) for (const each of [user, other]) await change(staff, each, { address: `House ${i}` });
    const token = staff.access;
    const first = await documented("GET", `${at(user, "/audit-logs")}?page_size=1`, { token });
    const cursor: string = first.body.data.next_cursor;
    const altered = ["x", cursor.slice(1), `${cursor}A`];
    for (let i = 0; i < cursor.length; i++) {
      altered.push(`${cursor.slice(0, i)}${cursor.charAt(i) === "A" ? "B" : "A"}${cursor.slice(i + 1)}`);
    }
    for (const each of altered) {
      const answer = await documented("GET", `${at(user, "/audit-logs")}?cursor=${each}`, { token });
      expect(codeOf(answer), each).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["cursor"]);
    }
    expect(codeOf(await documented("GET", `${at(other, "/audit-logs")}?cursor=${cursor}`, { token }))).toEqual([
      400,
      "validation_error",
    ]);
  });
});

describe("staff who are banned or demoted", () => {
  test("cannot change a user from the next request on, and users never can", async () => {
    const [staff, user, target] = [await newStaff(), await newUser(), await newUser()];
    await expectNothingChanged(target, () => change(user, target, { address: "x y" }), 403, "permission_denied");
    await promote(staff, "user");
    await expectNothingChanged(target, () => change(staff, target, { address: "x y" }), 403, "permission_denied");
    await promote(staff, "staff");
    await run("update users set status = 'BANNED', status_reason = 'staff' where id = ?", staff.userId);
    await expectNothingChanged(target, () => change(staff, target, { address: "x y" }), 401, "token_not_valid");
  });
});
