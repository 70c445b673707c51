import { drizzle } from "drizzle-orm/d1";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { inline } from "../../scripts/inline.ts";
import { enrolStaff } from "../../src/staff/access/passkey-reset.store.ts";
import { roleGrant, selectStaff } from "../../src/staff/access/role-grant.store.ts";
import { Authenticator } from "../support/authenticator.ts";
import { type CallOptions, call, logIn, newEmail, newIp, newPhone, type SignedIn, testEnv } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { rows, run } from "../support/database.ts";
import { newId } from "../support/ids.ts";
import { documented, newUser, promote, submit } from "../support/kyc.ts";
import { addPasskey, expectError, ownOptions, proveBy, register, signInBy } from "../support/passkeys.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { me } from "../support/session-calls.ts";
import { auditOf, eventsOf } from "../support/staff.ts";

beforeAll(keepSentEvents);

afterEach(() => {
  vi.useRealTimers();
});

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const env = { STAFF_PASSKEYS: "required" } as unknown as Partial<Env>;
const USERS = "/api/users";
const reason = "asked by phone";
const required = (method: string, path: string, { access }: SignedIn, json?: unknown) =>
  documented(method, path, { token: access, env, ip: newIp(), ...(json ? { json } : {}) });

/** A member of staff who signed in with a code, with a passkey. */
async function newMember(role: "staff" | "admin" = "staff") {
  const person = await newUser();
  const { authenticator, passkey } = await addPasskey(person);
  await promote(person, role);
  return { person, authenticator, passkey };
}

/** A member of staff in a session that their passkey opened. */
async function newProved(role: "staff" | "admin" = "staff") {
  const member = await newMember(role);
  return { ...member, session: await signInBy(member.authenticator, { env }) };
}

const identity = async (person: SignedIn) => (await required("GET", "/api/auth/identity", person)).body.data;

describe("Where staff need a passkey, a role", () => {
  test("works in no session that a code opened, until the passkey proves it", async () => {
    const { person, authenticator } = await newMember();
    expectError(await required("GET", USERS, person), 403, "passkey_required");
    expect(await identity(person)).toMatchObject({ role: "staff", passkey_required: true });
    expect((await proveBy(person, authenticator, { env })).status).toBe(200);
    expect((await required("GET", USERS, person)).status).toBe(200);
    expect(await identity(person)).toMatchObject({ role: "staff", passkey_required: false });
  });

  test("works at once in a session that the passkey opened, and after its refresh", async () => {
    const { session } = await newProved();
    expect((await required("GET", USERS, session)).status).toBe(200);
    const { body } = await call("POST", "/api/auth/refresh", { json: { refresh: session.refresh }, env });
    expect((await required("GET", USERS, { ...session, access: body.access })).status).toBe(200);
  });

  test("is refused in a session that a code opened, even if another session used a passkey", async () => {
    const { person } = await newProved();
    expectError(await required("GET", USERS, person), 403, "passkey_required");
    expect((await call("GET", USERS, { token: person.access })).status).toBe(200);
  });

  test("opens another person's document by its link only while the session has a passkey", async () => {
    const [{ person, session }, applicant] = [await newProved(), await newUser()];
    const kyc = await submit(applicant);
    const queue = await required("GET", `${USERS}/kyc/submissions`, session);
    const own = queue.body.data.results.find(({ id }: { id: string }) => id === kyc.body.data.id);
    const link = new URL(own.document_front_url);
    const open = () => call("GET", link.pathname + link.search, { env });
    expect((await open()).status).toBe(200);
    await run("update sessions set passkey_at = null where user_id = ?", person.userId);
    expect((await open()).status).toBe(404);
  });

  test("is reported to other services as `user` until the passkey proves it", async () => {
    const { person, authenticator } = await newMember("admin");
    const { checkTokenForOthers } = await import("../../src/sessions/token-verifier.service.ts");
    const { buildDeps } = await import("../../src/build-deps.ts");
    const roleOf = async () => {
      const deps = await buildDeps({ ...testEnv, ...env }, { waitUntil: () => {} }, "");
      return checkTokenForOthers(deps, person.access);
    };
    expect(await roleOf()).toMatchObject({ valid: true, role: "user" });
    await proveBy(person, authenticator, { env });
    expect(await roleOf()).toMatchObject({ valid: true, role: "admin" });
  });

  test("changes nothing for users", async () => {
    const user = await newUser();
    expect(await identity(user)).toMatchObject({ role: "user", passkey_required: false });
    expectError(await required("GET", USERS, user), 403, "permission_denied");
  });
});

describe("Roles", () => {
  const give = (admin: SignedIn, { userId }: SignedIn, role: string) =>
    required("PUT", `${USERS}/${userId}/role`, admin, { role, reason });

  test("are given only to people who have a passkey", async () => {
    const [{ session: admin }, person] = [await newProved("admin"), await newUser()];
    const refused = await give(admin, person, "staff");
    expectError(refused, 409, "conflict");
    expect(refused.body.error.message).toContain("passkey");
    await addPasskey(person);
    expect((await give(admin, person, "staff")).status).toBe(200);
  });

  test("are changed only within ten minutes of a passkey", async () => {
    const { session: admin, person: owner, authenticator } = await newProved("admin");
    const person = await newUser();
    await addPasskey(person);
    await run("update sessions set passkey_at = passkey_at - ? where user_id = ?", 10 * MINUTE_MS, owner.userId);
    expect((await required("GET", USERS, admin)).status).toBe(200);
    expectError(await give(admin, person, "staff"), 403, "passkey_required");
    await proveBy(admin, authenticator, { env });
    expect((await give(admin, person, "staff")).status).toBe(200);
  });
});

describe("Identifiers of staff", () => {
  const change = (admin: SignedIn, { userId }: SignedIn, json: object, method = "PATCH") =>
    required(method, `${USERS}/${userId}`, admin, { reason, ...json });

  test.each(["PATCH", "PUT"])("are changed by %s only within ten minutes of a passkey", async (method) => {
    const { session: admin, person: owner, authenticator } = await newProved("admin");
    const [{ person: member }, user] = [await newMember(), await newUser()];
    await run("update sessions set passkey_at = passkey_at - ? where user_id = ?", 10 * MINUTE_MS, owner.userId);
    const identifiers = { email: newEmail() };
    expectError(await change(admin, member, identifiers, method), 403, "passkey_required");
    expectError(
      await change(admin, member, { phone_number: newPhone(), address: "Patan" }, method),
      403,
      "passkey_required",
    );
    expect(await auditOf(member.userId, "UPDATE")).toEqual([]);
    expect((await me(member.access)).status).toBe(200);
    // Fields that are no identifiers, and the identifiers of users, need no recent passkey.
    expect((await change(admin, member, { address: "Patan" }, method)).status).toBe(200);
    expect((await change(admin, user, { email: newEmail() }, method)).status).toBe(200);
    await proveBy(admin, authenticator, { env });
    expect((await change(admin, member, identifiers, method)).status).toBe(200);
  });

  test("are changed without one where staff need none", async () => {
    const [admin, { person: member }] = [await newUser(), await newMember()];
    await promote(admin, "admin");
    const json = { email: newEmail(), reason };
    expect((await call("PATCH", `${USERS}/${member.userId}`, { token: admin.access, json })).status).toBe(200);
  });
});

describe("Passkeys of staff", () => {
  const options = (person: SignedIn) =>
    call("POST", "/api/auth/passkeys/options", { token: person.access, env, json: { purpose: "REGISTER" } });

  test("are added only in a session that used an earlier one", async () => {
    const { person, authenticator } = await newMember();
    expectError(await options(person), 403, "passkey_required");
    await proveBy(person, authenticator, { env });
    expect((await options(person)).status).toBe(200);
    await addPasskey(person, { options: { env } });
  });

  test("are removed only in a session that used one, and the last one cannot be removed", async () => {
    const { session, passkey, authenticator, person } = await newProved();
    const { passkey: second } = await addPasskey(session, { options: { env } });
    const remove = (by: SignedIn, { id }: { id: string }) => required("DELETE", `/api/auth/passkeys/${id}`, by);
    expectError(await remove(person, second), 403, "passkey_required");
    expect((await remove(session, second)).status).toBe(200);
    expectError(await remove(session, passkey), 409, "last_sign_in_method");
    expect((await proveBy(session, authenticator, { env })).status).toBe(200);
  });
});

describe("A reset of passkeys", () => {
  const reset = (by: SignedIn, { userId }: SignedIn) =>
    required("POST", `${USERS}/${userId}/passkey-reset`, by, { reason });

  test("removes them, ends every session, and lets staff add one within 24 hours", async () => {
    const { session: admin, person: other } = await newProved("admin");
    const { person, session } = await newProved();
    stopClock();
    expect((await reset(admin, person)).status).toBe(200);
    expect([(await me(person.access)).status, (await me(session.access)).status]).toEqual([401, 401]);
    expect(await rows("select id from passkeys where user_id = ?", person.userId)).toEqual([]);
    expect(await eventsOf(person.userId, "auth.passkeys_reset")).toHaveLength(1);
    expect(await eventsOf(person.userId, "security.message_due")).toHaveLength(2);
    const told = await rows("select user_id from notifications where notification_type = 'STAFF_PASSKEYS_RESET'");
    expect(told).toContainEqual({ user_id: other.userId });
    const audit = (await auditOf(person.userId, "UPDATE")).at(-1);
    expect(JSON.parse(audit?.new_values ?? "{}")).toEqual({
      passkeys: 0,
      reason,
      enrolment_until: Date.now() + 24 * HOUR_MS,
    });
    const again = await logIn(person.identifier);
    expect((await identity(again)).enrolment_until).toBe(new Date(Date.now() + 24 * HOUR_MS).toISOString());
    const late = await (await Authenticator.create()).register(await ownOptions(again, "REGISTER", { env }));
    const { authenticator } = await addPasskey(again, { options: { env } });
    // The window allows one passkey.
    expectError(await register(again, late, { env }), 403, "passkey_required");
    expect((await identity(again)).enrolment_until).toBeNull();
    expectError(await required("GET", USERS, again), 403, "passkey_required");
    expect((await proveBy(again, authenticator, { env })).status).toBe(200);
    expect((await required("GET", USERS, again)).status).toBe(200);
  });

  test("lets a passkey be added until the window ends, and not after it", async () => {
    const [{ session: admin }, { person }] = [await newProved("admin"), await newMember()];
    await reset(admin, person);
    const again = await logIn(person.identifier);
    const credential = await (await Authenticator.create()).register(await ownOptions(again, "REGISTER", { env }));
    await run("update users set passkey_enrolment_until = ? where id = ?", Date.now(), person.userId);
    expectError(await register(again, credential, { env }), 403, "passkey_required");
    await run("update users set passkey_enrolment_until = ? where id = ?", Date.now() + MINUTE_MS, person.userId);
    expect((await register(again, credential, { env })).status).toBe(201);
  });

  test("lets only one of ten passkeys be added that are sent at once", async () => {
    const [{ session: admin }, { person }] = [await newProved("admin"), await newMember()];
    await reset(admin, person);
    const again = await logIn(person.identifier);
    const credentials = [];
    for (let i = 0; i < 10; i++)
      credentials.push(await (await Authenticator.create()).register(await ownOptions(again, "REGISTER", { env })));
    const answers = await Promise.all(credentials.map((credential) => register(again, credential, { env })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await rows("select id from passkeys where user_id = ?", person.userId)).toHaveLength(1);
  });

  test("of staff is for admins who used a passkey within ten minutes, of users for staff; nobody resets their own", async () => {
    const { session: staff } = await newProved();
    const { session: admin, person: owner } = await newProved("admin");
    const { person: colleague } = await newMember();
    const user = await newUser();
    await addPasskey(user);
    expectError(await reset(staff, colleague), 403, "permission_denied");
    expectError(await reset(admin, admin), 403, "permission_denied");
    expect((await reset(staff, user)).status).toBe(200);
    expect(await rows("select passkey_enrolment_until as until from users where id = ?", user.userId)).toEqual([
      { until: null },
    ]);
    await run("update sessions set passkey_at = passkey_at - ? where user_id = ?", 10 * MINUTE_MS, owner.userId);
    expectError(await reset(admin, colleague), 403, "passkey_required");
    expect(await rows("select id from passkeys where user_id = ?", colleague.userId)).toHaveLength(1);
    const nobody = { userId: crypto.randomUUID() } as SignedIn;
    expectError(await reset(staff, nobody), 404, "not_found");
  });
});

describe("npm run staff", () => {
  const deps = () => ({
    db: drizzle({} as D1Database),
    now: () => Date.now(),
    newId,
    invocationId: crypto.randomUUID(),
    log: undefined as never,
    config: { requiresStaffPasskeys: true } as never,
  });
  const runAll = async (statements: Record<string, { toSQL(): Parameters<typeof inline>[0] }>) => {
    const texts = Object.values(statements).map((statement) => testEnv.DB.prepare(inline(statement.toSQL())));
    return (await testEnv.DB.batch<Record<string, unknown>>(texts)).at(-1)?.results[0];
  };
  const phone = ({ identifier: value }: SignedIn) => ({ kind: "phone" as const, value });

  test("enrol opens a window of an hour for staff, and for nobody else", async () => {
    const { person } = await newProved();
    stopClock();
    expect(await runAll(enrolStaff(deps(), phone(person)))).toMatchObject({ is_changed: 1, role: "staff" });
    expect((await me(person.access)).status).toBe(401);
    expect(await rows("select passkey_enrolment_until as until from users where id = ?", person.userId)).toEqual([
      { until: Date.now() + HOUR_MS },
    ]);
    expect(await rows("select id from passkeys where user_id = ?", person.userId)).toEqual([]);
    const user = await newUser();
    expect(await runAll(enrolStaff(deps(), phone(user)))).toMatchObject({ is_changed: 0, role: "user" });
    expect((await me(user.access)).status).toBe(200);
  });

  test("grant needs a passkey, and list shows how many there are", async () => {
    const person = await newUser();
    expect(await runAll(roleGrant(deps(), phone(person), "admin"))).toMatchObject({ is_changed: 0, has_no_passkey: 1 });
    await addPasskey(person);
    expect(await runAll(roleGrant(deps(), phone(person), "admin"))).toMatchObject({ is_changed: 1, role: "admin" });
    const { results } = await testEnv.DB.prepare(inline(selectStaff(deps()).toSQL())).all<Record<string, unknown>>();
    expect(results.find(({ id }) => id === person.userId)).toMatchObject({ passkeys: 1, role: "admin" });
  });
});

test("where passkeys are optional, a code is enough for staff", async () => {
  const { person } = await newMember("admin");
  const optional: CallOptions = { token: person.access, ip: newIp() };
  expect((await call("GET", USERS, optional)).status).toBe(200);
  const user = await newUser();
  const json = { role: "staff", reason };
  expect((await call("PUT", `${USERS}/${user.userId}/role`, { ...optional, json })).status).toBe(200);
});
