import { drizzle } from "drizzle-orm/d1";
import { describe, expect, it } from "vitest";
import { inline } from "../../../scripts/inline.ts";
import { roleGrant, selectStaff } from "../../../src/staff/access/role-grant.store.ts";
import type { Identifier } from "../../../src/users/identifier.ts";
import { call, newEmail, newPhone, type SignedIn, signUp, testEnv } from "../../support/client.ts";
import { rows } from "../../support/database.ts";
import { newId } from "../../support/ids.ts";

const phone = (value: string): Identifier => ({ kind: "phone", value });

/** Runs the statements of the command as text in one transaction and returns the row that decides its output. */
async function grant(identifier: Identifier, role: "user" | "staff" | "admin") {
  const deps = {
    db: drizzle({} as D1Database),
    now: () => Date.now(),
    newId,
    invocationId: crypto.randomUUID(),
    log: undefined as never,
    config: { requiresStaffPasskeys: false } as never,
  };
  const texts = Object.values(roleGrant(deps, identifier, role)).map((statement) => inline(statement.toSQL()));
  const results = await testEnv.DB.batch<Record<string, unknown>>(texts.map((text) => testEnv.DB.prepare(text)));
  return results.at(-1)?.results[0];
}

const roleOf = async ({ userId }: SignedIn) =>
  (await rows<{ role: string }>("select role from users where id = ?", userId))[0]?.role;
const listUsers = ({ access }: SignedIn) => call("GET", "/api/users?page_size=1", { token: access });

describe("npm run staff", () => {
  it("makes a user an admin, ends their sessions, and writes an audit row and an event", async () => {
    const user = await signUp();
    expect(await grant(phone(user.identifier), "admin")).toMatchObject({
      id: user.userId,
      role: "admin",
      is_changed: 1,
    });
    expect((await listUsers(user)).status, "the session has ended").toBe(401);
    const audit = await rows(
      "select entity_type, old_values, new_values, actor_id, by_staff from audit_logs where user_id = ? and by_staff = 1 order by entity_type desc",
      user.userId,
    );
    expect(audit).toMatchObject([
      {
        entity_type: "user",
        old_values: '{"role":"user"}',
        new_values: '{"role":"admin","reason":"by command"}',
        actor_id: null,
      },
      { entity_type: "session", new_values: '{"reason":"role_changed"}', actor_id: null },
    ]);
    const events = await rows("select type, queue from outbox where user_id = ? order by type", user.userId);
    expect(events).toMatchObject([{ type: "user.updated", queue: "tasks" }]);
    expect(await grant(phone(user.identifier), "admin"), "once more").toMatchObject({ role: "admin", is_changed: 0 });
    const staff = await testEnv.DB.prepare(inline(selectStaff({ db: drizzle({} as D1Database) }).toSQL())).all();
    expect(staff.results).toContainEqual(expect.objectContaining({ id: user.userId, role: "admin" }));
  });

  it("reports an unknown identifier, even if it contains quotes", async () => {
    expect(await grant(phone(newPhone()), "admin")).toBeUndefined();
    expect(await grant({ kind: "email", value: "o'neil'; drop table users; --@example.com" }, "admin")).toBeUndefined();
  });

  it("refuses an account without a verified identifier", async () => {
    const [user, email] = [await signUp(), newEmail()];
    await rows("update users set phone_number = null, phone_verified = 0, email = ? where id = ?", email, user.userId);
    expect(await grant({ kind: "email", value: email }, "staff")).toMatchObject({ is_changed: 0, is_unproved: 1 });
    expect(await roleOf(user)).toBe("user");
  });

  it("refuses an account that has signed in with a test identifier", async () => {
    const [identifier, code] = [newPhone(), "424242"];
    const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const env = { TEST_IDENTIFIERS: JSON.stringify([{ identifier, code, until }]) } as Partial<Env>;
    await call("POST", "/api/auth/otp/request", { json: { identifier }, env });
    const proof = await call("POST", "/api/auth/otp/verify", { json: { identifier, otp: code }, env });
    const json = { identifier, verification_token: proof.body.data.verification_token };
    expect((await call("POST", "/api/auth/register", { json, env })).status).toBe(201);
    expect(await grant(phone(identifier), "admin")).toMatchObject({
      is_changed: 0,
      is_test_identifier: 1,
      role: "user",
    });
  });

  it("refuses to revoke the last admin", async () => {
    const user = await signUp();
    await rows("update users set role = 'staff' where role = 'admin'");
    await grant(phone(user.identifier), "admin");
    expect(await grant(phone(user.identifier), "user")).toMatchObject({
      is_changed: 0,
      is_last_admin: 1,
      role: "admin",
    });
    const other = await signUp();
    await grant(phone(other.identifier), "admin");
    expect(await grant(phone(user.identifier), "user")).toMatchObject({ is_changed: 1, role: "user" });
    await rows("update users set role = 'user' where id = ?", other.userId);
  });
});
