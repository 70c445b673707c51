import { beforeEach, describe, expect, it } from "vitest";
import { type Answer, call, newEmail, newIp, newPhone, readCode, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, countOf, rows, run } from "../../support/database.ts";
import {
  freshToken,
  getIdentity,
  putIdentifier,
  removeIdentifier,
  setIdentifier,
  signInAgain,
} from "../../support/identity-calls.ts";
import { promote } from "../../support/kyc.ts";
import { me } from "../../support/session-calls.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";

const DAY = 86_400_000;
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

let tasks: ReturnType<typeof heldTasks>;
let env: Partial<Env>;
useClock();
beforeEach(() => {
  tasks = heldTasks();
  env = { ...tasks.env };
});

const newUser = (identifier = newPhone(), locale = "en") =>
  signUp(identifier, { ip: newIp(), env, headers: { "accept-language": locale } });
const patch = (token: string, json: object) => call("PATCH", "/api/auth/identity", { env, token, json });

/** Delivers the user's events about identifiers, twice each; returns all texts without a code, by recipient. */
async function messagesOf(user: SignedIn): Promise<Record<string, string[]>> {
  const due = tasks.take(user.userId).filter(({ type }) => /identifier_changed|message_due/.test(type));
  for (let copy = 0; copy < 2; copy++) await runTasks(due, env);
  const sent = await rows<{ recipient: string; text: string }>(
    "select recipient, text from local_outbox where code is null order by id",
  );
  const own: Record<string, string[]> = {};
  for (const { recipient, text } of sent) own[recipient] = [...(own[recipient] ?? []), text];
  return own;
}

describe("GET auth/identity", () => {
  it("shows identifiers, providers, passkeys and the proof of the session", async () => {
    const user = await newUser();
    const answer = await getIdentity(user.access);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual({
      id: user.userId,
      username: expect.stringMatching(/^user_/),
      role: "user",
      locale: "en",
      email: null,
      email_verified: false,
      email_stopped: false,
      phone_number: user.identifier,
      phone_verified: true,
      providers: [],
      passkeys: [],
      proved_until: new Date(Date.now() + 600_000).toISOString(),
      passkey_required: false,
      enrolment_until: null,
    });
  });

  it("tells staff whether their role waits for a passkey", async () => {
    const staff = await newUser();
    await promote(staff, "staff");
    const passkeys = { PASSKEY_RP_ID: "localhost", STAFF_PASSKEYS: "required" } as unknown as Partial<Env>;
    const isRequired = async (options: { env?: Partial<Env> } = {}) =>
      (await getIdentity(staff.access, options)).body.data.passkey_required;
    expect([await isRequired(), await isRequired({ env: passkeys })]).toEqual([false, true]);
    await run("update sessions set passkey_at = 1 where user_id = ?", staff.userId);
    expect(await isRequired({ env: passkeys })).toBe(false);
  });

  it("shows a stopped relay address, a withdrawn consent and a passkey", async () => {
    const user = await newUser();
    const relay = "abc@privaterelay.appleid.com";
    await run("update users set email = ?, email_verified = 1 where id = ?", relay, user.userId);
    await run(
      `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, email, linked_by, created_at,
        revoked_at, mail_stopped_at) values ('https://appleid.apple.com', ?1, 'APPLE', ?1, ?1, ?2, '', 1, 2, 3)`,
      user.userId,
      relay,
    );
    await run(
      `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced, name,
        created_at) values (?1, ?1, ?1, '', 0, 'a', 1, 1, 'Phone', 1)`,
      user.userId,
    );
    const { data } = (await getIdentity(user.access)).body;
    expect(data.email_stopped).toBe(true);
    expect(data.providers).toEqual([
      { provider: "APPLE", email: relay, is_relay: true, is_revoked: true, linked_at: "1970-01-01T00:00:00.001Z" },
    ]);
    expect(data.passkeys).toEqual([
      {
        id: user.userId,
        name: "Phone",
        credential_id: user.userId,
        aaguid: "a",
        is_synced: true,
        created_at: "1970-01-01T00:00:00.001Z",
        last_used_at: null,
      },
    ]);
  });

  it("adds none of its fields to auth/me", async () => {
    const user = await newUser();
    expect(Object.keys((await me(user.access)).body.data)).toEqual([
      ...["id", "username", "profile_picture", "referral_code", "status", "date_joined", "profile_complete"],
      ...["kyc_status", "social_provider"],
    ]);
  });
});

describe("PATCH auth/identity", () => {
  it("changes the language once, with an audit row and an event, and does nothing if it is that already", async () => {
    const user = await newUser();
    tasks.take(user.userId);
    for (let time = 0; time < 2; time++) {
      const answer = await patch(user.access, { locale: "ne" });
      expect([answer.status, answer.body.data.locale]).toEqual([200, "ne"]);
    }
    expect((await patch(user.access, {})).body.data.locale).toBe("ne");
    expect(tasks.take(user.userId, "user.updated")).toHaveLength(1);
    expect(
      await rows("select old_values, new_values from audit_logs where user_id = ? and action = 'UPDATE'", user.userId),
    ).toEqual([{ old_values: '{"locale":"en"}', new_values: '{"locale":"ne"}' }]);
    for (const [locale, kept] of [
      ["en-US", "en"],
      ["ne_NP", "ne"],
      ["EN", "en"],
      ["ne-Deva-NP", "ne"],
    ]) {
      expect((await patch(user.access, { locale })).body.data.locale).toBe(kept);
    }
    for (const locale of ["fr", "nepal", "_ne", "en,ne"]) {
      expect(refusal(await patch(user.access, { locale }))).toEqual([400, "validation_error"]);
    }
  });
});

describe("a code requested with the purpose CHANGE", () => {
  it.each(["otp/request by SMS", "otp/request by e-mail"])(
    "says in its message that it changes a sign-in (%s), and its responses are those of any other code",
    async (name) => {
      const identifier = name.endsWith("SMS") ? newPhone() : newEmail();
      const request = { ip: newIp(), json: { identifier, purpose: "CHANGE" } };
      const answer = await call("POST", "/api/auth/otp/request", request);
      expect(Object.keys(answer.body.data)).toEqual(["message", "expires_in", "resend_in"]);
      const otp = await readCode(identifier);
      const [message] = await rows<{ text: string }>("select text from local_outbox where recipient = ?", identifier);
      expect(message?.text).toContain("changes the sign-in of a");
      const verified = await call("POST", "/api/auth/otp/verify", { json: { identifier, otp, purpose: "CHANGE" } });
      expect([verified.status, verified.body.data.purpose]).toEqual([200, "REGISTER"]);
    },
  );
});

describe("the caller's email address or phone number", () => {
  it("is added as verified; the other one is notified and no session ends", async () => {
    const user = await newUser(newPhone(), "ne");
    const other = await signInAgain(user.identifier);
    const email = newEmail();
    tasks.take(user.userId);
    const ip = newIp();
    const answer = await putIdentifier(user.access, email.toUpperCase(), await freshToken(email), { env, ip });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toMatchObject({ email, email_verified: true, phone_number: user.identifier });
    expect((await me(other.access)).status).toBe(200);
    const events = tasks.take(user.userId);
    expect(events.map(({ type }) => type).sort()).toEqual([
      "security.message_due",
      "user.identifier_changed",
      "user.updated",
    ]);
    for (let copy = 0; copy < 2; copy++) await runTasks(events, env);
    const sent = "select recipient from local_outbox where code is null and recipient in (?, ?)";
    expect(await rows(sent, email, user.identifier)).toEqual([{ recipient: user.identifier }]);
    const [message] = await rows<{ text: string }>(
      "select text from local_outbox where code is null and recipient = ?",
      user.identifier,
    );
    expect(message?.text).toContain("साइन इन विवरण फेरियो");
    expect(await countOf("notifications", user.userId, "notification_type = 'IDENTIFIER_CHANGED'")).toBe(1);
    const network = ip.replace(/\d+$/, "0/24");
    expect(await rows("select network from familiar_networks where identifier = ?", email)).toEqual([{ network }]);
    expect((await signInAgain(email)).userId).toBe(user.userId);
  });

  it("is replaced: the old one is notified and loses its known networks, and other sessions end", async () => {
    const user = await newUser();
    const email = newEmail();
    await setIdentifier(user.access, email, { env });
    const other = await signInAgain(user.identifier);
    tasks.take(user.userId);
    const phone = newPhone();
    const answer = await setIdentifier(user.access, phone, { env });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toMatchObject({ email, phone_number: phone, phone_verified: true });
    expect((await me(user.access)).status).toBe(200);
    expect(refusal(await me(other.access))).toEqual([401, "token_not_valid"]);
    expect(await count("from familiar_networks where identifier = ?", user.identifier)).toBe(0);
    const told = await messagesOf(user);
    expect(told[user.identifier]).toEqual([expect.stringContaining("undo it in the app within 7 days")]);
    expect(told[email]?.at(-1)).toContain("your sign-in details were changed");
    expect(told[phone]).toBeUndefined();
    const audits = await rows(
      "select old_values, new_values, session_id from audit_logs where user_id = ? and action = 'UPDATE' order by id desc limit 1",
      user.userId,
    );
    expect(audits).toMatchObject([
      {
        old_values: JSON.stringify({ phone_number: user.identifier }),
        new_values: JSON.stringify({ phone_number: phone, proved_by: "PHONE" }),
      },
    ]);
    expect(refusal(await call("POST", "/api/auth/login", await loginOf(user.identifier)))).toEqual([
      409,
      "identifier_replaced",
    ]);
    expect((await signInAgain(phone)).userId).toBe(user.userId);
  });

  it("is removed: it signs nobody in, other sessions end, a repetition succeeds, and the last method stays", async () => {
    const user = await newUser();
    const email = newEmail();
    await setIdentifier(user.access, email, { env });
    const other = await signInAgain(email);
    const answer = await removeIdentifier(user.access, "phone", { env });
    expect(answer.body.data).toMatchObject({ email, phone_number: null, phone_verified: false });
    expect(refusal(await me(other.access))).toEqual([401, "token_not_valid"]);
    expect((await removeIdentifier(user.access, "phone", { env })).status).toBe(200);
    expect(await countOf("identity_changes", user.userId)).toBe(2);
    expect(refusal(await call("POST", "/api/auth/login", await loginOf(user.identifier)))).toEqual([
      409,
      "identifier_replaced",
    ]);
    expect(refusal(await removeIdentifier(user.access, "email", { env }))).toEqual([409, "last_sign_in_method"]);
  });

  it("needs no live token if the caller already has it, and then nothing changes", async () => {
    const user = await newUser();
    const before = await rows("select version from users where id = ?", user.userId);
    expect((await putIdentifier(user.access, user.identifier, "x".repeat(90))).status).toBe(200);
    expect(await rows("select version from users where id = ?", user.userId)).toEqual(before);
    const email = newEmail();
    const token = await freshToken(email);
    for (let time = 0; time < 2; time++) expect((await putIdentifier(user.access, email, token)).status).toBe(200);
    expect(await countOf("identity_changes", user.userId)).toBe(1);
  });

  it("becomes verified if staff had set it, and then counts as an addition", async () => {
    const user = await newUser();
    const email = newEmail();
    await run("update users set email = ? where id = ?", email, user.userId);
    const other = await signInAgain(user.identifier);
    expect((await setIdentifier(user.access, email, { env })).body.data.email_verified).toBe(true);
    expect((await me(other.access)).status).toBe(200);
    expect(await rows("select old_identifier from identity_changes where user_id = ?", user.userId)).toEqual([
      { old_identifier: null },
    ]);
  });

  it("is refused if another account has it, verified or not, and the token stays valid", async () => {
    const [user, holder] = [await newUser(), await newUser()];
    for (const verified of [1, 0]) {
      const email = newEmail();
      const token = await freshToken(email);
      await run("update users set email = ?, email_verified = ? where id = ?", email, verified, holder.userId);
      expect(refusal(await putIdentifier(user.access, email, token))).toEqual([409, "user_already_exists"]);
      const login = { identifier: email, verification_token: token };
      expect((await call("POST", "/api/auth/login", { ip: newIp(), json: login })).body.data?.user_id).toBe(
        holder.userId,
      );
    }
  });

  it("is refused with a token that is forged, used or of another identifier", async () => {
    const user = await newUser();
    const [email, another] = [newEmail(), newEmail()];
    const used = await freshToken(email);
    const registration = { identifier: email, verification_token: used };
    expect((await call("POST", "/api/auth/register", { json: registration })).status).toBe(201);
    for (const [identifier, token] of [
      [newPhone(), "x".repeat(90)],
      [newPhone(), await freshToken(another)],
      [email, used],
    ] as const) {
      expect(refusal(await putIdentifier(user.access, identifier, token))).toEqual([400, "invalid_token"]);
    }
  });

  it("is refused if it is malformed, of the wrong kind, or reserved for app reviews", async () => {
    const user = await newUser();
    const put = (path: string, json: object) => call("PUT", `/api/auth/identity/${path}`, { token: user.access, json });
    const verification_token = "x";
    const wrong = [
      await put("email", { email: "9841234567", verification_token }),
      await put("phone", { phone_number: "asha@example.com", verification_token }),
      await put("phone", { verification_token }),
    ];
    expect(wrong.map(refusal)).toEqual(wrong.map(() => [400, "validation_error"]));
    const until = new Date(Date.now() + 10 * DAY).toISOString().slice(0, 10);
    const phone = newPhone();
    const reviewer = { TEST_IDENTIFIERS: JSON.stringify([{ identifier: phone, code: "123456", until }]) };
    expect(refusal(await putIdentifier(user.access, phone, "x", { env: reviewer as unknown as Partial<Env> }))).toEqual(
      [409, "conflict"],
    );
  });

  it("may be changed 5 times a day; the sixth change waits until the first is a day old", async () => {
    const [user, neighbour] = [await newUser(), await newUser()];
    for (let change = 0; change < 5; change++) {
      expect((await setIdentifier(user.access, newEmail(), { env })).status).toBe(200);
    }
    const sixth = () => putIdentifier(user.access, newEmail(), "x".repeat(90), { env });
    const refused = await sixth();
    expect(refusal(refused)).toEqual([429, "rate_limit_exceeded"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(86_390);
    expect((await setIdentifier(neighbour.access, newEmail(), { env })).status).toBe(200);
    const first = "(select min(id) from identity_changes where user_id = ?2)";
    await run(`update identity_changes set created_at = ?1 where id = ${first}`, Date.now() - DAY + 1, user.userId);
    const last = await sixth();
    expect([...refusal(last), last.headers.get("retry-after")]).toEqual([429, "rate_limit_exceeded", "1"]);
    await run(`update identity_changes set created_at = ?1 where id = ${first}`, Date.now() - DAY, user.userId);
    expect((await setIdentifier(user.access, newEmail(), { env })).status).toBe(200);
  });

  it("of staff needs a passkey used within 10 minutes", async () => {
    const staff = await newUser();
    await promote(staff, "staff");
    expect(refusal(await setIdentifier(staff.access, newEmail(), { env }))).toEqual([403, "passkey_required"]);
    await run("update sessions set passkey_at = ? where user_id = ?", Date.now() - 600_000, staff.userId);
    expect(refusal(await setIdentifier(staff.access, newEmail(), { env }))).toEqual([403, "passkey_required"]);
    await run("update sessions set passkey_at = ? where user_id = ?", Date.now() - 599_000, staff.userId);
    expect((await setIdentifier(staff.access, newEmail(), { env })).status).toBe(200);
  });

  it("counts a link and a passkey as another way to sign in, but not a withdrawn link", async () => {
    const user = await newUser();
    await run(
      `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at, revoked_at)
        values ('i', ?1, 'APPLE', ?1, ?1, '', 1, 2)`,
      user.userId,
    );
    expect(refusal(await removeIdentifier(user.access, "phone"))).toEqual([409, "last_sign_in_method"]);
    await run("update social_accounts set revoked_at = null where user_id = ?", user.userId);
    expect((await removeIdentifier(user.access, "phone")).status).toBe(200);
    const second = await newUser();
    await run(
      `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
        created_at) values (?1, ?1, ?1, '', 0, 'a', 1, 1, 1)`,
      second.userId,
    );
    expect((await removeIdentifier(second.access, "phone")).status).toBe(200);
  });
});

async function loginOf(identifier: string) {
  return { ip: newIp(), json: { identifier, verification_token: await freshToken(identifier) } };
}
