import { beforeAll, describe, expect, it } from "vitest";
import { type CallOptions, call, newEmail, newIp, newPhone, testEnv, verify } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { countOf, rows } from "../../support/database.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { me, refresh } from "../../support/session-calls.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const proven = new Set<string>();
const MINUTE = 60_000;

interface Proof {
  identifier: string;
  verification_token: string;
}

/** Verifies the identifier; for a second code it first waits the required time. */
async function prove(identifier = newPhone()): Promise<Proof> {
  if (proven.has(identifier)) clock.advance(2 * MINUTE);
  proven.add(identifier);
  return { identifier, verification_token: await verify(identifier, { ip: newIp() }) };
}
const register = (json: object, options: CallOptions = {}) =>
  call("POST", "/api/auth/register", { ip: newIp(), ...options, json });
const login = (json: object, options: CallOptions = {}) =>
  call("POST", "/api/auth/login", { ip: newIp(), ...options, json });

async function newUser(extra: object = {}, identifier = newPhone()) {
  const answer = await register({ ...(await prove(identifier)), ...extra });
  expect(answer.status).toBe(201);
  return { identifier, ...answer.body.data };
}

/** An account created by staff, whose identifier is not yet verified. */
async function insertStaffMadeUser(phone: string): Promise<string> {
  const id = crypto.randomUUID();
  const now = Date.now();
  const { DB } = testEnv;
  await DB.batch([
    DB.prepare(`insert into users (id, username, username_key, phone_number, email_verified, phone_verified, referral_code,
      status, role, social_provider, locale, date_joined, updated_at, version)
      values (?, ?, ?, ?, 0, 0, ?, 'ACTIVE', 'user', 'PHONE', 'en', ?, ?, 1)`).bind(
      ...[id, `made${phone}`, `made${phone}`, phone, `REF${phone.slice(-6)}`, now, now],
    ),
    DB.prepare("insert into profiles (user_id, id, created_at, updated_at) values (?, ?, ?, ?)").bind(id, id, now, now),
    DB.prepare("insert into wallets (user_id, balance_minor, currency, updated_at) values (?, 0, 'NPR', ?)").bind(
      id,
      now,
    ),
    DB.prepare("insert into points (user_id, current_points, total_points, updated_at) values (?, 0, 0, ?)").bind(
      id,
      now,
    ),
  ]);
  return id;
}

describe("registration", () => {
  it("returns 201 with tokens and the user as GET auth/me shows it", async () => {
    const { status, headers, body } = await register(await prove());
    expect(status).toBe(201);
    expect(headers.get("cache-control")).toContain("no-store");
    expect(body).toEqual({ success: true, message: expect.stringMatching(/./), data: expect.any(Object) });
    const jwt = expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(body.data).toEqual({
      user_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      access_token: jwt,
      refresh_token: jwt,
      token_type: "Bearer",
      expires_in: 900,
      user: {
        id: body.data.user_id,
        username: expect.any(String),
        profile_picture: null,
        referral_code: expect.stringMatching(/^REF[A-Z0-9]{6}$/),
        status: "ACTIVE",
        date_joined: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
        profile_complete: false,
        kyc_status: "NOT_SUBMITTED",
        social_provider: "PHONE",
      },
      referral_applied: false,
      message: expect.stringMatching(/./),
    });
    expect((await me(body.data.access_token)).body.data).toEqual(body.data.user);
    expect((await refresh(body.data.refresh_token)).status).toBe(200);
  });

  it("creates user, profile, wallet, 50 points with their ledger row, session, one audit row and one event (ASVS 16.2)", async () => {
    const ip = newIp();
    const email = newEmail();
    const answer = await register(await prove(email), { ip, headers: { "user-agent": "Rental/7" } });
    const id = answer.body.data.user_id;
    const [user] = await rows("select * from users where id = ?", id);
    expect(user).toMatchObject({ email, phone_number: null, email_verified: 1, phone_verified: 0, role: "user" });
    expect(user?.social_provider).toBe("EMAIL");
    expect(await countOf("profiles", id)).toBe(1);
    expect(await rows("select balance_minor, currency from wallets where user_id = ?", id)).toEqual([
      { balance_minor: 0, currency: "NPR" },
    ]);
    expect(await rows("select current_points, total_points from points where user_id = ?", id)).toEqual([
      { current_points: 50, total_points: 50 },
    ]);
    expect(await rows("select delta from point_transactions where user_id = ?", id)).toEqual([{ delta: 50 }]);
    const [session, ...others] = await rows("select * from sessions where user_id = ?", id);
    expect(others).toEqual([]);
    expect(session).toMatchObject({ ip, user_agent: "Rental/7", method: "OTP_EMAIL", revoked_at: null });
    const audit = await rows("select * from audit_logs where user_id = ?", id);
    expect(audit).toHaveLength(1);
    expect(audit[0]).toMatchObject({
      action: "CREATE",
      entity_id: id,
      actor_id: id,
      by_staff: 0,
      ip,
      old_values: null,
    });
    expect(audit[0]).toMatchObject({ user_agent: "Rental/7", session_id: session?.id });
    expect(await countOf("recorded_events", id, "type = 'user.created'")).toBe(1);
  });

  it("accepts urlencoded and multipart forms and treats an empty value as absent", async () => {
    for (const kind of ["form", "multipart"] as const) {
      const proof = await prove();
      const fields = { ...proof, username: "", referral_code: "" };
      const answer = await call("POST", "/api/auth/register", { ip: newIp(), [kind]: fields });
      expect(answer.status).toBe(201);
      expect(answer.body.data.user.username).toContain(`user_${proof.identifier.slice(-4)}`);
    }
  });

  it("derives a unique default username from the identifier", async () => {
    const phone = newPhone();
    const sibling = phone.replace("+977984", "+977986");
    await newUser({ username: `USER_${phone.slice(-4)}` }, newPhone());
    const names = [(await newUser({}, phone)).user.username, (await newUser({}, sibling)).user.username];
    const email = newEmail();
    const local = email.replace("@example.com", "");
    expect((await newUser({}, email)).user.username).toBe(local);
    const namesake = (await newUser({}, `${local}@example.org`)).user.username;
    expect(namesake).toMatch(new RegExp(`^${local}.`));
    for (const name of names) expect(name).toMatch(new RegExp(`^user_${phone.slice(-4)}.`));
    expect(new Set([...names, `user_${phone.slice(-4)}`]).size).toBe(3);
  });

  it("names the owner of a phone number user_ and its last four digits if that name is free", async () => {
    const phone = newPhone();
    await testEnv.DB.prepare("update users set username_key = id where username_key = ?")
      .bind(`user_${phone.slice(-4)}`)
      .run();
    expect((await newUser({}, phone)).user.username).toBe(`user_${phone.slice(-4)}`);
  });

  it.each([
    ["ada", "ADA"],
    ["Ｍａｒｉａ", "maria"],
    ["Jos\u00e9", "Jose\u0301"],
    ["\ufb01ona", "Fiona"],
    ["\u212bsa", "\u00e5SA"],
    ["\u0958\u092e\u0930", "\u0915\u093c\u092e\u0930"],
    ["οδοσ", "ΟΔΟΣ"],
    ["Straße", "STRASSE"],
  ])(
    "treats %s and %s as the same username and does not redeem the verification token when it is taken",
    async (one, other) => {
      const suffix = newPhone().slice(-7);
      await newUser({ username: one + suffix });
      const proof = await prove();
      const refused = await register({ ...proof, username: other + suffix });
      expect([refused.status, refused.body.error?.code]).toEqual([409, "username_taken"]);
      expect((await register({ ...proof, username: `free${suffix}` })).status).toBe(201);
    },
  );

  it("accepts a username of 150 characters and refuses one of 151", async () => {
    const proof = await prove();
    const name = proof.identifier.slice(1).padEnd(150, "x");
    const refused = await register({ ...proof, username: `${name}x` });
    expect([refused.status, refused.body.error.code]).toEqual([400, "validation_error"]);
    expect(Object.keys(refused.body.error.details)).toEqual(["username"]);
    expect((await register({ ...proof, username: name })).body.data.user.username).toBe(name);
  });

  it("ignores unknown fields and fields that clients may not set (ASVS 15.3.3)", async () => {
    const wishes = { id: "1", user_id: "1", status: "BANNED", is_staff: true, is_superuser: true, role: "admin" };
    const more = { points: 9999, current_points: 9999, wallet_balance: "500.00", balance: 500, kyc_status: "APPROVED" };
    const dates = {
      date_joined: "2001-01-01T00:00:00Z",
      last_login: null,
      session_id: "mine",
      sid: "mine",
      version: 9,
    };
    const user = await newUser({
      ...wishes,
      ...more,
      ...dates,
      ["__proto__"]: { role: "admin" },
      email_verified: true,
    });
    expect(user.user).toMatchObject({ id: user.user_id, status: "ACTIVE", kyc_status: "NOT_SUBMITTED" });
    expect(user.user_id).not.toBe("1");
    expect(user.user.date_joined).not.toContain("2001");
    const [row] = await rows("select role, status, email_verified from users where id = ?", user.user_id);
    expect(row).toEqual({ role: "user", status: "ACTIVE", email_verified: 0 });
    expect(await countOf("wallets", user.user_id, "balance_minor = 0")).toBe(1);
    expect(await countOf("points", user.user_id, "current_points = 50")).toBe(1);
    expect(await countOf("sessions", user.user_id, "id <> 'mine'")).toBe(1);
  });

  it("links another user's referral code once and credits nobody yet", async () => {
    const inviter = await newUser();
    const body = { ...(await prove()), referral_code: inviter.user.referral_code };
    const first = await register(body);
    const again = await register(body);
    expect([first.body.data.referral_applied, again.body.data.referral_applied]).toEqual([true, true]);
    const links = await rows("select inviter_id, status from referrals where invitee_id = ?", first.body.data.user_id);
    expect(links).toEqual([{ inviter_id: inviter.user_id, status: "PENDING" }]);
    for (const id of [inviter.user_id, first.body.data.user_id]) {
      expect(await countOf("points", id, "current_points = 50 and total_points = 50")).toBe(1);
    }
  });

  it.each<[string, (code: string) => string]>([
    ["in lower case", (code) => code.toLowerCase()],
    ["with spaces and a line end", (code) => ` ${code.slice(0, 3)} ${code.slice(3)}\n`],
    ["with a dash", (code) => `${code.slice(0, 3)}\u2013${code.slice(3)}`],
    ["between direction marks", (code) => `\u2068${code}\u2069`],
    ["with invisible characters", (code) => [...code].join("\u200b")],
    ["in full width", (code) => code.replace(/./g, (each) => String.fromCodePoint(each.charCodeAt(0) + 0xfee0))],
    ["with Devanagari digits", (code) => code.replace(/\d/g, (digit) => String.fromCodePoint(0x966 + Number(digit)))],
  ])("finds the inviter by a code pasted %s", async (_, spell) => {
    const inviter = await newUser();
    const body = { ...(await prove()), referral_code: spell(inviter.user.referral_code) };
    expect((await register(body)).body.data?.referral_applied).toBe(true);
  });

  it("succeeds with an unknown referral code", async () => {
    for (const referral_code of ["REF______", "---", "रेफ"]) {
      const user = await newUser({ referral_code });
      expect(user.referral_applied).toBe(false);
      expect(await rows("select 1 from referrals where invitee_id = ?", user.user_id)).toEqual([]);
    }
  });

  it("rejects an identifier that has an account; login then accepts the same verification token", async () => {
    const user = await newUser();
    const proof = await prove(user.identifier);
    const refused = await register({ ...proof, username: `other${user.identifier.slice(-7)}` });
    expect([refused.status, refused.body.error.code]).toEqual([409, "user_already_exists"]);
    const accepted = await login(proof);
    expect([accepted.status, accepted.body.data?.user_id]).toEqual([200, user.user_id]);
    expect(await countOf("audit_logs", user.user_id)).toBe(2);
  });
});

describe("login", () => {
  it("returns what registration returns, with a new session in addition to the old one, one LOGIN audit row and a new last_login (ASVS 7.2.4, 16.3.1)", async () => {
    const user = await newUser();
    clock.advance(5 * MINUTE);
    const proof = await prove(user.identifier);
    const answer = await login({ ...proof, sid: "mine", session_id: "mine" });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body.data).sort()).toEqual(
      Object.keys(user)
        .filter((key) => key !== "identifier")
        .sort(),
    );
    expect(answer.body.data).toMatchObject({ user_id: user.user_id, token_type: "Bearer", expires_in: 900 });
    expect(answer.body.data.user).toEqual(user.user);
    expect((await me(answer.body.data.access_token)).status).toBe(200);
    expect((await me(user.access_token)).status).toBe(200);
    expect((await login(proof)).status).toBe(200);
    expect(await countOf("sessions", user.user_id, "id <> 'mine'")).toBe(2);
    expect(await countOf("audit_logs", user.user_id, "action = 'LOGIN'")).toBe(1);
    expect(await rows("select last_login from users where id = ?", user.user_id)).toEqual([{ last_login: Date.now() }]);
    expect(await countOf("points", user.user_id, "current_points = 50")).toBe(1);
  });

  it("accepts every spelling of a phone number or e-mail address for the same user", async () => {
    const phone = newPhone();
    const user = await newUser({}, phone);
    const national = phone.slice(4);
    for (const spelling of [national, `+977 ${national.slice(0, 3)}-${national.slice(3)}`, `00977${national}`]) {
      const { verification_token } = await prove(phone);
      expect((await login({ identifier: spelling, verification_token })).body.data?.user_id).toBe(user.user_id);
    }
    const email = newEmail();
    const reader = await newUser({}, email);
    const { verification_token } = await prove(email);
    const loud = await login({ identifier: `  ${email.toUpperCase()} `, verification_token });
    expect(loud.body.data?.user_id).toBe(reader.user_id);
  });

  it("returns 404 for an identifier without an account; registration then accepts the same verification token", async () => {
    const proof = await prove();
    const refused = await login(proof);
    expect([refused.status, refused.body.error.code]).toEqual([404, "user_not_found"]);
    expect((await register(proof)).status).toBe(201);
  });

  it.each(["BANNED", "INACTIVE"])(
    "returns 403 for a user whom staff set to %s, leaves no trace and does not redeem the verification token",
    async (status) => {
      const user = await newUser();
      const proof = await prove(user.identifier);
      const set = "update users set status = ?, status_reason = ? where id = ?";
      await rows(set, status, "staff", user.user_id);
      const refused = await login(proof);
      expect([refused.status, refused.body.error.code]).toEqual([403, "account_inactive"]);
      const existing = await register(proof);
      expect([existing.status, existing.body.error.code]).toEqual([409, "user_already_exists"]);
      expect(await countOf("sessions", user.user_id)).toBe(1);
      expect(await countOf("audit_logs", user.user_id)).toBe(1);
      await rows(set, "ACTIVE", null, user.user_id);
      expect((await login(proof)).status).toBe(200);
    },
  );

  it("reactivates a user who was INACTIVE for inactivity, with one audit row", async () => {
    const user = await newUser();
    await rows("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", user.user_id);
    const { access_token } = (await login(await prove(user.identifier))).body.data;
    expect((await me(access_token)).body.data.status).toBe("ACTIVE");
    const [row] = await rows("select status, status_reason from users where id = ?", user.user_id);
    expect(row).toEqual({ status: "ACTIVE", status_reason: null });
    expect(await countOf("audit_logs", user.user_id)).toBe(2);
    expect(await countOf("points", user.user_id, "current_points = 50")).toBe(1);
  });

  it("verifies the identifier of an account that staff created and credits the signup points once", async () => {
    const phone = newPhone();
    const id = await insertStaffMadeUser(phone);
    for (let time = 0; time < 2; time++) {
      expect((await login(await prove(phone))).body.data?.user_id).toBe(id);
      expect(await rows("select phone_verified from users where id = ?", id)).toEqual([{ phone_verified: 1 }]);
      expect(await countOf("points", id, "current_points = 50 and total_points = 50")).toBe(1);
      expect(await countOf("point_transactions", id, "delta = 50")).toBe(1);
      expect(await countOf("audit_logs", id, "action = 'LOGIN'")).toBe(time + 1);
    }
  });
});
