import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { call, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { rows, run } from "../../support/database.ts";
import { documented } from "../../support/kyc.ts";
import {
  CLIENTS,
  fakeProviders,
  ISSUERS,
  newPerson,
  type Person,
  type Providers,
  signText,
} from "../../support/openid.ts";
import { expectError } from "../../support/passkeys.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { me } from "../../support/session-calls.ts";
import { auditOf, eventsOf } from "../../support/staff.ts";

let providers: Providers;
beforeAll(async () => {
  providers = fakeProviders();
  await keepSentEvents();
});
afterAll(() => void vi.restoreAllMocks());

/** A person who signed up with Apple. */
async function signUpByApple(person = newPerson("apple")): Promise<{ person: Person; user: SignedIn }> {
  const json = await providers.nativeSignIn("apple", person);
  const { body, status } = await call("POST", "/api/auth/apple/token", { json, env: providers.env, ip: newIp() });
  if (status !== 200) throw new Error(JSON.stringify(body));
  const { user_id: userId, access_token: access, refresh_token: refresh } = body.data;
  return { person, user: { identifier: "", userId, access, refresh } };
}

/** Links the person's Apple account to the user. */
const linkApple = async (user: SignedIn, person: Person) =>
  documented("POST", "/api/auth/apple/link", {
    json: await providers.nativeSignIn("apple", person),
    token: user.access,
    env: providers.env,
    ip: newIp(),
  });

interface Sent {
  type?: string;
  at?: number;
  claims?: Record<string, unknown>;
  event?: unknown;
  header?: Record<string, unknown>;
}

async function payloadOf(
  { sub }: Pick<Person, "sub">,
  { type = "consent-revoked", at = Date.now() + 1000, claims, event, header }: Sent,
) {
  const iat = Math.floor(Date.now() / 1000);
  const events = event ?? JSON.stringify({ type, sub, event_time: at, email: "x@privaterelay.appleid.com" });
  const all = {
    iss: ISSUERS.apple,
    aud: CLIENTS.apple.ios,
    iat,
    exp: iat + 600,
    jti: crypto.randomUUID(),
    events,
    ...claims,
  };
  return signText(JSON.stringify(all), header as never);
}

const deliver = async (payload: string) =>
  documented("POST", "/api/auth/apple/notifications", { json: { payload }, env: providers.env, ip: newIp() });
const notify = async (person: Pick<Person, "sub">, sent: Sent = {}) => deliver(await payloadOf(person, sent));

const linkOf = ({ userId }: SignedIn) =>
  rows<{ revoked_at: number | null; mail_stopped_at: number | null; sealed_refresh_token: string | null }>(
    "select * from social_accounts where user_id = ?",
    userId,
  );
const noticesOf = async ({ userId }: SignedIn) =>
  (
    await rows<{ kind: string }>(
      "select notification_type as kind from notifications where user_id = ? order by id",
      userId,
    )
  )
    .map(({ kind }) => kind)
    .filter((kind) => kind.startsWith("APPLE"));

/** The user's version, and how many events say that the user changed, and that an account was linked. */
async function changesOf({ userId }: SignedIn) {
  const [user] = await rows<{ version: number }>("select version from users where id = ?", userId);
  const [updates, links] = await Promise.all(
    ["user.updated", "auth.social_linked"].map(async (type) => (await eventsOf(userId, type)).length),
  );
  return { version: user?.version ?? 0, updates: updates ?? 0, links: links ?? 0 };
}

describe("Apple's notification", () => {
  test("that the consent was withdrawn ends Apple's sessions, disables the link and notifies the person", async () => {
    const { person, user } = await signUpByApple();
    expect((await notify(person)).status).toBe(200);
    expect((await me(user.access, { env: providers.env })).status).toBe(401);
    const [link] = await linkOf(user);
    expect(link).toMatchObject({ sealed_refresh_token: null });
    expect(link?.revoked_at).toBeGreaterThan(0);
    expect(await noticesOf(user)).toEqual(["APPLE_REVOKED"]);
    const audit = (await auditOf(user.userId, "UPDATE")).filter(({ entity_type }) => entity_type === "social_account");
    expect(audit.map(({ new_values }) => JSON.parse(new_values))).toEqual([
      { provider: "APPLE", event: "consent-revoked" },
    ]);
    // The next sign-in gives the consent again.
    const again = await signUpByApple(person);
    expect(again.user.userId).toBe(user.userId);
    const [revived] = await linkOf(user);
    expect(revived?.revoked_at).toBeNull();
    expect(revived?.sealed_refresh_token).not.toBeNull();
  });

  test.each(["a sign-in", "a link"])(
    "that the consent was withdrawn is undone by %s, with one audit row, one new version and one event",
    async (how) => {
      const person = newPerson("apple");
      const user = await signUp(newPhone(), { ip: newIp(), env: providers.env });
      const link = () => linkApple(user, person);
      expect((await link()).status).toBe(200);
      expect((await notify(person)).status).toBe(200);
      const before = await changesOf(user);
      for (let copy = 0; copy < 2; copy++) {
        if (how === "a link") expect((await link()).status).toBe(200);
        else expect((await signUpByApple(person)).user.userId).toBe(user.userId);
        const after = await changesOf(user);
        expect(after).toEqual({
          version: before.version + 1,
          updates: before.updates + 1,
          links: before.links + 1,
        });
        const audit = (await auditOf(user.userId, "UPDATE")).map(({ new_values }) => JSON.parse(new_values));
        expect(audit.filter(({ event }) => event === "linked-again")).toEqual([
          { provider: "APPLE", event: "linked-again" },
        ]);
      }
    },
  );

  test("that the consent was withdrawn is undone by linking the account again", async () => {
    const person = newPerson("apple");
    const user = await signUp(newPhone(), { ip: newIp(), env: providers.env });
    const link = () => linkApple(user, person);
    expect((await link()).status).toBe(200);
    expect((await notify(person)).status).toBe(200);
    const [withdrawn] = await linkOf(user);
    expect(withdrawn).toMatchObject({ revoked_at: expect.any(Number), sealed_refresh_token: null });
    for (let copy = 0; copy < 2; copy++) expect((await link()).status).toBe(200);
    const [linkedAgain] = await linkOf(user);
    expect(linkedAgain?.revoked_at).toBeNull();
    expect(linkedAgain?.sealed_refresh_token).not.toBeNull();
    const audit = (await auditOf(user.userId, "UPDATE")).filter(({ entity_type }) => entity_type === "social_account");
    expect(audit.map(({ new_values }) => JSON.parse(new_values).event).toSorted()).toEqual([
      "consent-revoked",
      "linked-again",
    ]);
    expect((await signUpByApple(person)).user.userId).toBe(user.userId);
  });

  test.each(["account-delete", "account-deleted"])("%s removes the link", async (type) => {
    const { person, user } = await signUpByApple();
    await notify(person, { type });
    expect(await linkOf(user)).toEqual([]);
    expect((await me(user.access, { env: providers.env })).status).toBe(401);
    expect((await auditOf(user.userId, "DELETE")).map(({ entity_type }) => entity_type)).toEqual(["social_account"]);
  });

  test("that mail is stopped and started follows the time of the events, in seconds and in milliseconds", async () => {
    const { person, user } = await signUpByApple();
    const seconds = Math.floor(Date.now() / 1000) + 10;
    const isStopped = async () => (await linkOf(user))[0]?.mail_stopped_at !== null;
    await notify(person, { type: "email-disabled", at: seconds });
    expect(await isStopped()).toBe(true);
    await notify(person, { type: "email-enabled", at: (seconds + 10) * 1000 });
    expect(await isStopped()).toBe(false);
    // An event that arrives late does not undo a newer one.
    await notify(person, { type: "email-disabled", at: seconds + 5 });
    expect(await isStopped()).toBe(false);
    expect(await noticesOf(user)).toEqual(["APPLE_MAIL_STOPPED"]);
    expect((await me(user.access, { env: providers.env })).status).toBe(200);
  });

  test.each([
    ["email-enabled", "consent-revoked"],
    ["email-disabled", "consent-revoked"],
    ["email-enabled", "account-deleted"],
    ["email-disabled", "account-deleted"],
    ["consent-revoked", "account-deleted"],
  ])("%s that arrives first does not hide %s of the same time or earlier", async (first, second) => {
    const { person, user } = await signUpByApple();
    const at = Date.now() + 60_000;
    await notify(person, { type: first, at });
    await notify(person, { type: second, at: first === "consent-revoked" ? at : at - 30_000 });
    expect((await me(user.access, { env: providers.env })).status).toBe(401);
    const links = await linkOf(user);
    if (second === "account-deleted") expect(links).toEqual([]);
    else expect(links[0]?.revoked_at).toBe(at - 30_000);
  });

  test("a withdrawal does not hide an earlier stop of mail", async () => {
    const { person, user } = await signUpByApple();
    const at = Date.now() + 60_000;
    await notify(person, { at });
    await notify(person, { type: "email-disabled", at: at - 30_000 });
    expect((await linkOf(user))[0]).toMatchObject({ revoked_at: at, mail_stopped_at: at - 30_000 });
  });

  test("a withdrawal from before the consent was given again changes nothing", async () => {
    const { person, user } = await signUpByApple();
    await run("update social_accounts set created_at = created_at - 3600000 where user_id = ?", user.userId);
    await notify(person, { at: Date.now() - 120_000 });
    const { user: again } = await signUpByApple(person);
    await notify(person, { at: Date.now() - 60_000 });
    expect((await linkOf(user))[0]?.revoked_at).toBeNull();
    expect((await me(again.access, { env: providers.env })).status).toBe(200);
  });

  test("changes nothing if it is older than the link, of an unknown account or kind, or without an event", async () => {
    const { person, user } = await signUpByApple();
    const before = await linkOf(user);
    const answers = [
      await notify(person, { at: Date.now() - 3_600_000 }),
      await notify({ sub: "nobody" }),
      await notify(person, { type: "something-new" }),
      await notify(person, { event: "no JSON" }),
      await notify(person, { event: JSON.stringify({ type: "consent-revoked" }) }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(await linkOf(user)).toEqual(before);
    expect((await me(user.access, { env: providers.env })).status).toBe(200);
  });

  test("sent many times is applied once", async () => {
    const { person, user } = await signUpByApple();
    const payload = await payloadOf(person, {});
    const answers = await Promise.all(Array.from({ length: 10 }, () => deliver(payload)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const audit = (await auditOf(user.userId, "UPDATE")).filter(({ entity_type }) => entity_type === "social_account");
    expect(audit).toHaveLength(1);
    expect(await noticesOf(user)).toEqual(["APPLE_REVOKED"]);
  });

  test("that is late still counts, because Apple retries", async () => {
    const { person, user } = await signUpByApple();
    const iat = Math.floor(Date.now() / 1000) - 86_400;
    expect((await notify(person, { claims: { iat, exp: iat + 600 } })).status).toBe(200);
    expect((await me(user.access, { env: providers.env })).status).toBe(401);
  });

  test.each<[string, Sent]>([
    ["of another issuer", { claims: { iss: "https://evil.example" } }],
    ["for another service", { claims: { aud: "com.example.other" } }],
    ["without an id", { claims: { jti: undefined } }],
    ["with a NUL in its id", { claims: { jti: "a\u0000b" } }],
    ["with a lone surrogate in its id", { claims: { jti: "a\ud800" } }],
    ["with an invisible id", { claims: { jti: "\u200b\u2060" } }],
    ["by an unknown key", { header: { alg: "RS256", kid: "unknown" } }],
    ["without a signature", { header: { alg: "none" } }],
  ])("%s is refused and changes nothing", async (_, sent) => {
    const { person, user } = await signUpByApple();
    expectError(await notify(person, sent), 400, "social_auth_failed");
    expect((await me(user.access, { env: providers.env })).status).toBe(200);
  });

  test.each(["x", "a.b.c", "x".repeat(9000)])("%s is no notification", async (payload) => {
    expectError(await deliver(payload), 400, "social_auth_failed");
  });

  test("is 404 where sign-in with Apple is not configured", async () => {
    expectError(await call("POST", "/api/auth/apple/notifications", { json: { payload: "x" } }), 404, "not_found");
  });
});
