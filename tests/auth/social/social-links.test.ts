import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  type SignedIn,
  signUp,
  verify,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, rows } from "../../support/database.ts";
import type { Host } from "../../support/internet.ts";
import {
  CLIENTS,
  fakeProviders,
  type Name,
  names,
  newPerson,
  type Person,
  type Providers,
  REFRESH_TOKEN,
} from "../../support/openid.ts";
import { recordLog } from "../../support/production.ts";
import { heldTasks, runTasks, type TaskMessage, tick } from "../../support/tasks.ts";
import { findTraces } from "../../support/traces.ts";

const clock = useClock();
let providers: Providers;
let tasks: ReturnType<typeof heldTasks>;
let env: Partial<Env>;
beforeEach(() => {
  providers = fakeProviders();
  tasks = heldTasks();
  env = { ...providers.env, ...tasks.env };
});
afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

const newUser = (identifier = newPhone()) => signUp(identifier, { ip: newIp(), env });
const link = async (name: Name, token: string, json: object, options: CallOptions = {}) =>
  call("POST", `/api/auth/${name}/link`, { ip: newIp(), env, token, json, ...options });
const unlink = (name: Name, token: string, json: object = {}, options: CallOptions = {}) =>
  call("DELETE", `/api/auth/${name}/link`, { ip: newIp(), env, token, json, ...options });
const signIn = async (name: Name, person: Person) =>
  call("POST", `/api/auth/${name}/token`, { ip: newIp(), env, json: await providers.nativeSignIn(name, person) });

async function linkedUser(
  name: Name,
  person = newPerson(name, { email: newEmail() }),
): Promise<SignedIn & { person: Person }> {
  const user = await newUser();
  const answer = await link(name, user.access, await providers.nativeSignIn(name, person));
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return { ...user, person };
}

describe.each(names)("linking %s", (name) => {
  it("adds a way to sign in, whatever the address, with an audit row, a notification and events", async () => {
    const person = newPerson(name, { email: newEmail(), name: "Asha Gurung", picture: "https://example.com/a.png" });
    const user = await newUser();
    const before = await rows("select version from users where id = ?", user.userId);
    const answer = await link(name, user.access, await providers.nativeSignIn(name, person));
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data).toEqual({ message: expect.any(String) });
    expect((await signIn(name, person)).body.data.user_id).toBe(user.userId);
    const audits = await rows(
      "select * from audit_logs where user_id = ? and entity_type = 'social_account'",
      user.userId,
    );
    expect(audits).toHaveLength(1);
    expect(audits[0]).toMatchObject({
      action: "CREATE",
      actor_id: user.userId,
      new_values: `{"provider":"${name.toUpperCase()}"}`,
    });
    const linked = tasks.take(user.userId, "auth.social_linked");
    expect(linked).toHaveLength(1);
    expect(tasks.take(user.userId, "user.updated")).toHaveLength(1);
    for (let copy = 0; copy < 2; copy++) expect(await runTasks(linked, env)).toEqual(["taken"]);
    expect(await rows("select notification_type from notifications where user_id = ?", user.userId)).toEqual([
      { notification_type: "ACCOUNT_LINKED" },
    ]);
    const [row] = await rows(
      "select version, profile_picture, email, social_provider from users where id = ?",
      user.userId,
    );
    expect(row).toEqual({
      version: Number(before[0]?.version) + 1,
      profile_picture: "https://example.com/a.png",
      email: null,
      social_provider: "PHONE",
    });
    if (name === "google") {
      expect(await rows("select full_name from profiles where user_id = ?", user.userId)).toEqual([
        { full_name: "Asha Gurung" },
      ]);
    }
  });

  it("lets an account without an e-mail address sign in by a provider that vouches for its own address", async () => {
    const user = await linkedUser(name, newPerson(name));
    const answer = await signIn(name, user.person);
    expect([answer.status, answer.body.data?.user_id]).toEqual([200, user.userId]);
    expect(await rows("select email, email_verified from users where id = ?", user.userId)).toEqual([
      { email: null, email_verified: 0 },
    ]);
  });

  it("changes nothing if already linked, with the same token and with another", async () => {
    const user = await newUser();
    const person = newPerson(name);
    const json = await providers.nativeSignIn(name, person);
    for (const body of [json, json, await providers.nativeSignIn(name, person)]) {
      expect((await link(name, user.access, body)).status).toBe(200);
    }
    expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(1);
    expect(await count("from audit_logs where user_id = ? and entity_type = 'social_account'", user.userId)).toBe(1);
    expect(tasks.take(user.userId, "auth.social_linked")).toHaveLength(1);
    if (name === "apple") expect(providers.callsTo(providers.tokens.apple)).toHaveLength(1);
  });

  it("is a conflict for another user's provider account and for a second one, and changes nothing", async () => {
    const owner = await linkedUser(name);
    const user = await newUser();
    const theirs = await link(name, user.access, await providers.nativeSignIn(name, owner.person));
    expect(refusal(theirs)).toEqual([409, "conflict"]);
    expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(0);
    const second = await link(name, owner.access, await providers.nativeSignIn(name, newPerson(name)));
    expect(refusal(second)).toEqual([409, "provider_already_linked"]);
    expect(await count("from social_accounts where user_id = ?", owner.userId)).toBe(1);
    expect((await signIn(name, owner.person)).body.data.user_id).toBe(owner.userId);
  });

  it("rejects an ID token that was already used for a sign-in", async () => {
    const person = newPerson(name);
    const json = await providers.nativeSignIn(name, person);
    const signedIn = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env, json });
    // The account keeps its verified address as a way to sign in, so the link can be removed.
    const { user_id, access_token } = signedIn.body.data;
    expect((await unlink(name, access_token)).status).toBe(200);
    const fresh = name === "apple" ? { ...json, authorization_code: providers.issueCode("apple") } : json;
    expect(refusal(await link(name, access_token, fresh))).toEqual([400, "id_token_stale"]);
    expect(await count("from social_accounts where user_id = ?", user_id)).toBe(0);
  });

  it("consumes the ID token, which then cannot be used for a sign-in", async () => {
    const user = await newUser();
    const json = await providers.nativeSignIn(name, newPerson(name));
    await link(name, user.access, json);
    const fresh = name === "apple" ? { ...json, authorization_code: providers.issueCode("apple") } : json;
    const answer = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env, json: fresh });
    expect(refusal(answer)).toEqual([400, "id_token_stale"]);
    expect(await count("from sessions where user_id = ?", user.userId)).toBe(1);
  });

  it("rejects an invalid token and leaves the caller's session as it is", async () => {
    const user = await newUser();
    const json = await providers.nativeSignIn(name, newPerson(name));
    for (const id_token of ["garbage", `${json.id_token.slice(0, -6)}AAAAAA`]) {
      expect(refusal(await link(name, user.access, { ...json, id_token }))).toEqual([400, "social_auth_failed"]);
    }
    clock.advance(9 * MINUTE);
    const stale = await providers.nativeSignIn(name, newPerson(name), { iat: Math.floor(Date.now() / 1000) - 601 });
    expect(refusal(await link(name, user.access, stale))).toEqual([400, "id_token_stale"]);
    expect((await call("GET", "/api/auth/me", { token: user.access, env })).status).toBe(200);
  });

  it.each(["link", "unlink"])(
    "%s needs a sign-in of the last 10 minutes, not a refresh, or a fresh verification token (ASVS 7.5.1)",
    async (act) => {
      const user = act === "link" ? { ...(await newUser()), person: newPerson(name) } : await linkedUser(name);
      clock.advance(10 * MINUTE);
      const refreshed = await call("POST", "/api/auth/refresh", { env, json: { refresh: user.refresh } });
      const token = refreshed.body.access;
      const body = act === "link" ? await providers.nativeSignIn(name, user.person) : {};
      const go = (extra: object) =>
        act === "link" ? link(name, token, { ...body, ...extra }) : unlink(name, token, extra);
      expect(refusal(await go({}))).toEqual([403, "reauthentication_required"]);
      const foreign = await verify(newPhone(), { ip: newIp(), env });
      expect(refusal(await go({ verification_token: foreign }))).toEqual([403, "reauthentication_required"]);
      expect(refusal(await go({ verification_token: "x" }))).toEqual([403, "reauthentication_required"]);
      const verification_token = await verify(user.identifier, { ip: newIp(), env });
      const answer = await go({ verification_token });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(act === "link" ? 1 : 0);
    },
  );

  it("requires authentication", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    for (const method of ["POST", "DELETE"]) {
      const path = `/api/auth/${name}/link`;
      expect(refusal(await call(method, path, { env, json }))).toEqual([401, "authentication_required"]);
      expect(refusal(await call(method, path, { env, json, token: "x.y.z" }))).toEqual([401, "token_not_valid"]);
      const ended = await newUser();
      await call("POST", "/api/auth/logout", { env, token: ended.access, json: { refresh: ended.refresh } });
      expect(refusal(await call(method, path, { env, json, token: ended.access }))).toEqual([401, "token_not_valid"]);
      const banned = await newUser();
      await rows("update users set status = 'BANNED' where id = ?", banned.userId);
      expect(refusal(await call(method, path, { env, json, token: banned.access }))).toEqual([401, "token_not_valid"]);
    }
    expect(providers.callsTo(providers.tokens.apple)).toEqual([]);
  });
});

describe.each(names)("unlinking %s", (name) => {
  it("removes the way to sign in, with an audit row, a notification and events, and keeps nothing of the provider's account", async () => {
    const user = await linkedUser(name);
    tasks.take(user.userId);
    const [before] = await rows("select version from users where id = ?", user.userId);
    const answer = await unlink(name, user.access);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(0);
    const [row] = await rows("select version, social_profile_data from users where id = ?", user.userId);
    expect(row).toEqual({ version: Number(before?.version) + 1, social_profile_data: null });
    const audits = await rows("select old_values from audit_logs where user_id = ? and action = 'DELETE'", user.userId);
    expect(audits).toEqual([{ old_values: `{"provider":"${name.toUpperCase()}"}` }]);
    const due = tasks.take(user.userId, "auth.social_unlinked");
    expect(await runTasks(due, env)).toEqual(["taken"]);
    expect(
      await count("from notifications where user_id = ? and notification_type = 'ACCOUNT_UNLINKED'", user.userId),
    ).toBe(1);
    expect(tasks.take(user.userId, "user.updated")).toHaveLength(1);
    // The provider account is not linked to any user now.
    expect((await signIn(name, user.person)).body.data.user_id).not.toBe(user.userId);
  });

  it("keeps the profile data of the other provider", async () => {
    const other = name === "google" ? "apple" : "google";
    const user = await linkedUser(name);
    await link(other, user.access, await providers.nativeSignIn(other, newPerson(other)));
    await unlink(name, user.access);
    const [row] = await rows("select social_profile_data from users where id = ?", user.userId);
    expect(JSON.parse(String(row?.social_profile_data))).toMatchObject({ provider: other });
  });

  it("is refused for the last verified way to sign in", async () => {
    const alone = (await signIn(name, newPerson(name, { email: newEmail() }))).body.data;
    expect(refusal(await unlink(name, alone.access_token))).toEqual([409, "last_sign_in_method"]);
    // An address set by staff is not a way to sign in until it is verified.
    await rows("update users set email = ?, email_verified = 0 where id = ?", newEmail(), alone.user_id);
    expect(refusal(await unlink(name, alone.access_token))).toEqual([409, "last_sign_in_method"]);
    expect(await count("from social_accounts where user_id = ?", alone.user_id)).toBe(1);
    const other = name === "google" ? "apple" : "google";
    await link(other, alone.access_token, await providers.nativeSignIn(other, newPerson(other)));
    expect((await unlink(name, alone.access_token)).status).toBe(200);
    expect(refusal(await unlink(other, alone.access_token))).toEqual([409, "last_sign_in_method"]);
  });

  it("is 404 if nothing is linked or the provider is not configured", async () => {
    const user = await newUser();
    expect(refusal(await unlink(name, user.access))).toEqual([404, "not_found"]);
    const other = name === "google" ? "apple" : "google";
    await link(other, user.access, await providers.nativeSignIn(other, newPerson(other)));
    expect(refusal(await unlink(name, user.access))).toEqual([404, "not_found"]);
    expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(1);
  });

  it("leaves one link when both providers are unlinked at once", async () => {
    const other = name === "google" ? "apple" : "google";
    const alone = (await signIn(name, newPerson(name, { email: newEmail() }))).body.data;
    await link(other, alone.access_token, await providers.nativeSignIn(other, newPerson(other)));
    const answers = await Promise.all(names.map((each) => unlink(each, alone.access_token)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await count("from social_accounts where user_id = ?", alone.user_id)).toBe(1);
  });
});

describe("a refused link to Apple", () => {
  it("does not consume the authorization code, which works once the caller has re-authenticated", async () => {
    const user = await newUser();
    clock.advance(10 * MINUTE);
    const json = await providers.nativeSignIn("apple", newPerson("apple"));
    expect(refusal(await link("apple", user.access, json))).toEqual([403, "reauthentication_required"]);
    expect(providers.callsTo(providers.tokens.apple)).toEqual([]);
    const verification_token = await verify(user.identifier, { ip: newIp(), env });
    expect((await link("apple", user.access, { ...json, verification_token })).status).toBe(200);
  });
});

describe("Apple's revocation", () => {
  const revocationOf = (userId: string): TaskMessage[] => tasks.take(userId, "social.revocation_due");

  it("follows an unlink, is retried until Apple responds, and carries the token encrypted", async () => {
    const user = await linkedUser("apple");
    await unlink("apple", user.access);
    const due = revocationOf(user.userId);
    expect(due).toHaveLength(1);
    expect(JSON.stringify(due)).not.toContain(REFRESH_TOKEN);
    const whole = providers.behaviour[providers.revocation] as Host;
    const failures: Host[] = [
      () => new Response("canary", { status: 500 }),
      () => new Response(null, { status: 503 }),
      () => new Response(null, { status: 429 }),
      () => new Response(null, { status: 302, headers: { location: "https://canary.example/" } }),
      () => Response.json({ error: "invalid_client" }, { status: 400 }),
      () => Response.json({ error: "invalid_client" }, { status: 401 }),
      () => new Response(null, { status: 400 }),
      () => {
        throw new TypeError("canary");
      },
    ];
    const lines = recordLog();
    const delays: unknown[] = [];
    for (const [i, failure] of failures.entries()) {
      providers.behaviour[providers.revocation] = failure;
      delays.push(...(await runTasks(due, env, i + 1)));
    }
    expect(delays, "five minutes, doubled up to ten").toEqual([300, ...failures.slice(1).map(() => 600)]);
    expect(JSON.stringify(lines)).not.toMatch(new RegExp(`canary|${REFRESH_TOKEN}`));
    providers.behaviour[providers.revocation] = whole;
    // A queue may deliver a message twice.
    expect(await runTasks([...due, ...due], env)).toEqual(["taken", "taken"]);
    expect(new Set(providers.revoked)).toEqual(new Set([`${CLIENTS.apple.ios} ${REFRESH_TOKEN}`]));
    const form = new URLSearchParams(providers.callsTo(providers.revocation)[0]?.body);
    expect(form.get("token_type_hint")).toBe("refresh_token");
  });

  it("succeeds if Apple does not know the token or revocation is not configured", async () => {
    const user = await linkedUser("apple");
    await unlink("apple", user.access);
    const due = revocationOf(user.userId);
    providers.behaviour[providers.revocation] = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    expect(await runTasks(due, env)).toEqual(["taken"]);
    const without = [
      "APPLE_CLIENT_ID",
      "APPLE_TEAM_ID",
      "APPLE_KEY_ID",
      "APPLE_PRIVATE_KEY",
      "APPLE_NATIVE_CLIENT_IDS",
      "APPLE_ENDPOINTS",
    ];
    const bare = { ...env, ...Object.fromEntries(without.map((each) => [each, undefined])) } as Partial<Env>;
    expect(await runTasks(due, bare)).toEqual(["taken"]);
  });

  it("follows the deletion of an account; Google needs none", async () => {
    const { user_id, access_token } = (await signIn("apple", newPerson("apple"))).body.data;
    tasks.take(user_id);
    const answer = await call("DELETE", "/api/auth/account", { env, token: access_token });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const due = revocationOf(user_id);
    expect(due).toHaveLength(1);
    expect(await runTasks(due, env)).toEqual(["taken"]);
    expect(providers.revoked).toEqual([`${CLIENTS.apple.ios} ${REFRESH_TOKEN}`]);
    expect(await count("from social_accounts where user_id = ?", user_id)).toBe(0);

    const google = (await signIn("google", newPerson("google"))).body.data;
    await call("DELETE", "/api/auth/account", { env, token: google.access_token });
    expect(revocationOf(google.user_id)).toEqual([]);
  });

  it("survives a deletion of the account before it was sent", async () => {
    const user = await linkedUser("apple");
    const broken = { sendBatch: () => Promise.reject(new Error("Queue is overloaded")) };
    await unlink("apple", user.access, {}, { env: { ...env, TASK_QUEUE: broken as unknown as Queue } });
    expect((await call("DELETE", "/api/auth/account", { env, token: user.access })).status).toBe(200);
    clock.advance(31_000);
    await tick(env);
    expect(await runTasks(revocationOf(user.userId), env)).toEqual(["taken"]);
    expect(providers.revoked).toHaveLength(1);
  });

  it("uses the client id of the last sign-in", async () => {
    const person = newPerson("apple");
    for (const aud of [CLIENTS.apple.ios, CLIENTS.apple.web]) {
      const json = await providers.nativeSignIn("apple", person, { aud });
      await call("POST", "/api/auth/apple/token", { ip: newIp(), env, json });
    }
    const [row] = await rows("select client_id from social_accounts where subject = ?", person.sub);
    expect(row).toEqual({ client_id: CLIENTS.apple.web });
  });
});

describe("deleting an account with linked providers", () => {
  it("leaves nothing of the links, and the person can sign up again", async () => {
    const person = newPerson("google", { name: "Canary Gurung", picture: "https://example.com/canary.png" });
    const first = (await signIn("google", person)).body.data;
    await call("DELETE", "/api/auth/account", { env, token: first.access_token });
    const traces = await findTraces([person.sub, person.email, "Canary Gurung", "canary.png"]);
    expect(traces).toEqual([]);
    const again = await signIn("google", person);
    expect(again.status).toBe(200);
    expect(again.body.data.user_id).not.toBe(first.user_id);
  });
});
