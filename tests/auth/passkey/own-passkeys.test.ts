import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import { call, newEmail, newIp, type SignedIn, signUp } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { rows, run } from "../../support/database.ts";
import { documented, newUser } from "../../support/kyc.ts";
import {
  addPasskey,
  age,
  expectError,
  logInWith,
  ownOptions,
  proveBy,
  register,
  signInBy,
  signInOptions,
} from "../../support/passkeys.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { me } from "../../support/session-calls.ts";
import { auditOf, eventsOf } from "../../support/staff.ts";

beforeAll(keepSentEvents);

afterEach(() => {
  vi.useRealTimers();
});

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

const identity = async (person: SignedIn) =>
  (await call("GET", "/api/auth/identity", { token: person.access })).body.data;
const passkeysOf = async (person: SignedIn): Promise<{ id: string; name: string }[]> =>
  (await identity(person)).passkeys;
const on = (method: string, id: string, { access }: SignedIn, json?: unknown) =>
  documented(method, `/api/auth/passkeys/${id}`, { token: access, ...(json ? { json } : {}) });

/** How long ago the sign-in was (ms), and whether it still counts as a proof. */
const PROOF_AGES = [
  [10 * MINUTE_MS - 5_000, true],
  [10 * MINUTE_MS + 1, false],
] as const;

/** The recipients of the person's messages of this kind. */
async function toldOf(person: SignedIn, message: string): Promise<string[]> {
  const events = await eventsOf(person.userId, "security.message_due");
  const payloads = events.map(({ payload }) => JSON.parse(payload ?? "{}"));
  return payloads.filter((each) => each.message === message).map(({ to }) => to);
}

describe("Adding a passkey", () => {
  test("offers options for a discoverable passkey with user verification, for this person", async () => {
    const email = newEmail();
    const person = await signUp(email, { ip: newIp() });
    await run("update profiles set full_name = 'Asha Gurung' where user_id = ?", person.userId);
    const answer = await documented("POST", "/api/auth/passkeys/options", {
      token: person.access,
      json: { purpose: "REGISTER" },
    });
    expect(answer.body.data).toMatchObject({
      expires_in: 600,
      public_key: {
        rp: { id: "powerbank.example", name: "PowerBank" },
        user: { name: email, displayName: "Asha Gurung" },
        pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: [],
        authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
        attestation: "none",
      },
    });
  });

  test("shows it in the identity, with one audit row, one event, and a message to every verified address", async () => {
    const email = newEmail();
    const person = await signUp(undefined, { ip: newIp() });
    await run("update users set email = ?, email_verified = 1 where id = ?", email, person.userId);
    const { passkey, authenticator } = await addPasskey(person);
    expect(passkey).toMatchObject({
      name: "Phone",
      credential_id: authenticator.id,
      aaguid: "01020304-0506-0708-090a-0b0c0d0e0f10",
      is_synced: true,
      last_used_at: null,
    });
    expect(await passkeysOf(person)).toEqual([passkey]);
    const audit = (await auditOf(person.userId, "CREATE")).filter(({ entity_type }) => entity_type === "passkey");
    expect(audit).toHaveLength(1);
    expect(JSON.parse(audit[0]?.new_values ?? "")).toMatchObject({ name: "Phone", is_synced: true });
    expect(await eventsOf(person.userId, "auth.passkey_added")).toHaveLength(1);
    expect((await toldOf(person, "PASSKEY_ADDED")).sort()).toEqual([email, person.identifier].sort());
    expect(await eventsOf(person.userId, "user.updated")).toEqual([]);
  });

  test("excludes the person's passkeys from the next one, and names them for a proof", async () => {
    const person = await newUser();
    const { authenticator } = await addPasskey(person);
    const named = [{ type: "public-key", id: authenticator.id, transports: ["internal"] }];
    expect((await ownOptions(person, "REGISTER")).excludeCredentials).toEqual(named);
    expect((await ownOptions(person, "PROOF")).allowCredentials).toEqual(named);
  });

  test.each(PROOF_AGES)("needs a proof within ten minutes (%i ms ago, valid: %s)", async (milliseconds, isAllowed) => {
    const person = await newUser();
    const options = await ownOptions(person, "REGISTER");
    const credential = await (await Authenticator.create()).register(options);
    await age(person, milliseconds);
    const json = { purpose: "REGISTER" };
    const answers = [
      await call("POST", "/api/auth/passkeys/options", { token: person.access, json }),
      await register(person, credential),
    ];
    expect(answers.map(({ status }) => status)).toEqual(isAllowed ? [200, 201] : [403, 403]);
    if (isAllowed) return;
    for (const answer of answers) expectError(answer, 403, "reauthentication_required");
    expect(await passkeysOf(person)).toEqual([]);
  });

  test("repeated, even concurrently, returns the same passkey and uses the challenge up", async () => {
    const person = await newUser();
    const options = await ownOptions(person, "REGISTER");
    const credential = await (await Authenticator.create()).register(options);
    const answers = await Promise.all(Array.from({ length: 10 }, () => register(person, credential)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1);
    expect(await toldOf(person, "PASSKEY_ADDED")).toEqual([person.identifier]);
    const second = await (await Authenticator.create()).register(options);
    expectError(await register(person, second), 400, "passkey_failed");
  });

  test("in the last millisecond of the challenge is repeated for three minutes, and no passkey is added after its end", async () => {
    const clock = stopClock();
    const person = await newUser();
    const credential = await (await Authenticator.create()).register(await ownOptions(person, "REGISTER"));
    const unused = await (await Authenticator.create()).register(await ownOptions(person, "REGISTER"));
    clock.advance(10 * MINUTE_MS - 1);
    const first = await register(person, credential);
    clock.advance(3 * MINUTE_MS - 1);
    const again = await register(person, credential);
    expect([again.status, again.body.data]).toEqual([201, first.body.data]);
    expectError(await register(person, unused), 400, "passkey_failed");
    expect(await passkeysOf(person)).toHaveLength(1);
  });

  test("accepts only a challenge of this session, this user and this purpose", async () => {
    const [person, other] = [await newUser(), await newUser()];
    const elsewhere = await signInBy((await addPasskey(person)).authenticator);
    await addPasskey(other);
    const authenticator = await Authenticator.create();
    const challenges = [
      await ownOptions(elsewhere, "REGISTER"),
      await ownOptions(other, "REGISTER"),
      await ownOptions(person, "PROOF"),
      await signInOptions(),
    ];
    for (const options of challenges) {
      expectError(await register(person, await authenticator.register(options)), 400, "passkey_failed");
    }
    expect(await passkeysOf(person)).toHaveLength(1);
  });

  test("refuses a credential that another account has", async () => {
    const [person, other] = [await newUser(), await newUser()];
    const { authenticator } = await addPasskey(person);
    const { challenge } = await ownOptions(other, "REGISTER");
    const credential = await authenticator.register({ challenge });
    expectError(await register(other, credential), 400, "passkey_failed");
    expect(await signInBy(authenticator)).toMatchObject({ userId: person.userId });
  });

  test("is possible up to ten passkeys, and ten times a day", async () => {
    const person = await newUser();
    const clock = stopClock();
    for (let i = 0; i < 9; i++) await addPasskey(person);
    const late = await (await Authenticator.create()).register(await ownOptions(person, "REGISTER"));
    const { authenticator } = await addPasskey(person);
    const answer = await register(person, late);
    expectError(answer, 409, "conflict");
    expect(answer.body.error.message).toContain("10 passkeys");
    // Ten a day, also where some were removed.
    const [first] = await passkeysOf(person);
    expect((await on("DELETE", first?.id ?? "", person)).status).toBe(200);
    const refused = await register(person, late);
    expectError(refused, 429, "rate_limit_exceeded");
    expect(refused.headers.get("retry-after")).toBe(String(DAY_MS / 1000));
    expect(refused.headers.get("ratelimit-policy")).toBe('"passkey-adds";q=10;w=86400');
    clock.advance(DAY_MS - 1);
    const again = await signInBy(authenticator);
    const ask = { token: again.access, json: { purpose: "REGISTER" } };
    expectError(await documented("POST", "/api/auth/passkeys/options", ask), 429, "rate_limit_exceeded");
    clock.advance(1);
    await addPasskey(again);
  });

  test.each([undefined, "", null])("needs no name (%j)", async (name) => {
    const person = await newUser();
    const credential = await (await Authenticator.create()).register(await ownOptions(person, "REGISTER"));
    const answer = await call("POST", "/api/auth/passkeys", { token: person.access, json: { credential, name } });
    expect([answer.status, answer.body.data?.name]).toEqual([201, null]);
  });
});

describe("Renaming a passkey", () => {
  test("is audited once, needs no recent proof, and is for its owner alone", async () => {
    const [person, other] = [await newUser(), await newUser()];
    const { passkey } = await addPasskey(person);
    await age(person, DAY_MS);
    expectError(await on("PATCH", passkey.id, other, { name: "Mine" }), 404, "not_found");
    for (let i = 0; i < 2; i++) {
      const answer = await on("PATCH", passkey.id, person, { name: "  Work laptop " });
      expect([answer.status, answer.body.data]).toEqual([200, { ...passkey, name: "Work laptop" }]);
    }
    const audit = (await auditOf(person.userId, "UPDATE")).filter(({ entity_type }) => entity_type === "passkey");
    expect(audit.map(({ old_values, new_values }) => [old_values, new_values].map((text) => JSON.parse(text)))).toEqual(
      [[{ name: "Phone" }, { name: "Work laptop" }]],
    );
  });

  test.each(["", " ", "x".repeat(65), null, 7.5])("refuses %j as a name", async (name) => {
    const person = await newUser();
    const { passkey } = await addPasskey(person);
    expectError(await on("PATCH", passkey.id, person, { name }), 400, "validation_error");
  });
});

describe("Removing a passkey", () => {
  test("ends the other sessions that it opened or proved; then it is unknown", async () => {
    const person = await newUser();
    const { passkey, authenticator } = await addPasskey(person);
    const [opened, other] = [await signInBy(authenticator), await signInBy((await addPasskey(person)).authenticator)];
    const proved = await signInBy((await addPasskey(person)).authenticator);
    expect((await proveBy(proved, authenticator)).status).toBe(200);
    expect((await on("DELETE", passkey.id, person)).status).toBe(200);
    const statuses = [person, opened, other, proved].map(async ({ access }) => (await me(access)).status);
    expect(await Promise.all(statuses)).toEqual([200, 401, 200, 401]);
    expectError(await logInWith(await authenticator.assert(await signInOptions())), 400, "passkey_unknown");
    expect(await eventsOf(person.userId, "auth.passkey_removed")).toHaveLength(1);
    expect(await toldOf(person, "PASSKEY_REMOVED")).toEqual([person.identifier]);
    expect((await auditOf(person.userId, "DELETE")).map(({ entity_type }) => entity_type)).toEqual(["passkey"]);
    expectError(await on("DELETE", passkey.id, person), 404, "not_found");
  });

  test("keeps the session that removes it", async () => {
    const { authenticator, passkey } = await addPasskey(await newUser());
    const own = await signInBy(authenticator);
    expect((await on("DELETE", passkey.id, own)).status).toBe(200);
    expect((await me(own.access)).status).toBe(200);
  });

  test.each(PROOF_AGES)("needs a proof within ten minutes (%i ms ago, valid: %s)", async (milliseconds, isAllowed) => {
    const person = await newUser();
    const { passkey } = await addPasskey(person);
    await age(person, milliseconds);
    const answer = await on("DELETE", passkey.id, person);
    if (isAllowed) expect(answer.status).toBe(200);
    else expectError(answer, 403, "reauthentication_required");
    expect(await passkeysOf(person)).toHaveLength(isAllowed ? 0 : 1);
  });

  test("is refused for the last way to sign in, also when two go at once", async () => {
    const person = await newUser();
    const [one, two] = [await addPasskey(person), await addPasskey(person)];
    await run("update users set phone_verified = 0, email_verified = 0 where id = ?", person.userId);
    const answers = await Promise.all([one, two].map(({ passkey }) => on("DELETE", passkey.id, person)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expectError(answers.find(({ status }) => status === 409) as never, 409, "last_sign_in_method");
    expect(await passkeysOf(person)).toHaveLength(1);
  });

  test("of somebody else is 404", async () => {
    const { passkey } = await addPasskey(await newUser());
    expectError(await on("DELETE", passkey.id, await newUser()), 404, "not_found");
  });
});

test("without PASSKEY_RP_ID the routes of passkeys are 404", async () => {
  const person = await newUser();
  const { passkey, authenticator } = await addPasskey(person);
  const none = { PASSKEY_RP_ID: "", PASSKEY_ORIGINS: "", PASSKEY_IOS_APPS: "", PASSKEY_ANDROID_APPS: "" };
  const options = { token: person.access, env: { ...none, STAFF_PASSKEYS: "" } as unknown as Partial<Env> };
  const credential = await authenticator.register(await ownOptions(person, "REGISTER"));
  const id = `/api/auth/passkeys/${passkey.id}`;
  const calls = [
    call("POST", "/api/auth/passkeys/options", { ...options, json: { purpose: "PROOF" } }),
    call("POST", "/api/auth/passkeys", { ...options, json: { credential } }),
    call("PATCH", id, { ...options, json: { name: "x" } }),
    call("DELETE", id, options),
  ];
  for (const answer of await Promise.all(calls)) expectError(answer, 404, "not_found");
});

test("deleting the account deletes its passkeys", async () => {
  const person = await newUser();
  const { authenticator } = await addPasskey(person);
  expect((await call("DELETE", "/api/auth/account", { token: person.access, json: {} })).status).toBe(200);
  expect(await rows("select * from passkeys where user_id = ?", person.userId)).toEqual([]);
  expectError(await logInWith(await authenticator.assert(await signInOptions())), 400, "passkey_unknown");
});
