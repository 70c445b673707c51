import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, call, newEmail, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, countOf, rows, run } from "../../support/database.ts";
import {
  dispute,
  freshToken,
  getIdentity,
  prove,
  putIdentifier,
  removeIdentifier,
  setIdentifier,
  signInAgain,
} from "../../support/identity-calls.ts";
import { promote } from "../../support/kyc.ts";
import { fakeProviders, newPerson, type Providers } from "../../support/openid.ts";
import { me } from "../../support/session-calls.ts";
import { newAdmin } from "../../support/staff.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";
import { findTraces } from "../../support/traces.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

let tasks: ReturnType<typeof heldTasks>;
let providers: Providers;
let env: Partial<Env>;
const clock = useClock();
beforeEach(() => {
  tasks = heldTasks();
  providers = fakeProviders();
  env = { ...providers.env, ...tasks.env };
});
afterEach(() => void vi.restoreAllMocks());

const newUser = (identifier = newPhone()) => signUp(identifier, { ip: newIp(), env });
const stateOf = async (user: SignedIn) =>
  (
    await rows(
      "select email, email_verified, phone_number, phone_verified, status, status_reason from users where id = ?",
      user.userId,
    )
  )[0];

/** What a provider said about the person, as staff and the owner's export see it. */
const claimsOf = async (user: SignedIn) => {
  const [found] = await rows<{ claims: string | null }>(
    "select social_profile_data as claims from users where id = ?",
    user.userId,
  );
  return JSON.parse(found?.claims ?? "null");
};

/** Somebody who phished a code of the owner's number replaces the number; the owner still has the SIM. */
async function phished() {
  const owner = await newUser();
  const thief = await signInAgain(owner.identifier, { env });
  const theirs = newPhone();
  expect((await setIdentifier(thief.access, newEmail(), { env })).status).toBe(200);
  expect((await setIdentifier(thief.access, theirs, { env })).status).toBe(200);
  expect((await me(owner.access, { env })).status).toBe(401);
  return { owner, thief, theirs };
}

describe("POST auth/identity/dispute", () => {
  it("restores the account and removes what was added since if the identifier itself proved the change", async () => {
    const { owner, thief, theirs } = await phished();
    const link = await providers.nativeSignIn("apple", newPerson("apple"));
    expect((await call("POST", "/api/auth/apple/link", { env, token: thief.access, json: link })).status).toBe(200);
    await run(
      `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
        created_at) values (?1, ?1, ?1, '', 0, 'a', 1, 1, ?2)`,
      owner.userId,
      Date.now(),
    );
    tasks.take(owner.userId);
    const answer = await dispute(owner.identifier, { env });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toEqual({ outcome: "RESTORED", message: expect.any(String) });
    expect(await stateOf(owner)).toEqual({
      email: null,
      email_verified: 0,
      phone_number: owner.identifier,
      phone_verified: 1,
      status: "ACTIVE",
      status_reason: null,
    });
    expect((await me(thief.access, { env })).status).toBe(401);
    for (const table of ["social_accounts", "passkeys"]) expect(await countOf(table, owner.userId)).toBe(0);
    expect(await count("from familiar_networks where identifier = ?", theirs)).toBe(0);
    const events = tasks.take(owner.userId);
    expect(events.map(({ type }) => type).sort()).toEqual([
      ...["auth.identity_restored", "security.message_due", "social.revocation_due", "user.updated"],
    ]);
    await runTasks(
      events.filter(({ type }) => type !== "social.revocation_due"),
      env,
    );
    expect(await countOf("notifications", owner.userId, "notification_type = 'IDENTITY_RESTORED'")).toBe(1);
    const told = "from local_outbox where code is null and text like '%undone%' and recipient = ?";
    expect(await count(told, owner.identifier)).toBe(1);
    const [audit] = await rows(
      "select old_values, new_values from audit_logs where user_id = ? and new_values ->> 'outcome' is not null",
      owner.userId,
    );
    expect(audit).toMatchObject({
      new_values: JSON.stringify({ outcome: "RESTORED", email: null, phone_number: owner.identifier }),
    });
    expect((await signInAgain(owner.identifier, { env })).userId).toBe(owner.userId);
    // The thief's number is free again and cannot undo the undoing.
    expect(refusal(await dispute(theirs, { env }))).toEqual([404, "not_found"]);
    clock.advance(2 * MINUTE);
    expect((await signUp(theirs, { ip: newIp(), env })).userId).not.toBe(owner.userId);
  });

  it.each(["google", "apple"] as const)("removes the claims of %s if a thief linked it", async (name) => {
    const { owner, thief } = await phished();
    const link = await providers.nativeSignIn(name, newPerson(name));
    expect((await call("POST", `/api/auth/${name}/link`, { env, token: thief.access, json: link })).status).toBe(200);
    expect(await claimsOf(owner)).toMatchObject({ provider: name });
    expect((await dispute(owner.identifier, { env })).body.data.outcome).toBe("RESTORED");
    expect(await claimsOf(owner)).toBeNull();
  });

  it("keeps the claims of a provider that the owner linked before the first change", async () => {
    const owner = await newUser();
    const link = await providers.nativeSignIn("google", newPerson("google"));
    expect((await call("POST", "/api/auth/google/link", { env, token: owner.access, json: link })).status).toBe(200);
    const claims = await claimsOf(owner);
    clock.advance(2 * MINUTE);
    const thief = await signInAgain(owner.identifier, { env });
    expect((await setIdentifier(thief.access, newPhone(), { env })).status).toBe(200);
    const own = await providers.nativeSignIn("apple", newPerson("apple"));
    expect((await call("POST", "/api/auth/apple/link", { env, token: thief.access, json: own })).status).toBe(200);
    await run("update users set social_profile_data = ? where id = ?", JSON.stringify(claims), owner.userId);
    expect((await dispute(owner.identifier, { env })).body.data.outcome).toBe("RESTORED");
    expect(await claimsOf(owner)).toEqual(claims);
  });

  it("restores the first number of a chain, whoever disputes", async () => {
    const { owner, thief, theirs } = await phished();
    expect((await prove(thief.access, await freshToken(theirs, { env }), { env })).status).toBe(200);
    expect((await setIdentifier(thief.access, newPhone(), { env })).status).toBe(200);
    expect((await dispute(theirs, { env })).body.data.outcome).toBe("RESTORED");
    expect(await stateOf(owner)).toMatchObject({ phone_number: owner.identifier, email: null });
  });

  it("only holds the account if something else proved the change: the SIM may have been stolen", async () => {
    const email = newEmail();
    const owner = await newUser(email);
    const stolen = newPhone();
    expect((await setIdentifier(owner.access, stolen, { env })).status).toBe(200);
    const phone = newPhone();
    expect((await setIdentifier(owner.access, phone, { env })).status).toBe(200);
    tasks.take(owner.userId);
    const answer = await dispute(stolen, { env });
    expect([answer.status, answer.body.data?.outcome]).toEqual([200, "HELD"]);
    expect(await stateOf(owner)).toMatchObject({
      email,
      phone_number: phone,
      status: "INACTIVE",
      status_reason: "disputed",
    });
    expect((await me(owner.access, { env })).status).toBe(401);
    const login = { identifier: email, verification_token: await freshToken(email, { env }) };
    expect(refusal(await call("POST", "/api/auth/login", { json: login }))).toEqual([403, "account_inactive"]);
    expect(refusal(await dispute(stolen, { env }))).toEqual([403, "account_inactive"]);
    const events = tasks.take(owner.userId);
    await runTasks(events, env);
    expect(await countOf("notifications", owner.userId, "notification_type = 'IDENTITY_HELD'")).toBe(1);
    const told = "from local_outbox where code is null and text like '%locked%' and recipient = ?";
    expect([await count(told, email), await count(told, phone), await count(told, stolen)]).toEqual([1, 1, 0]);
    // Staff decide; then the owner signs in and nobody holds the account again.
    const admin = await newAdmin();
    await call("POST", `/api/users/${owner.userId}/status`, {
      token: admin.access,
      json: { status: "ACTIVE", reason: "Showed the document" },
    });
    expect((await signInAgain(email, { env })).userId).toBe(owner.userId);
    expect(refusal(await dispute(stolen, { env }))).toEqual([404, "not_found"]);
  });

  it("gives the same answer to the same call for 180 seconds", async () => {
    const { owner } = await phished();
    const json = { identifier: owner.identifier, verification_token: await freshToken(owner.identifier, { env }) };
    const send = () => call("POST", "/api/auth/identity/dispute", { json });
    const first = await send();
    clock.advance(179_000);
    const again = await send();
    expect([again.status, again.body.data]).toEqual([200, first.body.data]);
    clock.advance(1_000);
    expect(refusal(await send())).toEqual([400, "invalid_token"]);
    expect(await countOf("audit_logs", owner.userId, "new_values ->> 'outcome' is not null")).toBe(1);
  });

  it("is possible for 7 days, and the identifier belongs to nobody else meanwhile", async () => {
    const { owner } = await phished();
    clock.advance(7 * DAY - 100);
    const json = { identifier: owner.identifier, verification_token: await freshToken(owner.identifier, { env }) };
    const codes = [
      await call("POST", "/api/auth/register", { ip: newIp(), json }),
      await call("POST", "/api/auth/login", { ip: newIp(), json }),
    ];
    expect(codes.map(refusal)).toEqual(codes.map(() => [409, "identifier_replaced"]));
    const other = await newUser();
    expect(refusal(await putIdentifier(other.access, owner.identifier, json.verification_token, { env }))).toEqual([
      409,
      "identifier_replaced",
    ]);
    const admin = await newAdmin();
    const { access: token } = admin;
    const reason = "Asked by phone";
    const phone_number = owner.identifier;
    const staff = [
      await call("POST", "/api/users", { token, json: { identifier: phone_number } }),
      await call("PATCH", `/api/users/${other.userId}`, { token, json: { phone_number, reason } }),
    ];
    expect(staff.map(refusal)).toEqual(staff.map(() => [409, "identifier_replaced"]));
    clock.advance(100);
    const dispute = await call("POST", "/api/auth/identity/dispute", { json });
    expect(refusal(dispute)).toEqual([404, "not_found"]);
    expect((await call("POST", "/api/auth/register", { ip: newIp(), json })).status).toBe(201);
  });

  it("reserves an address against a provider's sign-up too", async () => {
    const email = `${newPhone().slice(1)}@gmail.com`;
    const owner = await newUser(email);
    expect((await setIdentifier(owner.access, newEmail(), { env })).status).toBe(200);
    const json = await providers.nativeSignIn("google", newPerson("google", { email }));
    expect(refusal(await call("POST", "/api/auth/google/token", { ip: newIp(), env, json }))).toEqual([
      409,
      "identifier_replaced",
    ]);
  });

  it("lets the account itself take its identifier back", async () => {
    const owner = await newUser();
    expect((await setIdentifier(owner.access, newPhone(), { env })).status).toBe(200);
    expect((await setIdentifier(owner.access, owner.identifier, { env })).status).toBe(200);
    expect(refusal(await dispute(owner.identifier, { env }))).toEqual([404, "not_found"]);
  });

  it("is for users only, and not once staff have changed the identifiers", async () => {
    const staff = await newUser();
    const email = newEmail();
    await setIdentifier(staff.access, email, { env });
    await setIdentifier(staff.access, newEmail(), { env });
    await promote(staff, "admin");
    expect(refusal(await dispute(email, { env }))).toEqual([404, "not_found"]);
    const { owner } = await phished();
    const admin = await newAdmin();
    const json = { phone_number: newPhone(), reason: "Showed the document" };
    expect((await call("PATCH", `/api/users/${owner.userId}`, { token: admin.access, json })).status).toBe(200);
    expect(refusal(await dispute(owner.identifier, { env }))).toEqual([404, "not_found"]);
  });

  it("refuses a closed account and a token that is not live, without any effect", async () => {
    const { owner } = await phished();
    const json = { identifier: owner.identifier, verification_token: "x".repeat(90) };
    expect(refusal(await call("POST", "/api/auth/identity/dispute", { json }))).toEqual([400, "invalid_token"]);
    await run("update users set status = 'BANNED', status_reason = 'staff' where id = ?", owner.userId);
    expect(refusal(await dispute(owner.identifier, { env }))).toEqual([403, "account_inactive"]);
    expect(await stateOf(owner)).toMatchObject({ status: "BANNED" });
  });

  it("keeps the disputed identifier if the account would have no way to sign in", async () => {
    const person = newPerson("google", { email: newEmail() });
    const json = await providers.nativeSignIn("google", person);
    const google = (await call("POST", "/api/auth/google/token", { ip: newIp(), env, json })).body.data;
    const phone = newPhone();
    expect((await setIdentifier(google.access_token, phone, { env })).status).toBe(200);
    const unlinked = await call("DELETE", "/api/auth/google/link", { env, token: google.access_token, json: {} });
    expect(unlinked.status).toBe(200);
    clock.advance(DAY);
    const thief = await signInAgain(phone, { env });
    expect((await setIdentifier(thief.access, newPhone(), { env })).status).toBe(200);
    expect((await dispute(phone, { env })).body.data.outcome).toBe("RESTORED");
    expect((await signInAgain(phone, { env })).userId).toBe(google.user_id);
  });
});

describe("an identifier that its user replaced", () => {
  it("earns no second bonus, and the deletion of the account frees and forgets it", async () => {
    const user = await newUser();
    const phone = newPhone();
    expect((await setIdentifier(user.access, phone, { env })).status).toBe(200);
    const deleted = await call("DELETE", "/api/auth/account", { token: user.access, env, json: {} });
    expect(deleted.status).toBe(200);
    const events = tasks.take(user.userId, "account.deleted");
    await runTasks(events, env);
    const left = (await findTraces([user.identifier, phone])).filter(({ where }) => where !== "KV");
    expect(left).toEqual([]);
    clock.advance(2 * MINUTE);
    const again = await newUser(user.identifier);
    expect(again.userId).not.toBe(user.userId);
    const points = await rows("select current_points from points where user_id = ?", again.userId);
    expect(points).toEqual([{ current_points: 0 }]);
  });

  it("is recorded by the task of the change, so that it earns no bonus once its reservation ends", async () => {
    const user = await newUser();
    expect((await setIdentifier(user.access, newPhone(), { env })).status).toBe(200);
    await runTasks(tasks.take(user.userId, "user.identifier_changed"), env);
    clock.advance(7 * DAY);
    const again = await newUser(user.identifier);
    const points = await rows("select current_points from points where user_id = ?", again.userId);
    expect(points).toEqual([{ current_points: 0 }]);
    expect((await getIdentity(again.access, { env })).body.data.phone_number).toBe(user.identifier);
    expect(refusal(await removeIdentifier(again.access, "phone", { env }))).toEqual([409, "last_sign_in_method"]);
  });
});
