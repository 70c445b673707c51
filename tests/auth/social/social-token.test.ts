import { decodeJwt } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, type CallOptions, call, newEmail, newIp, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count, rows } from "../../support/database.ts";
import type { Host } from "../../support/internet.ts";
import {
  base64urlSha256,
  CLIENTS,
  encode,
  fakeProviders,
  hexSha256,
  mint,
  type Name,
  names,
  newPerson,
  type Person,
  type Providers,
  REFRESH_TOKEN,
} from "../../support/openid.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";
import { heldTasks, runTasks } from "../../support/tasks.ts";
import { findTraces } from "../../support/traces.ts";

beforeAll(keepSentEvents);

const clock = useClock();
let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const post = (name: Name, json: object, options: CallOptions = {}) =>
  call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, ...options, json });
const signIn = async (name: Name, person: Person, options: CallOptions = {}, claims = {}) =>
  post(name, await providers.nativeSignIn(name, person, claims), options);
const me = (token: string) => call("GET", "/api/auth/me", { token, env: providers.env });
const refresh = (refresh: string) => call("POST", "/api/auth/refresh", { json: { refresh }, env: providers.env });
const refusal = (answer: { status: number; body: { error?: { code: string } } }) => [
  answer.status,
  answer.body.error?.code,
];

const otpUser = (email: string) => signUp(email, { ip: newIp(), env: providers.env });

describe.each(names)("a sign-in with %s", (name) => {
  it("creates a complete account for an address that the provider vouches for", async () => {
    const person = newPerson(name, { name: "Asha Gurung", picture: "https://example.com/asha.png" });
    const apple = name === "apple" ? { name: "Asha Gurung" } : {};
    const answer = await post(name, { ...(await providers.nativeSignIn(name, person)), ...apple });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { user_id, access_token, refresh_token, token_type, expires_in, user, message } = answer.body.data;
    expect({ token_type, expires_in, message }).toMatchObject({ token_type: "Bearer", expires_in: 900 });
    expect(user).toMatchObject({ id: user_id, social_provider: name.toUpperCase(), status: "ACTIVE" });
    expect(user.username).toBe(person.email.split("@")[0]);
    expect((await me(access_token)).status).toBe(200);
    expect((await refresh(refresh_token)).status).toBe(200);
    const profile = await call("GET", "/api/users/profile", { token: access_token, env: providers.env });
    expect(profile.body.data.full_name).toBe("Asha Gurung");
    if (name === "google") expect(profile.body.data.avatar_url).toBe("https://example.com/asha.png");
    const [row] = await rows("select * from users where id = ?", user_id);
    expect(row).toMatchObject({ email: person.email, email_verified: 1, phone_number: null, version: 1 });
    expect(await rows("select current_points, total_points from points where user_id = ?", user_id)).toEqual([
      { current_points: 50, total_points: 50 },
    ]);
    expect(await count("from wallets where user_id = ?", user_id)).toBe(1);
    expect(
      await rows("select action, entity_type from audit_logs where user_id = ? order by entity_type", user_id),
    ).toEqual([
      { action: "CREATE", entity_type: "social_account" },
      { action: "CREATE", entity_type: "user" },
    ]);
    const types = await rows(
      "select type from recorded_events where user_id = ? and type like 'user.%' order by type",
      user_id,
    );
    expect(types.map(({ type }) => type)).toEqual(["user.created", "user.social_registered"]);
    expect(await rows("select method from sessions where user_id = ?", user_id)).toEqual([
      { method: name.toUpperCase() },
    ]);
    expect(await count("from social_accounts where user_id = ? and subject = ?", user_id, person.sub)).toBe(1);
  });

  it("welcomes only new people, and each of them once", async () => {
    const tasks = heldTasks();
    const person = newPerson(name);
    const env = { ...providers.env, ...tasks.env };
    const first = await signIn(name, person, { env });
    await signIn(name, person, { env });
    const { user_id, access_token: token } = first.body.data;
    const messages = tasks.take(user_id, "user.social_registered");
    expect(messages).toHaveLength(1);
    for (let copy = 0; copy < 2; copy++) expect(await runTasks(messages, env)).toEqual(["taken"]);
    const notifications = await call("GET", "/api/users/notifications", { token, env });
    expect(
      notifications.body.data.results.map((each: { notification_type: string }) => each.notification_type),
    ).toEqual(["WELCOME"]);
  });

  it("creates an account without an address if the provider does not vouch for it, and records it", async () => {
    const person = newPerson(name, { email: newEmail() });
    const answer = await signIn(name, person);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.user.username).toMatch(/^user_\d{4}/);
    const [row] = await rows("select * from users where id = ?", answer.body.data.user_id);
    expect(row).toMatchObject({ email: null, email_verified: 0 });
    expect(JSON.parse(String(row?.social_profile_data))).toMatchObject({
      email: person.email,
      is_email_authoritative: false,
    });
  });

  it("lets the owner of an address register although a provider asserted it without authority", async () => {
    const email = newEmail();
    await signIn(name, newPerson(name, { email }));
    const owner = await otpUser(email);
    expect(await count("from users where email = ? and id = ?", email, owner.userId)).toBe(1);
  });

  it("signs a known person in to the same account although their address changed", async () => {
    const person = newPerson(name);
    const first = await signIn(name, person);
    clock.advance(10 * MINUTE);
    const again = await signIn(name, { ...person, email: newEmail() });
    expect(again.status).toBe(200);
    expect(again.body.data.user_id).toBe(first.body.data.user_id);
    expect(again.body.data.refresh_token).not.toBe(first.body.data.refresh_token);
    const { user_id } = first.body.data;
    expect(await rows("select email, last_login from users where id = ?", user_id)).toEqual([
      { email: person.email, last_login: Date.now() },
    ]);
    expect(await count("from audit_logs where user_id = ? and action = 'LOGIN'", user_id)).toBe(1);
    expect(await count("from social_accounts where user_id = ?", user_id)).toBe(1);
    expect(await count("from point_transactions where user_id = ?", user_id)).toBe(1);
    expect((await me(first.body.data.access_token)).status).toBe(200);
  });

  it("signs a linked person in to their own account although the address now belongs to another user", async () => {
    const person = newPerson(name);
    const first = await signIn(name, person);
    const other = newPerson(name);
    const local = await otpUser(other.email);
    const again = await signIn(name, { ...person, email: other.email });
    expect(again.status, JSON.stringify(again.body)).toBe(200);
    expect(again.body.data.user_id).toBe(first.body.data.user_id);
    expect(await count("from social_accounts where user_id = ?", local.userId)).toBe(0);
    expect((await signIn(name, other)).body.data.user_id).toBe(local.userId);
  });

  it("returns the same session if repeated with the same token within 180 seconds, and is rejected afterwards", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const first = await post(name, json);
    clock.advance(179_000);
    const again = await post(name, json);
    expect(again.status, JSON.stringify(again.body)).toBe(200);
    expect(again.body.data.refresh_token).toBe(first.body.data.refresh_token);
    expect(await count("from sessions where user_id = ?", first.body.data.user_id)).toBe(1);
    clock.advance(2000);
    expect(refusal(await post(name, json))).toEqual([400, "id_token_stale"]);
    expect(await count("from sessions where user_id = ?", first.body.data.user_id)).toBe(1);
    if (name === "apple") expect(providers.callsTo(providers.tokens.apple)).toHaveLength(1);
  });

  it.each(["rotated", "ended"])(
    "cannot be repeated once its session has been %s, with or without a key",
    async (how) => {
      const json = await providers.nativeSignIn(name, newPerson(name));
      const headers = { "idempotency-key": crypto.randomUUID() };
      const { access_token: token, refresh_token } = (await post(name, json, { headers })).body.data;
      if (how === "rotated") await refresh(refresh_token);
      else await call("POST", "/api/auth/logout", { token, json: { refresh_token }, env: providers.env });
      expect(refusal(await post(name, json))).toEqual([400, "id_token_stale"]);
      expect(refusal(await post(name, json, { headers }))).toEqual([400, "id_token_stale"]);
    },
  );

  it("with an Idempotency-Key returns the same response for 24 hours, however the body is encoded", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await post(name, json, { headers });
    for (const wait of [5 * MINUTE, 10 * MINUTE, 23 * HOUR]) {
      clock.advance(wait);
      const form = { ...json } as Record<string, string>;
      const again = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, headers, form });
      expect(again.status, `${wait} ${JSON.stringify(again.body)}`).toBe(200);
      expect(again.body.data.refresh_token).toBe(first.body.data.refresh_token);
    }
    expect(await count("from sessions where user_id = ?", first.body.data.user_id)).toBe(1);
    clock.advance(HOUR);
    expect(refusal(await post(name, json, { headers }))).toEqual([400, "id_token_stale"]);
  });

  it("with an Idempotency-Key returns the same response for 24 hours after the sign-in, however old its token was", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const headers = { "idempotency-key": crypto.randomUUID() };
    clock.advance(9 * MINUTE);
    const first = await post(name, json, { headers });
    clock.advance(24 * HOUR - 1);
    const again = await post(name, json, { headers });
    expect([again.status, again.body.data?.refresh_token]).toEqual([200, first.body.data.refresh_token]);
    clock.advance(1);
    expect(refusal(await post(name, json, { headers }))).toEqual([400, "id_token_stale"]);
  });

  it("with an Idempotency-Key that is bound to another body gets 409 and does not consume its token", async () => {
    const person = newPerson(name);
    const headers = { "idempotency-key": crypto.randomUUID() };
    await signIn(name, person, { headers });
    const next = await providers.nativeSignIn(name, person);
    expect(refusal(await post(name, next, { headers }))).toEqual([409, "idempotency_key_reused"]);
    const code = { authorization_code: providers.issueCode("apple", { sub: person.sub }) };
    const fresh = name === "apple" ? { ...next, ...code } : next;
    expect((await post(name, fresh)).status).toBe(200);
    // An Idempotency-Key belongs to one identity; another person may use the same key.
    expect((await signIn(name, newPerson(name), { headers })).status).toBe(200);
  });

  it("links an account with a verified address that the provider vouches for", async () => {
    const person = newPerson(name, { name: "Asha", picture: "https://example.com/a.png" });
    const local = await otpUser(person.email);
    const answer = await signIn(name, person);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.user_id).toBe(local.userId);
    const [row] = await rows("select * from users where id = ?", local.userId);
    expect(row).toMatchObject({ email_verified: 1, social_provider: "EMAIL" });
    expect((await me(local.access)).status).toBe(200);
    expect(await count("from audit_logs where user_id = ? and entity_type = 'social_account'", local.userId)).toBe(1);
    expect(await count("from recorded_events where user_id = ? and type = 'auth.social_linked'", local.userId)).toBe(1);
    expect(
      await count("from recorded_events where user_id = ? and type = 'user.social_registered'", local.userId),
    ).toBe(0);
    expect(await count("from point_transactions where user_id = ?", local.userId)).toBe(1);
    expect((await signIn(name, { ...person, email: newEmail() })).body.data.user_id).toBe(local.userId);
  });

  it("verifies an address that staff set and credits the signup points once", async () => {
    const person = newPerson(name);
    const local = await otpUser(person.email);
    await rows("update users set email_verified = 0 where id = ?", local.userId);
    await rows("delete from point_transactions where user_id = ?", local.userId);
    await rows("update points set current_points = 0, total_points = 0 where user_id = ?", local.userId);
    for (let i = 0; i < 2; i++) expect((await signIn(name, person)).body.data.user_id).toBe(local.userId);
    expect(await rows("select email_verified from users where id = ?", local.userId)).toEqual([{ email_verified: 1 }]);
    expect(await rows("select current_points from points where user_id = ?", local.userId)).toEqual([
      { current_points: 50 },
    ]);
    expect(
      await count(
        "from audit_logs where user_id = ? and action = 'LOGIN' and json_extract(new_values, '$.email_verified') = 1",
        local.userId,
      ),
    ).toBe(1);
  });

  it.each([
    ["the provider does not manage its domain", () => ({ email: newEmail() })],
    ["it was not verified", () => ({ email_verified: false })],
    ["the token does not say whether it is verified", () => ({ email_verified: undefined })],
    ["email_verified is a number", () => ({ email_verified: 1 })],
    ["email_verified is a string in capitals", () => ({ email_verified: "TRUE" })],
    ["its domain only ends like the provider's", () => ({ email: newEmail().replace("example.com", "notgmail.com") })],
    ["its domain only begins like the provider's", () => ({ email: newEmail().replace("@", "@gmail.com.") })],
  ])("returns link_required if a user has the address and %s (ASVS 6.8.1)", async (_, changes) => {
    const person = newPerson(name, changes() as Partial<Person>);
    const local = await otpUser(person.email);
    const json = await providers.nativeSignIn(name, person);
    expect(refusal(await post(name, json))).toEqual([409, "link_required"]);
    expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
    expect(await count("from sessions where user_id = ?", local.userId)).toBe(1);
    // A rejected ID token stays unused: its owner signs in with a code and links it.
    const link = await call("POST", `/api/auth/${name}/link`, { token: local.access, env: providers.env, json });
    expect(link.status, JSON.stringify(link.body)).toBe(200);
    expect((await signIn(name, person)).body.data.user_id).toBe(local.userId);
  });

  it("matches an address whatever its case", async () => {
    const person = newPerson(name);
    const local = await otpUser(person.email);
    const answer = await signIn(name, { ...person, email: ` ${person.email.toUpperCase()} ` });
    expect(answer.body.data.user_id).toBe(local.userId);
  });

  it.each(["BANNED", "INACTIVE"])(
    "rejects an account that staff set to %s, whether linked or found by its address",
    async (status) => {
      const person = newPerson(name);
      const { user_id } = (await signIn(name, person)).body.data;
      await rows("update users set status = ?, status_reason = 'staff' where id = ?", status, user_id);
      expect(refusal(await signIn(name, person))).toEqual([403, "account_inactive"]);
      const other = newPerson(name);
      const local = await otpUser(other.email);
      await rows("update users set status = ?, status_reason = 'staff' where id = ?", status, local.userId);
      expect(refusal(await signIn(name, other))).toEqual([403, "account_inactive"]);
      expect(await count("from social_accounts where user_id = ?", local.userId)).toBe(0);
    },
  );

  it("reactivates an account that was inactive", async () => {
    const person = newPerson(name);
    const { user_id } = (await signIn(name, person)).body.data;
    await rows("update users set status = 'INACTIVE', status_reason = 'inactivity' where id = ?", user_id);
    const answer = await signIn(name, person);
    expect(answer.status).toBe(200);
    expect(answer.body.data.user.status).toBe("ACTIVE");
    expect(await count("from point_transactions where user_id = ?", user_id)).toBe(1);
    expect(await count("from recorded_events where user_id = ? and type = 'user.updated'", user_id)).toBe(1);
  });

  it("lifts the lock that failures set on a network class", async () => {
    const person = newPerson(name);
    const local = await otpUser(person.email);
    await rows(
      `insert into otp_class_guards (identifier, network_class, failures, streak, locked_until, last_guess_at)
        values (?, 'other', '[]', 100, 0, ?)`,
      person.email,
      Date.now(),
    );
    expect((await signIn(name, person)).body.data.user_id).toBe(local.userId);
    expect(await count("from otp_class_guards where identifier = ?", person.email)).toBe(0);
  });

  it("accepts a token of up to 10 minutes for any configured client, alone or in a list of audiences", async () => {
    for (const aud of [CLIENTS[name].web, CLIENTS[name].ios, [CLIENTS[name].ios]]) {
      const person = newPerson(name);
      const azp = name === "google" ? { azp: CLIENTS.google.ios } : {};
      expect((await signIn(name, person, {}, { aud, ...azp })).status).toBe(200);
    }
    const person = newPerson(name);
    const json = await providers.nativeSignIn(name, person);
    clock.advance(10 * MINUTE);
    expect((await post(name, json)).status).toBe(200);
  });

  it("treats a second token of the same person as another sign-in, and keeps at most 10 sessions", async () => {
    const person = newPerson(name);
    let userId = "";
    for (let i = 0; i < 11; i++) {
      clock.advance(1000);
      userId = (await signIn(name, person)).body.data.user_id;
    }
    expect(await count("from sessions where user_id = ? and revoked_at is null", userId)).toBe(10);
  });

  it("rejects a used token with a different encoding of its signature", async () => {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const first = await post(name, json);
    expect(first.status).toBe(200);
    await refresh(first.body.data.refresh_token);
    const { id_token } = json;
    const [head, body, signature = ""] = id_token.split(".");
    const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const next = last[last.indexOf(signature.slice(-1)) + 1];
    const spellings = [
      `${head}.${body}.${signature.slice(0, -1)}${next}`,
      `${head}.${body}.${signature.replaceAll("-", "+").replaceAll("_", "/")}`,
      `${head}.${body}.${signature}==`,
      `${head}.${body}.${signature.slice(0, 9)}\n${signature.slice(9)}`,
    ].filter((spelling) => spelling !== id_token);
    for (const spelling of spellings) {
      const apple = name === "apple" ? { authorization_code: providers.issueCode("apple") } : {};
      const answer = await post(name, { ...json, id_token: spelling, ...apple });
      expect(answer.status).toBe(400);
      expect(["id_token_stale", "social_auth_failed"]).toContain(answer.body.error.code);
    }
    expect(await count("from sessions where user_id = ?", first.body.data.user_id)).toBe(1);
  });

  it("is 404 if it is not configured, and 503 if it is configured incompletely", async () => {
    const names =
      name === "google"
        ? ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_NATIVE_CLIENT_IDS", "GOOGLE_ENDPOINTS"]
        : [
            "APPLE_CLIENT_ID",
            "APPLE_TEAM_ID",
            "APPLE_KEY_ID",
            "APPLE_PRIVATE_KEY",
            "APPLE_NATIVE_CLIENT_IDS",
            "APPLE_ENDPOINTS",
          ];
    const env = { ...providers.env, ...Object.fromEntries(names.map((each) => [each, undefined])) } as Partial<Env>;
    expect(refusal(await signIn(name, newPerson(name), { env }))).toEqual([404, "not_found"]);
    const half = { ...providers.env, [names[1] as string]: undefined } as Partial<Env>;
    expect(refusal(await signIn(name, newPerson(name), { env: half }))).toEqual([503, "service_unavailable"]);
  });

  it("does not take over a malformed address or picture", async () => {
    const person = newPerson(name, { name: "A\u0000\u202e  B\n", picture: "javascript:alert(1)", email: "no address" });
    const answer = await signIn(name, person);
    expect(answer.status).toBe(200);
    expect(answer.body.data.user.profile_picture).toBeNull();
    const [row] = await rows("select email, social_profile_data from users where id = ?", answer.body.data.user_id);
    expect(row?.email).toBeNull();
    expect(JSON.parse(String(row?.social_profile_data))).toMatchObject({ email: null, picture: null });
  });
});

it.each([
  ["an emoji at the limit of length", `${"n".repeat(254)}😀 Gurung`, "n".repeat(254)],
  ["half a character", "Asha \udc00Gurung", "Asha \ufffdGurung"],
  ["line separators and controls", "Asha\u2028\u0007Gurung\u0085", "Asha Gurung"],
  ["nothing visible", "\u200b\u3164", null],
])("a name of Google's with %s is stored as whole characters", async (_, name, kept) => {
  const { body } = await signIn("google", newPerson("google", { name }));
  const profile = await call("GET", "/api/users/profile", { token: body.data.access_token, env: providers.env });
  expect(profile.body.data.full_name).toBe(kept);
});

describe("Google's nonce", () => {
  const token = (nonce: unknown) => mint("google", { ...newPerson("google"), nonce });

  it("may be absent, raw or its SHA-256", async () => {
    const nonce = "nonce-of-the-app";
    for (const claim of [nonce, await hexSha256(nonce), await base64urlSha256(nonce)]) {
      expect((await post("google", { id_token: await token(claim), nonce })).status).toBe(200);
    }
    expect((await post("google", { id_token: await token(undefined) })).status).toBe(200);
    expect((await post("google", { id_token: await token(nonce) })).status).toBe(200);
  });
});

describe("Google's authority", () => {
  it("covers the addresses of a Workspace domain, but not with email_verified as a string", async () => {
    const person = newPerson("google", { email: newEmail(), hd: "example.com" });
    const local = await otpUser(person.email);
    expect(refusal(await signIn("google", { ...person, email_verified: "true" }))).toEqual([409, "link_required"]);
    expect((await signIn("google", person)).body.data.user_id).toBe(local.userId);
  });
});

describe("Apple's authority", () => {
  it.each(["icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"])(
    "covers %s, with email_verified as boolean or string",
    async (domain) => {
      for (const email_verified of [true, "true"]) {
        const person = newPerson("apple", { email: newEmail().replace("example.com", domain), email_verified });
        const local = await otpUser(person.email);
        expect((await signIn("apple", person)).body.data.user_id).toBe(local.userId);
      }
    },
  );

  it("does not cover gmail.com, not even with a hosted domain", async () => {
    const person = newPerson("apple", { email: newEmail().replace("example.com", "gmail.com"), hd: "gmail.com" });
    await otpUser(person.email);
    expect(refusal(await signIn("apple", person))).toEqual([409, "link_required"]);
  });
});

describe("Apple's authorization code", () => {
  it("is exchanged for the client that the token was issued to, with a secret that Apple accepts", async () => {
    for (const aud of Object.values(CLIENTS.apple)) await signIn("apple", newPerson("apple"), {}, { aud });
    expect(providers.refused).toEqual([]);
    const forms = providers.callsTo(providers.tokens.apple).map(({ body }) => new URLSearchParams(body));
    expect(forms.map((form) => form.get("client_id"))).toEqual(Object.values(CLIENTS.apple));
    for (const form of forms) {
      expect(form.has("redirect_uri")).toBe(false);
      const { exp = 0, iat = 0, sub } = decodeJwt(form.get("client_secret") ?? "");
      expect(exp - iat).toBeLessThanOrEqual(600);
      expect(sub).toBe(form.get("client_id"));
    }
  });

  it("yields a refresh token that is stored only encrypted", async () => {
    const { user_id } = (await signIn("apple", newPerson("apple"))).body.data;
    const [row] = await rows("select * from social_accounts where user_id = ?", user_id);
    expect(row).toMatchObject({ client_id: CLIENTS.apple.ios, sealed_refresh_token: expect.any(String) });
    expect(await findTraces([REFRESH_TOKEN, encode(REFRESH_TOKEN)])).toEqual([]);
  });

  it("is required, like the nonce", async () => {
    const json = await providers.nativeSignIn("apple", newPerson("apple"));
    for (const field of ["nonce", "authorization_code"]) {
      const answer = await post("apple", { ...json, [field]: undefined });
      expect(refusal(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual([field]);
    }
  });

  it("signs nobody in if it belongs to another client or was used", async () => {
    const person = newPerson("apple");
    const json = await providers.nativeSignIn("apple", person);
    const foreign = providers.issueCode("apple", { clientId: CLIENTS.apple.web });
    expect(refusal(await post("apple", { ...json, authorization_code: foreign }))).toEqual([400, "social_auth_failed"]);
    expect(refusal(await post("apple", { ...json, authorization_code: "none" }))).toEqual([400, "social_auth_failed"]);
    expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
    expect((await post("apple", json)).status).toBe(200);
  });

  it("returns the session of a parallel repetition that exchanged the code first", async () => {
    const json = await providers.nativeSignIn("apple", newPerson("apple"));
    const whole = providers.behaviour[providers.tokens.apple] as Host;
    let inner: Answer | undefined;
    providers.behaviour[providers.tokens.apple] = async (request) => {
      providers.behaviour[providers.tokens.apple] = whole;
      inner = await post("apple", json);
      return whole(request);
    };
    const outer = await post("apple", json);
    expect(providers.refused).toEqual(["code"]);
    expect([inner?.status, outer.status]).toEqual([200, 200]);
    expect(outer.body.data.refresh_token).toBe(inner?.body.data.refresh_token);
  });

  it("is not exchanged for an account that may not sign in", async () => {
    const person = newPerson("apple");
    const { user_id } = (await signIn("apple", person)).body.data;
    await rows("update users set status = 'BANNED', status_reason = 'staff' where id = ?", user_id);
    expect(refusal(await signIn("apple", person))).toEqual([403, "account_inactive"]);
    expect(providers.callsTo(providers.tokens.apple)).toHaveLength(1);
  });

  it("may come with a name, which fills only an empty profile", async () => {
    const person = newPerson("apple");
    const json = await providers.nativeSignIn("apple", person);
    const first = await post("apple", { ...json, name: "  Asha   Gurung " });
    const { access_token: token } = first.body.data;
    const again = await post("apple", { ...(await providers.nativeSignIn("apple", person)), name: "Somebody Else" });
    expect(again.status).toBe(200);
    const profile = await call("GET", "/api/users/profile", { token, env: providers.env });
    expect(profile.body.data.full_name).toBe("Asha Gurung");
  });
});
