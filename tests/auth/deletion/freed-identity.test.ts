import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call, newEmail, newIp, newPhone, type SignedIn, signUp, testEnv, verify } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { fakeProviders, type Name, names, newPerson, type Person } from "../../support/openid.ts";
import { deliver, newEvent } from "../../support/platform.ts";
import { newAdmin } from "../../support/staff.ts";

const clock = useClock();
let providers: ReturnType<typeof fakeProviders>;
let env: Partial<Env>;
beforeEach(() => {
  providers = fakeProviders();
  // The issuer of the other calls of these tests, so that each accepts the tokens of the others.
  env = { ...providers.env, ISSUER: testEnv.ISSUER, ENVIRONMENT: testEnv.ENVIRONMENT };
});
afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;
const reason = "asked by phone";
type Account = Pick<SignedIn, "userId" | "access">;

async function expectStatus(status: number, ...request: Parameters<typeof call>) {
  const answer = await call(...request);
  expect(answer.status, JSON.stringify(answer.body)).toBe(status);
  return answer;
}

const remove = (token: string) => expectStatus(200, "DELETE", "/api/auth/account", { token, json: {} });

/** Registers, or signs in if the identifier has an account. */
async function enter(identifier: string, act: "register" | "login", json: object = {}): Promise<Account> {
  clock.advance(2 * MINUTE);
  const options = { ip: newIp() };
  const verification_token = await verify(identifier, options);
  const answer = await expectStatus(act === "register" ? 201 : 200, "POST", `/api/auth/${act}`, {
    ...options,
    json: { identifier, verification_token, ...json },
  });
  return { userId: answer.body.data.user_id, access: answer.body.data.access_token };
}

async function signInBy(name: Name, person: Person): Promise<Account> {
  const json = await providers.nativeSignIn(name, person);
  const answer = await expectStatus(200, "POST", `/api/auth/${name}/token`, { ip: newIp(), env, json });
  return { userId: answer.body.data.user_id, access: answer.body.data.access_token };
}

async function link(name: Name, token: string, person: Person): Promise<void> {
  const json = await providers.nativeSignIn(name, person);
  await expectStatus(200, "POST", `/api/auth/${name}/link`, { env, token, json });
}

const unlink = (name: Name, token: string) => call("DELETE", `/api/auth/${name}/link`, { env, token, json: {} });

/** Changes fields of a user; null clears one. */
async function change(admin: SignedIn, userId: string, json: object): Promise<void> {
  await expectStatus(200, "PUT", `/api/users/${userId}`, { token: admin.access, json: { reason, ...json } });
}

async function pointsOf({ userId }: Pick<Account, "userId">): Promise<number | undefined> {
  const [row] = await rows<{ current_points: number }>("select current_points from points where user_id = ?", userId);
  return row?.current_points;
}

describe.each(names)("A %s account that was unlinked", (name) => {
  it("earns no signup bonus again after the account was deleted", async () => {
    const user = await signUp();
    const person = newPerson(name);
    await link(name, user.access, person);
    expect((await unlink(name, user.access)).status).toBe(200);
    await remove(user.access);
    expect(await pointsOf(await signInBy(name, person))).toBe(0);
    expect(await pointsOf(await signInBy(name, newPerson(name))), "a neighbour").toBe(50);
  });

  it("earns no second bonus through a new account while the first account exists and keeps its own", async () => {
    const user = await signUp();
    const person = newPerson(name);
    await link(name, user.access, person);
    expect((await unlink(name, user.access)).status).toBe(200);
    const second = await signInBy(name, person);
    expect(second.userId).not.toBe(user.userId);
    expect([await pointsOf(second), await pointsOf(user)]).toEqual([0, 50]);
  });

  it("can be linked again to the same account, which keeps its points", async () => {
    const user = await signUp();
    const person = newPerson(name);
    for (let round = 0; round < 2; round++) {
      await link(name, user.access, person);
      expect((await unlink(name, user.access)).status).toBe(200);
    }
    await link(name, user.access, person);
    expect((await signInBy(name, person)).userId).toBe(user.userId);
    expect(await pointsOf(user)).toBe(50);
  });

  it("is remembered only if the unlinking took effect", async () => {
    const person = { ...newPerson(name), email_verified: false };
    const user = await signInBy(name, person);
    const [before] = await rows("select count(*) as n from former_identities");
    const refused = await unlink(name, user.access);
    expect([refused.status, refused.body.error.code]).toEqual([409, "last_sign_in_method"]);
    expect((await unlink(name === "google" ? "apple" : "google", user.access)).status).toBe(404);
    expect(await rows("select count(*) as n from former_identities")).toEqual([before]);
    expect(await rows("select identity_hash from social_accounts where user_id = ?", user.userId)).toHaveLength(1);
  });

  it("is remembered whether unlinking or deleting the account comes first", async () => {
    for (let round = 0; round < 4; round++) {
      const user = await signUp();
      const person = newPerson(name);
      await link(name, user.access, person);
      const calls = [
        () => unlink(name, user.access),
        () => call("DELETE", "/api/auth/account", { token: user.access, json: {} }),
      ];
      const [first, second] = round % 2 === 0 ? calls : calls.reverse();
      const statuses = (await Promise.all([first?.(), second?.()])).map((answer) => answer?.status);
      expect(statuses).toContain(200);
      expect(await pointsOf(await signInBy(name, person))).toBe(0);
    }
  });
});

describe("An identifier that staff replaced or removed", () => {
  it.each([
    ["e-mail address", newEmail, "email"],
    ["phone number", newPhone, "phone_number"],
  ] as const)("that was a verified %s earns no second bonus, even after a deletion", async (_, newOne, field) => {
    const [admin, freed, next] = [await newAdmin(), newOne(), newOne()];
    const user = await enter(freed, "register");
    await change(admin, user.userId, { [field]: next });
    const second = await enter(freed, "register");
    expect([await pointsOf(second), await pointsOf(user)], "the first account lives").toEqual([0, 50]);
    await remove(second.access);

    const owner = await enter(next, "login");
    expect(await pointsOf(owner)).toBe(50);
    await remove(owner.access);
    for (const former of [freed, next]) expect(await pointsOf(await enter(former, "register")), former).toBe(0);
    expect(await pointsOf(await enter(newOne(), "register")), "a neighbour").toBe(50);
  });

  it("earns no bonus and no referral reward when it was removed and the owner deleted the account", async () => {
    const [admin, phone, email, inviter] = [await newAdmin(), newPhone(), newEmail(), await signUp()];
    const [code] = await rows<{ referral_code: string }>(
      "select referral_code from users where id = ?",
      inviter.userId,
    );
    const user = await enter(phone, "register");
    await change(admin, user.userId, { email });
    const owner = await enter(email, "login");
    await change(admin, user.userId, { phone_number: null });
    await remove((await enter(email, "login")).access);
    expect(owner.userId).toBe(user.userId);
    const again = await enter(phone, "register", { referral_code: code?.referral_code });
    await deliver([
      newEvent(again.userId, "rental.returned", { rental_id: crypto.randomUUID(), on_time: true, amount: "10.00" }),
    ]);
    expect([await pointsOf(again), await pointsOf(inviter)]).toEqual([0, 50]);
  });

  it("does not affect a stranger's bonus if staff mistyped it and it was never verified", async () => {
    const [admin, mistyped, right] = [await newAdmin(), newPhone(), newPhone()];
    const made = await expectStatus(201, "POST", "/api/users", { token: admin.access, json: { identifier: mistyped } });
    const userId = String(made.body.data.id);
    await change(admin, userId, { phone_number: right });
    expect(await pointsOf(await enter(mistyped, "register")), "the stranger").toBe(50);

    const another = newEmail();
    await change(admin, userId, { email: another });
    const owner = await enter(right, "login");
    expect(await pointsOf(owner)).toBe(50);
    await remove(owner.access);
    expect(await pointsOf(await enter(another, "register")), "an address that nobody verified").toBe(50);
    expect(await pointsOf(await enter(right, "register")), "the owner").toBe(0);
  });

  it("earns no bonus again after parallel replacements of the first identifier of a social account", async () => {
    const admin = await newAdmin();
    const user = await signInBy("google", { ...newPerson("google"), email_verified: false });
    const email = newEmail();
    await change(admin, user.userId, { email });
    await enter(email, "login");
    const next = Array.from({ length: 8 }, newEmail);
    const answers = await Promise.all(
      next.map((address) =>
        call("PATCH", `/api/users/${user.userId}`, { token: admin.access, json: { reason, email: address } }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(await pointsOf(await enter(email, "register")), "the verified address").toBe(0);
  });

  it("is not recorded by a change that is refused or repeats the current value", async () => {
    const [admin, phone] = [await newAdmin(), newPhone()];
    const user = await enter(phone, "register");
    const other = await signUp();
    const patch = (json: object) => call("PUT", `/api/users/${user.userId}`, { token: admin.access, json });
    const recorded = () => rows("select count(*) as n from former_identities");
    const before = await recorded();
    expect((await patch({ phone_number: phone, address: "Patan" })).status).toBe(200);
    expect((await patch({ phone_number: newPhone() })).status, "without a reason").toBe(400);
    expect((await patch({ phone_number: other.identifier, reason })).status, "taken").toBe(409);
    expect((await patch({ phone_number: null, reason })).status, "last way to sign in").toBe(409);
    expect(await recorded()).toEqual(before);
  });
});
