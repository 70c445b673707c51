import { beforeEach, describe, expect, it } from "vitest";
import { type Answer, call, newEmail, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { countOf, rows, run } from "../../support/database.ts";
import { freshToken, putIdentifier } from "../../support/identity-calls.ts";
import { runJob } from "../../support/jobs.ts";
import { promote } from "../../support/kyc.ts";
import { refresh } from "../../support/session-calls.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";

const DAY = 86_400_000;
const DAYS = 90;
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

let tasks: ReturnType<typeof heldTasks>;
let env: Partial<Env>;
const clock = useClock();
beforeEach(() => {
  tasks = heldTasks();
  env = { ...tasks.env, RECYCLED_AFTER_DAYS: String(DAYS) } as Partial<Env>;
});

/** What an account may hold, as statements about the user `?1`. */
const holdings: Record<string, string> = {
  "a name": "update profiles set full_name = 'Canary Rai' where user_id = ?1",
  "an approved KYC": "update users set kyc_status = 'APPROVED' where id = ?1",
  "a balance": "update wallets set balance_minor = 1 where user_id = ?1",
  "a debt": "update wallets set balance_minor = -1 where user_id = ?1",
  "a verified address": "update users set email = ?1 || '@example.com', email_verified = 1 where id = ?1",
  "an Apple ID": `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at)
    values ('i', ?1, 'APPLE', ?1, ?1, '', 1)`,
  "a passkey": `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
    created_at) values (?1, ?1, ?1, '', 0, 'a', 1, 1, 1)`,
};

/** A user who has not signed in for `sleptMs`, by default a day longer than the limit. */
async function sleeper(holding = "a name", sleptMs = (DAYS + 1) * DAY): Promise<SignedIn> {
  const user = await signUp(newPhone(), { ip: newIp(), env });
  const statement = holdings[holding];
  if (statement) await run(statement, user.userId);
  await run("update users set last_login = ?, date_joined = 1 where id = ?", Date.now() - sleptMs, user.userId);
  return user;
}

const logIn = async ({ identifier }: { identifier: string }, more: object = {}, options: object = { env }) =>
  call("POST", "/api/auth/login", {
    ip: newIp(),
    json: { identifier, verification_token: await freshToken(identifier, { env }), ...more },
    ...options,
  });
const register = async (identifier: string, more: object = {}) =>
  call("POST", "/api/auth/register", {
    ip: newIp(),
    env,
    json: { identifier, verification_token: await freshToken(identifier, { env }), ...more },
  });

describe("sign-in with a code by SMS to a dormant account", () => {
  it.each(Object.keys(holdings))("is refused if the account has %s", async (holding) => {
    const user = await sleeper(holding);
    expect(refusal(await logIn(user))).toEqual([409, "number_dormant"]);
  });

  it("succeeds until the limit of dormancy and is refused beyond it", async () => {
    expect((await logIn(await sleeper("a name", DAYS * DAY - 1))).status).toBe(200);
    expect(refusal(await logIn(await sleeper("a name", DAYS * DAY)))).toEqual([409, "number_dormant"]);
  });

  it("succeeds if the account holds nothing or the rule is off; a code by e-mail succeeds as well", async () => {
    expect((await logIn(await sleeper("nothing"))).status).toBe(200);
    expect((await logIn(await sleeper(), {}, {})).status).toBe(200);
    const byEmail = await sleeper("a verified address");
    expect((await logIn({ identifier: `${byEmail.userId}@example.com` })).status).toBe(200);
  });

  it("does not redeem the verification token when it is refused", async () => {
    const user = await sleeper();
    const json = { identifier: user.identifier, verification_token: await freshToken(user.identifier, { env }) };
    const send = () => call("POST", "/api/auth/login", { ip: newIp(), env, json });
    expect(refusal(await send())).toEqual([409, "number_dormant"]);
    await run("update users set last_login = ? where id = ?", Date.now(), user.userId);
    expect((await send()).status).toBe(200);
  });

  it("gets account_inactive if the account is closed or staff, which cannot be started over either", async () => {
    const banned = await sleeper();
    await run("update users set status = 'BANNED', status_reason = 'staff' where id = ?", banned.userId);
    const staff = await sleeper();
    await promote(staff, "staff");
    for (const user of [banned, staff]) {
      expect(refusal(await logIn(user))).toEqual([403, "account_inactive"]);
      expect(refusal(await register(user.identifier, { start_over: true }))).toEqual([409, "user_already_exists"]);
    }
  });
});

describe("the second proof for a sign-in to a dormant account", () => {
  it("may be a token of its verified e-mail address, which is redeemed", async () => {
    const user = await sleeper("a verified address");
    const email = `${user.userId}@example.com`;
    const second_token = await freshToken(email, { env });
    const answer = await logIn(user, { second_token });
    expect([answer.status, answer.body.data?.user_id]).toEqual([200, user.userId]);
    const json = { identifier: email, verification_token: second_token };
    expect(refusal(await call("POST", "/api/auth/login", { env, json }))).toEqual([400, "invalid_token"]);
  });

  it("may not be a token of another or an unverified address, or a forged token", async () => {
    const user = await sleeper("a verified address");
    const second_token = await freshToken(newEmail(), { env });
    expect(refusal(await logIn(user, { second_token }))).toEqual([409, "number_dormant"]);
    expect(refusal(await logIn(user, { second_token: "forged" }))).toEqual([409, "number_dormant"]);
    const unverified = await sleeper();
    const email = newEmail();
    await run("update users set email = ? where id = ?", email, unverified.userId);
    const theirs = await freshToken(email, { env });
    expect(refusal(await logIn(unverified, { second_token: theirs }))).toEqual([409, "number_dormant"]);
  });

  it("may be an old refresh token, even of a deleted session, but not a reused one or another user's", async () => {
    const [user, reused, other] = [await sleeper(), await sleeper(), await sleeper()];
    await run("delete from sessions where user_id = ?", user.userId);
    expect((await logIn(user, { old_refresh_token: user.refresh })).status).toBe(200);
    await run("update sessions set revoked_at = 1, revoked_reason = 'refresh_reuse' where user_id = ?", reused.userId);
    for (const old_refresh_token of [reused.refresh, other.refresh, reused.access, "forged"]) {
      expect(refusal(await logIn(reused, { old_refresh_token }))).toEqual([409, "number_dormant"]);
    }
  });

  it("may not be a refresh token whose reuse ended its session, even after the longest dormancy", async () => {
    const user = await signUp(newPhone(), { ip: newIp(), env });
    await run(holdings["a name"] ?? "", user.userId);
    const stolen = (await refresh(user.refresh)).body.data.refresh;
    clock.advance(3 * 60_000);
    expect((await refresh(user.refresh)).status).toBe(401);
    clock.advance(365 * DAY + 1);
    await runJob("purge_expired_sessions");
    for (const old_refresh_token of [stolen, user.refresh]) {
      expect(refusal(await logIn(user, { old_refresh_token }))).toEqual([409, "number_dormant"]);
    }
  });
});

describe("starting over with the number of a dormant account", () => {
  it("creates an account that reveals nothing of the old one, and notifies the old one's e-mail address", async () => {
    const user = await sleeper("a verified address");
    await run(holdings["a name"] ?? "", user.userId);
    expect(refusal(await register(user.identifier))).toEqual([409, "user_already_exists"]);
    tasks.take(user.userId);
    const answer = await register(user.identifier, { start_over: true });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(answer.body.data.user_id).not.toBe(user.userId);
    expect(JSON.stringify(answer.body)).not.toContain("Canary");
    expect(JSON.stringify(answer.body)).not.toContain(user.userId);
    const [old] = await rows(
      "select email_verified, phone_number, phone_verified from users where id = ?",
      user.userId,
    );
    expect(old).toEqual({ email_verified: 1, phone_number: null, phone_verified: 0 });
    const points = await rows("select current_points from points where user_id = ?", answer.body.data.user_id);
    expect(points).toEqual([{ current_points: 50 }]);
    const events = tasks.take(user.userId);
    expect(events.map(({ type }) => type).sort()).toEqual([
      ...["auth.number_released", "security.message_due", "user.updated"],
    ]);
    for (let copy = 0; copy < 2; copy++) await runTasks(events, env);
    expect(await countOf("notifications", user.userId, "notification_type = 'NUMBER_RELEASED'")).toBe(1);
    const told = "select recipient from local_outbox where text like '%another account%' and recipient in (?, ?)";
    const email = `${user.userId}@example.com`;
    expect(await rows(told, email, user.identifier)).toEqual([{ recipient: email }]);
    const audits = await rows(
      "select old_values, new_values, actor_id from audit_logs where user_id = ? and new_values ->> 'reason' = 'recycled'",
      user.userId,
    );
    expect(audits).toEqual([
      {
        old_values: JSON.stringify({ phone_number: user.identifier }),
        new_values: JSON.stringify({ phone_number: null, reason: "recycled" }),
        actor_id: null,
      },
    ]);
    expect((await logIn({ identifier: email })).body.data.user_id).toBe(user.userId);
  });

  it("is refused if the account is not dormant, and for an e-mail address", async () => {
    const awake = await sleeper("a name", DAY);
    expect(refusal(await register(awake.identifier, { start_over: true }))).toEqual([409, "user_already_exists"]);
    const asleep = await sleeper("a verified address");
    const email = `${asleep.userId}@example.com`;
    expect(refusal(await register(email, { start_over: true }))).toEqual([409, "user_already_exists"]);
  });

  it("is possible for an existing account that adds the number", async () => {
    const [user, newOwner] = [await sleeper(), await signUp(newEmail(), { ip: newIp(), env })];
    const token = await freshToken(user.identifier, { env });
    const put = (start_over?: boolean) =>
      putIdentifier(newOwner.access, user.identifier, token, { env, ...(start_over ? { start_over } : {}) });
    expect(refusal(await put())).toEqual([409, "number_dormant"]);
    const answer = await put(true);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.phone_number).toBe(user.identifier);
    expect(await rows("select phone_number from users where id = ?", user.userId)).toEqual([{ phone_number: null }]);
    const awake = await sleeper("a name", DAY);
    const theirs = await freshToken(awake.identifier, { env });
    expect(refusal(await putIdentifier(newOwner.access, awake.identifier, theirs, { env, start_over: true }))).toEqual([
      409,
      "user_already_exists",
    ]);
  });
});

describe("RECYCLED_AFTER_DAYS", () => {
  it.each(["29", "366", "x", "090.5", "-90"])("%s makes every route answer 503", async (days) => {
    const bad = { RECYCLED_AFTER_DAYS: days } as Partial<Env>;
    expect((await call("GET", "/api/auth/me", { env: bad })).status).toBe(503);
  });

  it.each(["30", "365"])("%s is accepted", async (days) => {
    const good = { RECYCLED_AFTER_DAYS: days } as Partial<Env>;
    expect((await call("GET", "/api/auth/me", { env: good })).status).toBe(401);
  });
});
