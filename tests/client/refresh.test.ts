import { afterEach, expect, test, vi } from "vitest";
import { memoryStorage } from "../../client/src/index.ts";
import { call, logIn } from "../support/client.ts";
import { stopClock } from "../support/clock.ts";
import { startApp } from "./app.ts";

const ACCESS_TTL_MS = 15 * 60_000;
const REFRESH = "POST /auth/refresh";

afterEach(() => {
  vi.useRealTimers();
});

/** A signed-in app whose access token has just expired. */
async function appWithExpiredToken() {
  const clock = stopClock();
  const app = startApp();
  await app.signUp();
  clock.advance(ACCESS_TTL_MS + 10_000);
  return { ...app, clock };
}

const unavailable = (status = 503) =>
  Response.json({ success: false, error: { code: "service_unavailable", message: "later" } }, { status });

test("ten calls of two tabs that meet an expired access token refresh once, and all of them succeed", async () => {
  const app = await appWithExpiredToken();
  const other = app.create();
  const calls = Array.from({ length: 5 }, () => [app.client.me(), other.wallet()]).flat();
  await expect(Promise.all(calls)).resolves.toHaveLength(10);
  expect(app.names().filter((name) => name === REFRESH)).toHaveLength(1);
});

test("an outage of the refresh keeps both tokens and gives the caller the error", async () => {
  const app = await appWithExpiredToken();
  const before = await app.tokens();
  app.disturb((name) => (name === REFRESH ? unavailable() : undefined));
  await expect(app.client.me()).rejects.toMatchObject({ code: "service_unavailable", status: 503 });
  expect(await app.tokens()).toEqual(before);
  app.disturb(() => undefined);
  await app.client.me();
  expect(app.signedOut).toEqual([]);
});

test.each([
  ["the sign-in page of a Wi-Fi", () => new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } })],
  ["a redirect to it", () => new Response(null, { status: 302, headers: { location: "http://portal.example" } })],
  ["the 401 of a proxy", () => new Response("denied", { status: 401 })],
  ["JSON of somebody else", () => Response.json({ access: "x", refresh: "y" })],
  [
    "a limit",
    () => Response.json({ success: false, error: { code: "rate_limit_exceeded", message: "" } }, { status: 429 }),
  ],
])("%s in place of a refresh signs nobody out", async (_, answer) => {
  const app = await appWithExpiredToken();
  const before = await app.tokens();
  app.disturb((name) => (name === REFRESH ? answer() : undefined));
  await expect(app.client.me()).rejects.toMatchObject({ name: "UsersApiError" });
  expect(await app.tokens()).toEqual(before);
  app.disturb(() => undefined);
  await app.client.me();
  expect(app.signedOut).toEqual([]);
});

test("a refresh that the API refuses signs out once, and removes the tokens", async () => {
  const app = await appWithExpiredToken();
  const { refresh } = await app.tokens();
  await call("POST", "/api/auth/logout", { json: { refresh }, token: (await app.tokens()).access });
  const calls = [app.client.me(), app.client.wallet(), app.client.profile.get()];
  const results = await Promise.allSettled(calls);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(app.signedOut).toEqual(["ended"]);
  expect(await app.tokens()).toBeNull();
  expect(await app.client.isSignedIn()).toBe(false);
});

test("a refresh whose answers are all lost is repeated a day later with the same key, by an app that was started anew", async () => {
  const app = await appWithExpiredToken();
  app.disturb((name) => (name === REFRESH ? "lose answer" : undefined));
  await expect(app.client.me()).rejects.toMatchObject({ code: "no_answer", status: 0 });
  app.disturb(() => undefined);
  // Beyond the window in which the same token alone is enough.
  app.clock.advance(20 * 3_600_000);
  await app.create().me();
  const keys = app.sent.filter(({ name }) => name === REFRESH).map(({ headers }) => headers.get("idempotency-key"));
  expect(keys.length).toBeGreaterThan(2);
  expect(new Set(keys).size).toBe(1);
  expect(app.signedOut).toEqual([]);
});

test("tokens that another tab rotates while a call is on its way are taken from the storage, without a refresh", async () => {
  const app = await appWithExpiredToken();
  const other = app.create();
  app.disturb(async (name) => {
    if (name !== "GET /auth/me") return undefined;
    app.disturb(() => undefined);
    await other.wallet();
    return undefined;
  });
  await app.client.me();
  expect(app.names()).toEqual(["GET /auth/me", "GET /users/wallet", REFRESH, "GET /users/wallet", "GET /auth/me"]);
});

test("a frozen tab that wakes with the answer of an old refresh keeps the newer tokens", async () => {
  const app = await appWithExpiredToken();
  const { refresh, user } = await app.tokens();
  const newer = await call("POST", "/api/auth/refresh", { json: { refresh } });
  app.disturb((name) => {
    // What another tab stores while this one waits.
    if (name === REFRESH)
      void app.storage.set("powerbank", JSON.stringify({ ...newer.body.data, user, key: "k".repeat(16) }));
    return undefined;
  });
  await app.client.me();
  expect((await app.tokens()).key).toBe("k".repeat(16));
});

test("a call of one person is never repeated as another who signed in meanwhile", async () => {
  const app = await appWithExpiredToken();
  const stranger = await logIn(app.identifier).catch(() => undefined);
  const somebody = startApp();
  const { user_id } = await somebody.signUp();
  const { access, refresh } = await somebody.tokens();
  app.disturb((name) => {
    if (name === "PUT /users/profile")
      void app.storage.set("powerbank", JSON.stringify({ access, refresh, user: user_id, key: "k".repeat(16), at: 0 }));
    return undefined;
  });
  await expect(app.client.profile.update({ address: "Ward 1" })).rejects.toMatchObject({ code: "token_not_valid" });
  expect((await somebody.client.profile.get()).address).toBeNull();
  expect(stranger?.userId).not.toBe(user_id);
});

test("the device's clock does not decide: a day ahead or behind, a live token is used and no refresh is made", async () => {
  const app = startApp();
  await app.signUp();
  const { at, ...rest } = await app.tokens();
  for (const wrong of [at - 86_400_000, at + 86_400_000]) {
    await app.storage.set("powerbank", JSON.stringify({ ...rest, at: wrong }));
    await app.client.me();
  }
  expect(app.names()).toEqual(["GET /auth/me", "GET /auth/me"]);
});

test("signing out during a refresh leaves no tokens behind", async () => {
  const app = await appWithExpiredToken();
  await Promise.allSettled([app.client.me(), app.client.auth.logout(), app.client.wallet()]);
  expect(await app.tokens()).toBeNull();
  expect(app.signedOut).toEqual(["logout"]);
});

test("signing out without a connection removes the tokens and tells the app that the API does not know", async () => {
  const app = startApp({ retries: 0 });
  await app.signUp();
  app.disturb(() => "lose request");
  await expect(app.client.auth.logout()).rejects.toMatchObject({ code: "no_answer" });
  expect(await app.tokens()).toBeNull();
  expect(app.signedOut).toEqual(["logout"]);
});

test("a call that finds the tokens gone before a slow storage has answered reports the sign-out as what it is", async () => {
  const kept = memoryStorage();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const { promise: removed, resolve: tellRemoved } = Promise.withResolvers<void>();
  const remove = (name: string) => {
    kept.remove(name);
    tellRemoved();
    return answered;
  };
  const app = startApp({ storage: { ...kept, remove } });
  await app.signUp();
  const signingOut = app.client.auth.logout();
  await removed;
  expect(await app.client.isSignedIn()).toBe(false);
  answer();
  await signingOut;
  expect(app.signedOut).toEqual(["logout"]);
});

test("a proxy that answers the sign-out with 401 has not ended the session, and the app is told", async () => {
  const app = startApp({ retries: 0 });
  await app.signUp();
  app.disturb(() => new Response("<html>Sign in to the Wi-Fi</html>", { status: 401 }));
  await expect(app.client.auth.logout()).rejects.toMatchObject({ code: "unexpected_answer", status: 401 });
  expect(await app.tokens()).toBeNull();
});

test("a tab learns from the storage that another one has signed out", async () => {
  const app = startApp();
  await app.signUp();
  const reasons: string[] = [];
  const other = app.create({ onSignedOut: (reason) => reasons.push(reason) });
  await other.me();
  await app.client.auth.logout();
  await expect(other.me()).rejects.toMatchObject({ code: "authentication_required" });
  expect(reasons).toEqual(["elsewhere"]);
});

test("a storage that cannot keep the new tokens loses no session: the next refresh gives the same ones", async () => {
  const memory = memoryStorage();
  let isFull = false;
  const storage = {
    ...memory,
    set: (name: string, value: string) => {
      if (isFull) throw new Error("quota exceeded");
      return memory.set(name, value);
    },
  };
  const clock = stopClock();
  const app = startApp({ storage });
  await app.signUp();
  clock.advance(ACCESS_TTL_MS + 10_000);
  isFull = true;
  await expect(app.client.me()).rejects.toThrow("quota exceeded");
  isFull = false;
  clock.advance(3_600_000);
  await app.client.me();
  expect(app.signedOut).toEqual([]);
});

test("a call to another service of the platform refreshes once on its 401", async () => {
  const app = await appWithExpiredToken();
  const { access: old } = await app.tokens();
  const seen: (string | undefined)[] = [];
  const response = await app.client.withAccessToken(async (access) => {
    seen.push(access);
    return new Response(null, { status: access === old ? 401 : 204 });
  });
  expect(response.status).toBe(204);
  expect(seen).toEqual([old, (await app.tokens()).access]);
});
