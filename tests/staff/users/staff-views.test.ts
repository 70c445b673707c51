import { afterEach, describe, expect, test, vi } from "vitest";
import { call, logIn, newEmail, type SignedIn } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, run } from "../../support/database.ts";
import { codeOf, documented, newStaff, newUser, pathOf, submit } from "../../support/kyc.ts";
import { recordLog } from "../../support/production.ts";
import { auditOf, person, USERS } from "../../support/staff.ts";

const HOUR = 3_600_000;
const LIMIT = 600;

const clock = useClock();
afterEach(() => vi.restoreAllMocks());

const view = (staff: SignedIn, user: SignedIn, query = "") =>
  documented("GET", `${USERS}/${user.userId}${query}`, { token: staff.access });
const reveal = (staff: SignedIn, user: SignedIn, fields: unknown) =>
  documented("POST", `${USERS}/${user.userId}/reveal`, { token: staff.access, json: { fields } });

/** Inserts `views` views of the member of staff at the current time. */
async function insertViews({ userId }: SignedIn, views: number): Promise<void> {
  const instant = Date.now().toString(16).padStart(12, "0");
  await run(
    `with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2)
      insert into audit_logs (id, user_id, action, entity_type, entity_id, actor_id, by_staff, created_at)
      select printf('%s-%s-7000-8%03d-%s', substr(?3, 1, 8), substr(?3, 9), value, ?4), 'somebody', 'VIEW', 'user', 'x', ?1, 1, ?5
      from n`,
    userId,
    views,
    instant,
    crypto.randomUUID().slice(-12),
    Date.now(),
  );
}

/** A user with an e-mail address, a phone number and a whole profile. */
async function wholePerson(): Promise<SignedIn> {
  const user = await newUser();
  await run(
    'update users set email = ?, social_profile_data = \'{"name":"Canary Claim"}\' where id = ?',
    newEmail().replace("person", "canary"),
    user.userId,
  );
  const json = { full_name: "Sita Shrestha", date_of_birth: "1994-05-12", address: "Canary Street 7" };
  await call("PATCH", "/api/users/profile", { token: user.access, json });
  return user;
}

describe("a masked user detail", () => {
  test("leaves out identifying fields, lists them in `hidden`, and is recorded as a view (ASVS 14.2.6)", async () => {
    const [staff, user] = [await newStaff(), await wholePerson()];
    const { body } = await view(staff, user, "?mask=true");
    expect(body.data).toMatchObject({
      email: null,
      phone_number: null,
      social_profile_data: null,
      profile: { full_name: "Sita Shrestha", date_of_birth: null, address: null },
      hidden: ["email", "phone_number", "social_profile_data", "date_of_birth", "address"],
    });
    const text = JSON.stringify(body);
    for (const secret of [user.identifier, user.identifier.slice(4), "canary", "Canary", "1994-05-12"]) {
      expect(text).not.toContain(secret);
    }
    expect(await auditOf(user.userId, "VIEW")).toMatchObject([{ entity_type: "user", actor_id: staff.userId }]);
    expect((await view(staff, user)).body.data).not.toHaveProperty("hidden");
  });

  test("lists in `hidden` only fields that have a value", async () => {
    const [staff, user] = [await newStaff(), await person(newEmail())];
    await run("delete from profiles where user_id = ?", user.userId);
    expect((await view(staff, user, "?mask=true")).body.data).toMatchObject({ profile: null, hidden: ["email"] });
  });
});

describe("POST users/{id}/reveal", () => {
  test("shows the fields that were asked for, and records their names", async () => {
    const [staff, user] = [await newStaff(), await wholePerson()];
    const { status, body } = await reveal(staff, user, ["phone_number", "address", "address"]);
    expect([status, body.data]).toEqual([200, { phone_number: user.identifier, address: "Canary Street 7" }]);
    clock.advance(1);
    const rest = await reveal(staff, user, ["email", "social_profile_data", "date_of_birth"]);
    expect(rest.body.data).toEqual({
      email: expect.stringContaining("canary"),
      social_profile_data: { name: "Canary Claim" },
      date_of_birth: "1994-05-12",
    });
    const views = await auditOf(user.userId, "VIEW");
    expect(views.map((each) => [each.entity_type, JSON.parse(each.new_values), each.by_staff])).toEqual([
      ["user_field", { fields: ["phone_number", "address"] }, 1],
      ["user_field", { fields: ["email", "social_profile_data", "date_of_birth"] }, 1],
    ]);
  });

  test("accepts the names with commas, as a form sends them", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    const form = { fields: "email, phone_number" };
    const answer = await documented("POST", `${USERS}/${user.userId}/reveal`, { token: staff.access, form });
    expect(answer.body.data).toEqual({ email: null, phone_number: user.identifier });
  });

  test.each([[[]], [["password"]], [undefined], [["email", "role"]], ["NOPE"], [{ a: 1 }]])(
    "refuses %j and records nothing",
    async (fields) => {
      const [staff, user] = [await newStaff(), await newUser()];
      expect(codeOf(await reveal(staff, user, fields))).toEqual([400, "validation_error"]);
      expect(await auditOf(user.userId, "VIEW")).toEqual([]);
    },
  );

  test("answers 404 for an unknown user", async () => {
    const staff = await newStaff();
    const nobody = { userId: crypto.randomUUID() } as SignedIn;
    expect(codeOf(await reveal(staff, nobody, ["email"]))).toEqual([404, "not_found"]);
  });
});

describe("the limit of views (ASVS 2.4.1)", () => {
  test("permits the 600th view within an hour and refuses the next, whatever is looked at", async () => {
    const [staff, colleague, user] = [await newStaff(), await newStaff(), await wholePerson()];
    await submit(user);
    const { data } = (await view(staff, user)).body;
    const link = pathOf(data.kyc.document_front_url);
    await insertViews(staff, LIMIT - 2);
    const lines = recordLog();
    expect((await reveal(staff, user, ["email"])).status).toBe(200);
    expect(await count("from audit_logs where actor_id = ? and action = 'VIEW'", staff.userId)).toBe(LIMIT);
    const refused = [
      await view(staff, user),
      await view(staff, user, "?mask=true"),
      await reveal(staff, user, ["phone_number"]),
      await call("GET", link),
    ];
    for (const answer of refused) {
      expect(codeOf(answer)).toEqual([429, "rate_limit_exceeded"]);
      expect(answer.headers.get("retry-after")).toBe(String(HOUR / 1000));
      expect(JSON.stringify(answer.body)).not.toContain(user.identifier);
    }
    expect(await count("from audit_logs where actor_id = ? and action = 'VIEW'", staff.userId)).toBe(LIMIT);
    expect(lines.filter(({ event }) => event === "staff_views_limit")).toHaveLength(refused.length);
    // Others, the owner, and what shows no person are not affected.
    expect((await view(colleague, user)).status).toBe(200);
    const own = await documented("GET", "/api/users/kyc", { token: user.access });
    expect((await call("GET", pathOf(own.body.data.document_front_url))).status).toBe(200);
    expect((await documented("GET", `${USERS}?expand=summary`, { token: staff.access })).status).toBe(200);
    expect((await documented("GET", `${USERS}/${crypto.randomUUID()}`, { token: staff.access })).status).toBe(404);
    clock.advance(HOUR - 1);
    const later = await logIn(staff.identifier);
    expect((await view(later, user)).status).toBe(429);
    clock.advance(1);
    expect((await view(later, user)).status).toBe(200);
  });

  test("is kept when a hundred views arrive at once", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await insertViews(staff, LIMIT - 3);
    const answers = await Promise.all(Array.from({ length: 100 }, () => view(staff, user)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(97);
  });

  test("does not count changes that staff make", async () => {
    const [staff, user] = [await newStaff(), await newUser()];
    await insertViews(staff, LIMIT - 1);
    await documented("POST", `${USERS}/${user.userId}/notes`, { token: staff.access, json: { text: "called" } });
    expect((await view(staff, user)).status).toBe(200);
  });
});
