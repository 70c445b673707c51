import { beforeAll, describe, expect, test } from "vitest";
import { call, logIn, newEmail, newIp, newPhone, type SignedIn, verify } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { codeOf, documented, newStaff, newUser } from "../../support/kyc.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { auditOf, eventsOf, USERS } from "../../support/staff.ts";

beforeAll(keepSentEvents);

const clock = useClock();

const make = ({ access }: SignedIn, json: Record<string, unknown>) =>
  documented("POST", USERS, { token: access, json });
const detailOf = async (staff: SignedIn, id: string) =>
  (await documented("GET", `${USERS}/${id}`, { token: staff.access })).body.data;

describe("an account that staff create", () => {
  test.each<["phone" | "email", () => string]>([
    ["phone", newPhone],
    ["email", newEmail],
  ])("by %s is unverified, has no role, no session, no points, and a complete record", async (kind, fresh) => {
    const [staff, identifier] = [await newStaff(), fresh()];
    const answer = await make(staff, {
      identifier,
      full_name: "Asha Gurung",
      address: "Patan",
      date_of_birth: "1990-01-02",
      avatar_url: "https://example.com/a.png",
      profile_picture: "https://example.com/p.png",
    });
    expect(answer.status).toBe(201);
    const { data } = answer.body;
    expect(data).toMatchObject({
      email: kind === "email" ? identifier : null,
      phone_number: kind === "phone" ? identifier : null,
      email_verified: false,
      phone_verified: false,
      status: "ACTIVE",
      last_login: null,
      referral_code: expect.stringMatching(/^REF[A-Z0-9]{6}$/),
      profile_picture: "https://example.com/p.png",
      profile: {
        full_name: "Asha Gurung",
        address: "Patan",
        date_of_birth: "1990-01-02",
        avatar_url: "https://example.com/a.png",
        is_profile_complete: true,
      },
      kyc: null,
      points: { current_points: 0, total_points: 0 },
      wallet_balance: { balance: "0.00", currency: "NPR" },
      social_provider: kind === "email" ? "EMAIL" : "PHONE",
    });
    expect(await rows("select role from users where id = ?", data.id)).toEqual([{ role: "user" }]);
    expect(await rows("select 1 from sessions where user_id = ?", data.id)).toEqual([]);
    const audit = await auditOf(data.id);
    expect(audit.toSorted((a, b) => a.action.localeCompare(b.action))).toMatchObject([
      { action: "CREATE", by_staff: 1, actor_id: staff.userId },
      { action: "VIEW", by_staff: 1, actor_id: staff.userId },
    ]);
    expect((await eventsOf(data.id)).map(({ type }) => type)).toEqual(["user.created"]);
    expect(await rows("select 1 from local_outbox where recipient = ?", identifier), "no message is sent").toEqual([]);
  });

  test("gets the given username, or a generated one", async () => {
    const staff = await newStaff();
    const username = `Given.${Math.floor(Math.random() * 1e9)}`;
    expect((await make(staff, { identifier: newPhone(), username })).body.data.username).toBe(username);
    const phone = newPhone();
    expect((await make(staff, { identifier: phone.slice(4), username: "" })).body.data).toMatchObject({
      phone_number: phone,
      username: expect.stringContaining("user_"),
    });
    for (const taken of [username, username.toUpperCase()]) {
      expect(codeOf(await make(staff, { identifier: newPhone(), username: taken }))).toEqual([409, "username_taken"]);
    }
  });

  test("is refused if the identifier is taken, a field is invalid or the caller is not staff", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    for (const identifier of [user.identifier, user.identifier.slice(4), ` 00${user.identifier.slice(1)} `]) {
      expect(codeOf(await make(staff, { identifier }))).toEqual([409, "user_already_exists"]);
    }
    for (const identifier of ["", "x", "123", "a@", "+1", "+14155552671", "0".repeat(255), null, [], {}]) {
      const answer = await make(staff, { identifier });
      expect(codeOf(answer), String(identifier)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["identifier"]);
    }
    for (const [field, value] of Object.entries({
      username: "a b",
      full_name: "x",
      date_of_birth: "2999-01-01",
      profile_picture: "javascript:alert(1)",
      avatar_url: "http://example.com",
    })) {
      const answer = await make(staff, { identifier: newPhone(), [field]: value });
      expect([field, ...codeOf(answer)]).toEqual([field, 400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual([field]);
    }
    const user2 = await newUser();
    expect(codeOf(await make(user2, { identifier: newPhone() }))).toEqual([403, "permission_denied"]);
  });

  test.each<["phone" | "email", () => string]>([
    ["phone", newPhone],
    ["email", newEmail],
  ])("by %s becomes its owner's at the first login, which verifies it and grants points once", async (kind, fresh) => {
    const [staff, identifier] = [await newStaff(), fresh()];
    const { id } = (await make(staff, { identifier })).body.data;
    const ip = newIp();
    const verification_token = await verify(identifier, { ip });
    const registered = await call("POST", "/api/auth/register", { ip, json: { identifier, verification_token } });
    expect(codeOf(registered), "the account is known").toEqual([409, "user_already_exists"]);
    const before = (await rows<{ version: number }>("select version from users where id = ?", id))[0]?.version ?? 0;
    const login = await call("POST", "/api/auth/login", { ip, json: { identifier, verification_token } });
    expect(login.status, "by the same token").toBe(200);
    expect(login.body.data.user_id).toBe(id);
    const flag = kind === "email" ? "email_verified" : "phone_verified";
    const signedUp = { [flag]: true, points: { current_points: 50, total_points: 50 } };
    expect(await detailOf(staff, id)).toMatchObject(signedUp);
    const after = (await rows<{ version: number }>("select version from users where id = ?", id))[0]?.version ?? 0;
    expect(after, "the projections hear of it").toBeGreaterThan(before);
    expect((await eventsOf(id, "user.updated")).length).toBeGreaterThan(0);
    clock.advance(61_000);
    await logIn(identifier);
    const again = await newStaff();
    expect(await detailOf(again, id)).toMatchObject(signedUp);
    expect(await rows("select delta, reason from point_transactions where user_id = ?", id)).toEqual([
      { delta: 50, reason: "signup_bonus" },
    ]);
  });

  test("stays unverified and gets no points if it is banned before its owner signs in", async () => {
    const [staff, identifier] = [await newStaff(), newPhone()];
    const { id } = (await make(staff, { identifier })).body.data;
    const token = staff.access;
    await documented("POST", `${USERS}/${id}/status`, { token, json: { status: "BANNED", reason: "x" } });
    await expect(logIn(identifier)).rejects.toThrow("account_inactive");
    expect(await detailOf(staff, id)).toMatchObject({ phone_verified: false, points: { current_points: 0 } });
    expect(await rows("select 1 from point_transactions where user_id = ?", id)).toEqual([]);
  });

  test("gives the points once, to the owner of the new identifier, if staff change it before the first sign-in", async () => {
    const [staff, first, second] = [await newStaff(), newPhone(), newEmail()];
    const { id } = (await make(staff, { identifier: first })).body.data;
    const token = staff.access;
    const json = { phone_number: null, email: second, reason: "a slip" };
    const changed = await documented("PUT", `${USERS}/${id}`, { token, json });
    expect(changed.body.data).toMatchObject({ email: second, phone_number: null, email_verified: false });
    expect((await logIn(second)).userId).toBe(id);
    clock.advance(61_000);
    const third = newPhone();
    await documented("PATCH", `${USERS}/${id}`, { token, json: { phone_number: third, reason: "a second one" } });
    expect((await logIn(third)).userId).toBe(id);
    expect(await detailOf(await newStaff(), id)).toMatchObject({
      email_verified: true,
      phone_verified: true,
      points: { current_points: 50 },
    });
  });
});
