import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { UsersClient } from "../../client/src/index.ts";
import { Authenticator } from "../support/authenticator.ts";
import { locationOf, openBrowser } from "../support/browser.ts";
import { newIp, verify } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import { APP_URI, fakeProviders, type Name, names, newPerson, newVerifier, type Providers } from "../support/openid.ts";
import { returnToCallback } from "../support/social-flow.ts";
import { startApp } from "./app.ts";

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const start = () => startApp({}, providers.env);

/** What the provider's SDK gives to an app; only Apple's has an authorization code. */
const fromSdk = async (name: Name, person = newPerson(name)) =>
  (await providers.nativeSignIn(name, person)) as Parameters<UsersClient["auth"]["apple"]>[0];

test.each(names)("%s: what the SDK gave signs in once, although the response is lost twice", async (name) => {
  const app = start();
  app.disturbOnce(`POST /auth/${name}/token`, "lose answer", "lose answer");
  const { user_id, ...rest } = await app.client.auth[name](await fromSdk(name));
  expect(rest).not.toHaveProperty("access_token");
  expect((await app.client.me()).id).toBe(user_id);
  const keys = app.sent.slice(0, 3).map(({ headers }) => headers.get("idempotency-key"));
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^.{16,}$/);
  expect(await count("from sessions where user_id = ?", user_id)).toBe(1);
});

test.each(names)(
  "%s: the browser flow ends in the app, which is signed in by the code and its verifier",
  async (name) => {
    const app = start();
    const { verifier, challenge } = await newVerifier();
    const query = { redirect_uri: APP_URI, code_challenge: challenge, state: "the app's own" };
    const { login_url } = await app.client.auth.startBrowser(name, query);
    const browser = openBrowser(providers.env, newIp());
    const asked = locationOf(await browser.go("GET", login_url));
    const back = await returnToCallback(browser, name, await providers.consent(name, asked, newPerson(name)));
    const end = new URL(locationOf(back));
    expect(end.searchParams.get("state")).toBe("the app's own");
    const code = end.searchParams.get("code") ?? "";
    const { user_id } = await app.client.auth.finishBrowser({ code, code_verifier: verifier });
    expect((await app.client.me()).id).toBe(user_id);
  },
);

test.each(names)("%s: an account is linked, signs in with the provider, and is unlinked", async (name) => {
  const app = start();
  const { user_id } = await app.signUp();
  const person = newPerson(name);
  const link = name === "google" ? app.client.auth.linkGoogle : app.client.auth.linkApple;
  await link(await fromSdk(name, person));
  const other = start();
  const again = await other.client.auth[name](await fromSdk(name, person));
  expect(again.user_id).toBe(user_id);
  await app.client.auth.unlink(name);
  expect(await count("from social_accounts where user_id = ?", user_id)).toBe(0);
});

test("a refused ID token signs nobody in, and is not sent again", async () => {
  const app = start();
  const body = { id_token: "a.b.c" };
  await expect(app.client.auth.google(body)).rejects.toMatchObject({ status: 400, code: "social_auth_failed" });
  expect(app.names()).toEqual(["POST /auth/google/token"]);
  expect(await app.client.isSignedIn()).toBe(false);
});

test("a passkey is added, signs in on another device, proves the session, is renamed and removed", async () => {
  const clock = stopClock();
  const app = start();
  const { user_id } = await app.signUp();
  const authenticator = await Authenticator.create();
  const { public_key } = await app.client.passkeys.options("REGISTER");
  const credential = await authenticator.register(public_key as never);
  const { id } = await app.client.passkeys.add({ credential: credential as never, name: "Phone" });

  const other = start();
  const options = await other.client.passkeys.signInOptions();
  const assertion = await authenticator.assert(options.public_key);
  other.disturbOnce("POST /auth/passkey/login", "lose answer");
  expect((await other.client.passkeys.signIn(assertion as never)).user_id).toBe(user_id);
  expect((await other.client.me()).id).toBe(user_id);
  expect(await count("from sessions where user_id = ?", user_id)).toBe(2);

  clock.advance(11 * 60_000);
  await expect(app.client.passkeys.remove(id)).rejects.toMatchObject({ code: "reauthentication_required" });
  const asked = await app.client.passkeys.options("PROOF");
  await app.client.auth.prove({ credential: (await authenticator.assert(asked.public_key)) as never });
  expect(await app.client.passkeys.rename(id, "Old phone")).toMatchObject({ id, name: "Old phone" });
  await app.client.passkeys.remove(id);
  expect((await app.client.identity.get()).passkeys).toEqual([]);
});

test("an expired challenge and a removed passkey sign nobody in", async () => {
  const clock = stopClock();
  const app = start();
  await app.signUp();
  const authenticator = await Authenticator.create();
  const { public_key } = await app.client.passkeys.options("REGISTER");
  const credential = await authenticator.register(public_key as never);
  const { id } = await app.client.passkeys.add({ credential: credential as never });

  const other = start();
  const old = await authenticator.assert((await other.client.passkeys.signInOptions()).public_key);
  clock.advance(11 * 60_000);
  await expect(other.client.passkeys.signIn(old as never)).rejects.toMatchObject({ code: "passkey_failed" });
  await app.client.auth.prove({ verification_token: await verify(app.identifier, { ip: newIp() }) });
  await app.client.passkeys.remove(id);
  const unknown = await authenticator.assert((await other.client.passkeys.signInOptions()).public_key);
  await expect(other.client.passkeys.signIn(unknown as never)).rejects.toMatchObject({ code: "passkey_unknown" });
  expect(await other.client.isSignedIn()).toBe(false);
});
