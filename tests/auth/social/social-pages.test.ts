import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Browser, locationOf, openBrowser } from "../../support/browser.ts";
import { type Answer, type CallOptions, call, newEmail, newIp, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import type { Host } from "../../support/internet.ts";
import {
  APP_URI,
  fakeProviders,
  names,
  newPerson,
  newVerifier,
  PAGE_URI,
  type Providers,
} from "../../support/openid.ts";
import { beginFlow, returnToCallback } from "../../support/social-flow.ts";

const ERROR_PAGE = "https://api.example.com/api/auth/social/error";
const MINUTE = 60_000;
/** `Accept` of a Chromium navigation. */
const NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

const clock = useClock();
let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const browse = () => openBrowser(providers.env, newIp());
const isPage = ({ headers }: Answer) => headers.get("content-type")?.startsWith("text/html") === true;
const fail = () => {
  throw new Error("D1_ERROR: canary");
};
const failing = new Proxy({}, { get: () => fail });
const fullBucket = { limit: async () => ({ success: false }) };

function expectPage(answer: Answer, status: number): string {
  expect([answer.status, isPage(answer)], JSON.stringify(answer.body)).toEqual([status, true]);
  const policy = answer.headers.get("content-security-policy") ?? "";
  const nonce = /style-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? "none";
  expect(policy).toMatch(/^default-src 'none';.*base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
  expect(answer.body).toContain(`<style nonce="${nonce}">`);
  expect(answer.body).toMatch(/prefers-color-scheme: dark/);
  expect(answer.body).not.toMatch(/<script|\son\w+=|eyJ|refresh_token|access_token/);
  expect(answer.headers.get("cross-origin-opener-policy")).toBeNull();
  expect(answer.headers.get("x-frame-options")).toBe("DENY");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.headers.get("vary")).toMatch(/\bAccept\b/);
  return answer.body as string;
}

describe.each(names)("a failed %s sign-in of an app", (name) => {
  const begin = async (browser: Browser, state?: string) => {
    const { challenge } = await newVerifier();
    const query = { redirect_uri: APP_URI, code_challenge: challenge, ...(state === undefined ? {} : { state }) };
    return beginFlow(providers, browser, name, query);
  };

  it.each<[string, Partial<Env>, string]>([
    ["D1 is down", { DB: failing as unknown as D1Database }, "temporarily_unavailable"],
    ["the network is rate-limited", { RATE_LIMITER: fullBucket as unknown as RateLimit }, "temporarily_unavailable"],
  ])("returns to the app with a code and its state while %s", async (_, env, error) => {
    for (const state of ["af0ifjsldkj", "a b&c=d#é"]) {
      const browser = browse();
      const consent = await providers.consent(name, await begin(browser, state), newPerson(name));
      const back = await returnToCallback(browser, name, consent, { env: { ...providers.env, ...env } });
      expect(back.status, JSON.stringify(back.body)).toBe(303);
      const { searchParams, protocol } = new URL(locationOf(back));
      expect([protocol, Object.fromEntries(searchParams)]).toEqual(["com.example.app:", { error, state }]);
    }
  });

  it.each<[string, Host]>([
    ["answers 500", () => new Response("canary", { status: 500 })],
    ["answers no JSON", () => new Response("<html>canary")],
    ["drops the connection", () => Promise.reject(new Error("canary"))],
    ["refuses our client", () => Response.json({ error: "invalid_client" }, { status: 401 })],
  ])("returns to the app when the token endpoint %s", async (_, behave) => {
    const browser = browse();
    const consent = await providers.consent(name, await begin(browser, "mine"), newPerson(name));
    providers.behaviour[providers.tokens[name]] = behave;
    const back = await returnToCallback(browser, name, consent);
    expect(locationOf(back)).toBe(`${APP_URI}?error=temporarily_unavailable&state=mine`);
  });

  it.each([
    ["access_denied", "access_denied"],
    ["temporarily_unavailable", "temporarily_unavailable"],
    ["server_error", "temporarily_unavailable"],
    ["invalid_scope", "social_auth_failed"],
    ["canary", "social_auth_failed"],
  ])("returns to the app when the provider reports %s", async (error, reported) => {
    const browser = browse();
    const state = new URL(await begin(browser, "s")).searchParams.get("state") ?? "";
    expect(locationOf(await returnToCallback(browser, name, { error, state }))).toBe(
      `${APP_URI}?error=${reported}&state=s`,
    );
  });

  it("returns to the app when the flow has expired, and when its callback is repeated", async () => {
    const [late, twice] = [browse(), browse()];
    const tooLate = await providers.consent(name, await begin(late), newPerson(name));
    clock.advance(10 * MINUTE);
    expect(locationOf(await returnToCallback(late, name, tooLate))).toBe(`${APP_URI}?error=social_auth_failed`);
    const consent = await providers.consent(name, await begin(twice, "x"), newPerson(name));
    expect(locationOf(await returnToCallback(twice, name, consent))).toMatch(/\?code=[\w-]{43}&state=x$/);
    expect(locationOf(await returnToCallback(twice, name, consent))).toBe(
      `${APP_URI}?error=social_auth_failed&state=x`,
    );
  });

  it("returns to the app with server_error when the provider is no longer configured", async () => {
    for (const state of ["mine", "a b&c=d"]) {
      const browser = browse();
      const consent = await providers.consent(name, await begin(browser, state), newPerson(name));
      const settings = Object.keys(providers.env).filter((each) => each.startsWith(name.toUpperCase()));
      const env = { ...providers.env, ...Object.fromEntries(settings.map((each) => [each, undefined])) };
      const back = await returnToCallback(browser, name, consent, { env: env as Partial<Env> });
      const { searchParams, protocol } = new URL(locationOf(back));
      expect([back.status, protocol, Object.fromEntries(searchParams)]).toEqual([
        303,
        "com.example.app:",
        { error: "server_error", state },
      ]);
    }
  });

  it("does not return to the app for a browser that did not start the flow", async () => {
    const [owner, other] = [browse(), browse()];
    const consent = await providers.consent(name, await begin(owner, "s"), newPerson(name));
    const env = { ...providers.env, RATE_LIMITER: fullBucket as unknown as RateLimit };
    expect((await returnToCallback(other, name, consent, { env })).status).toBe(429);
    expect(locationOf(await returnToCallback(other, name, consent))).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    expect(locationOf(await returnToCallback(owner, name, consent))).toContain(`${APP_URI}?code=`);
  });
});

describe("Apple's response with a field that is not text", () => {
  const begin = async (browser: Browser) => {
    const { challenge } = await newVerifier();
    const query = { redirect_uri: APP_URI, code_challenge: challenge, state: "mine" };
    return beginFlow(providers, browser, "apple", query);
  };

  type Encode = (fields: Record<string, string>) => CallOptions;
  it.each<[string, Encode]>([
    ["an object", (fields) => ({ json: { ...fields, user: { name: { firstName: "Asha" } } } })],
    ["a list", (fields) => ({ json: { ...fields, user: ["Asha"] } })],
    ["a file", (fields) => ({ multipart: { ...fields, user: new File(["{}"], "user.json") } })],
    ["bytes that are not UTF-8", (fields) => ({ multipart: { ...fields, user: new File([Uint8Array.of(0xff)], "") } })],
  ])("has no name if the name is %s, and the app still gets the result", async (_, encode) => {
    const browser = browse();
    const consent = await providers.consent("apple", await begin(browser), newPerson("apple"));
    const back = await browser.go("POST", "/api/auth/apple/callback", encode(consent));
    expect(locationOf(back)).toMatch(/^com\.example\.app:\/signed-in\?code=[\w-]{43}&state=mine$/);
    const failed = await browser.go("POST", "/api/auth/apple/callback", encode(consent));
    expect(locationOf(failed)).toBe(`${APP_URI}?error=social_auth_failed&state=mine`);
  });

  it.each<[string, Encode]>([
    ["issuer is a number", (fields) => ({ json: { ...fields, iss: 5 } })],
    ["issuer is not UTF-8", (fields) => ({ multipart: { ...fields, iss: new File([Uint8Array.of(0xff)], "") } })],
    ["code is a list", (fields) => ({ json: { ...fields, code: [fields.code] } })],
    ["error is an object", (fields) => ({ json: { ...fields, error: {} } })],
  ])("fails if the %s, and the app learns it", async (_, encode) => {
    const browser = browse();
    const consent = await providers.consent("apple", await begin(browser), newPerson("apple"));
    const back = await browser.go("POST", "/api/auth/apple/callback", encode(consent));
    expect(locationOf(back)).toBe(`${APP_URI}?error=social_auth_failed&state=mine`);
    const next = await browser.go("POST", "/api/auth/apple/callback", { form: consent });
    expect(locationOf(next)).toMatch(/\?code=[\w-]{43}&state=mine$/);
  });
});

it("the app's state has at most 512 characters and no control character", async () => {
  const { challenge } = await newVerifier();
  const login = (state: string) => {
    const query = new URLSearchParams({ redirect_uri: PAGE_URI, code_challenge: challenge, state });
    return call("GET", `/api/auth/google/login?${query}`, { ip: newIp(), env: providers.env });
  };
  expect((await login("x".repeat(512))).status).toBe(200);
  for (const state of ["x".repeat(513), "a\u0000b", "a\nb"]) {
    const answer = await login(state);
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ["state"]]);
  }
});

describe("a person in a browser", () => {
  const accept = { accept: NAVIGATION };

  it.each(names)(
    "who signed in by %s sees a page without tokens or links to try again, and JSON still has them",
    async (name) => {
      const browser = browse();
      const consent = await providers.consent(name, await beginFlow(providers, browser, name), newPerson(name));
      const location = locationOf(await returnToCallback(browser, name, consent, { headers: accept }));
      expect((await browser.go("HEAD", location, { headers: accept })).status).toBe(405);
      const page = expectPage(await browser.go("GET", location, { headers: accept }), 200);
      expect(page).toContain("You may close this window.");
      expect(page).not.toMatch(/<a |Try again/);
      expect(page).not.toContain(new URL(location).searchParams.get("code"));
      const nepali = { ...accept, "accept-language": "ne-NP,ne;q=0.9,en;q=0.8" };
      const again = await browser.go("GET", location, { headers: nepali });
      expect(expectPage(again, 200)).toContain('<html lang="ne">');
      expect([again.headers.get("content-language"), again.body]).toEqual(["ne", expect.stringContaining("झ्याल बन्द")]);
      const json = await browser.go("GET", location, { headers: { accept: "application/json" } });
      expect([json.status, json.body.data.access_token]).toEqual([200, expect.stringContaining("eyJ")]);
    },
  );

  it("who failed or cancelled sees the reason, and a link that starts a new sign-in", async () => {
    const texts = [
      ["access_denied", "You cancelled the sign-in."],
      ["social_auth_failed", "Sign-in failed."],
      ["temporarily_unavailable", "temporarily unavailable"],
      ["<script>alert(1)</script>", "Sign-in failed."],
    ] as const;
    for (const [error, text] of texts) {
      const browser = browse();
      const query = new URLSearchParams({ error });
      const page = expectPage(await browser.go("GET", `/api/auth/social/error?${query}`, { headers: accept }), 400);
      expect(page).toContain(text);
      const links = [...page.matchAll(/<a href="([^"]+)">/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));
      expect(links).toHaveLength(2);
      for (const link of links) expect((await browser.go("GET", link, { headers: accept })).status).toBe(303);
    }
  });

  it.each(names)("whose %s flow encounters an outage or a rate limit ends at the error page", async (name) => {
    const envs: Partial<Env>[] = [
      { DB: failing as unknown as D1Database },
      { RATE_LIMITER: fullBucket as unknown as RateLimit },
    ];
    for (const env of envs) {
      const browser = browse();
      const consent = await providers.consent(name, await beginFlow(providers, browser, name), newPerson(name));
      const options = { env: { ...providers.env, ...env }, headers: accept };
      const back = await returnToCallback(browser, name, consent, options);
      expect(locationOf(back)).toBe(`${ERROR_PAGE}?error=temporarily_unavailable`);
      expectPage(await browser.go("GET", locationOf(back), { headers: accept }), 400);
    }
  });

  it("sees a page for every other response of a browser flow", async () => {
    const known = newPerson("google", { email: newEmail() });
    await signUp(known.email, { ip: newIp(), env: providers.env });
    const browser = browse();
    const consent = await providers.consent("google", await beginFlow(providers, browser, "google"), known);
    const location = locationOf(await returnToCallback(browser, "google", consent));
    const go = (path: string, options = {}) => browser.go("GET", path, { headers: accept, ...options });
    expect(expectPage(await go(location), 409)).toContain("one-time code");
    expectPage(await go("/api/auth/social/success"), 400);
    expectPage(await go("/api/auth/social/success?code=x"), 400);
    expectPage(await go("/api/auth/google/start?flow=x"), 400);
    const env = { ...providers.env, RATE_LIMITER: fullBucket as unknown as RateLimit };
    const limited = await go("/api/auth/google/start?flow=x", { env });
    expectPage(limited, 429);
    expect(limited.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    const raw = await browser.go("POST", "/api/auth/apple/callback", {
      raw: "<a/>",
      headers: { ...accept, "content-type": "text/xml" },
    });
    expectPage(raw, 415);
  });

  it.each([
    [NAVIGATION, true],
    ["text/html", true],
    ["TEXT/HTML", true],
    ["text/*", true],
    ["text/html, */*", true],
    ["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", true],
    ["application/json;q=0.5, text/html;q=0.9", true],
    ["text/html, application/json;q=0.999", true],
    [undefined, false],
    ["", false],
    ["*/*", false],
    ["application/json", false],
    ["application/json, text/plain, */*", false],
    ["text/html, application/json", false],
    ["text/html;q=0.5, application/json", false],
    ["text/html;q=0, */*", false],
    ["text/html;q=0", false],
    ["text/html;q=0.8, */*", false],
    ["application/*, text/html;q=0.1", false],
    ["text/plain", false],
    ["image/avif,image/webp", false],
    ["nonsense", false],
    [";;,,q=", false],
  ])("is distinguished from a program by Accept: %s", async (value, expected) => {
    const headers = value === undefined ? {} : { accept: value };
    const answer = await call("GET", "/api/auth/social/error?error=access_denied", { env: providers.env, headers });
    expect([answer.status, isPage(answer)]).toEqual([400, expected]);
    if (!expected) expect(answer.body.error.code).toBe("access_denied");
  });

  it("does not affect an app: its POST gets JSON whatever its Accept header", async () => {
    const { verifier, challenge } = await newVerifier();
    const browser = browse();
    const at = await beginFlow(providers, browser, "google", { redirect_uri: APP_URI, code_challenge: challenge });
    const back = await returnToCallback(browser, "google", await providers.consent("google", at, newPerson("google")));
    const json = { code: new URL(locationOf(back)).searchParams.get("code"), code_verifier: verifier };
    const options = { ip: newIp(), env: providers.env, headers: accept, json };
    const answer = await call("POST", "/api/auth/social/success", options);
    expect([answer.status, isPage(answer)]).toEqual([200, false]);
  });
});

it.each(names)("the redirects of a %s popup set no header that separates it from its opener", async (name) => {
  const browser = browse();
  const { body } = await call("GET", `/api/auth/${name}/login`, { ip: newIp(), env: providers.env });
  const started = await browser.go("GET", body.data.login_url, { headers: { accept: NAVIGATION } });
  const consent = await providers.consent(name, locationOf(started), newPerson(name));
  const back = await returnToCallback(browser, name, consent, { headers: { accept: NAVIGATION } });
  for (const answer of [started, back]) {
    expect(answer.status).toBe(303);
    for (const header of ["cross-origin-opener-policy", "x-frame-options", "content-security-policy"]) {
      expect(answer.headers.get(header)).toBeNull();
    }
  }
});

it.each<[unknown, string | null]>([
  [{ name: { firstName: "Asha", lastName: null } }, "Asha"],
  [{ name: { firstName: "Asha" } }, "Asha"],
  [{ name: { firstName: `${"a".repeat(254)}😀`, lastName: "Gurung" } }, "a".repeat(254)],
  [{ name: { firstName: "Asha\u0000\ud83d", lastName: "Gurung\u2028" } }, "Asha \ufffd Gurung"],
  [{ name: { firstName: ["x"], lastName: "Gurung" } }, "Gurung"],
  [{ name: { firstName: "Asha", lastName: { en: "Gurung" } }, email: 5 }, "Asha"],
  [{ name: { firstName: 7, lastName: true } }, null],
  [{ name: "Asha Gurung" }, null],
  [{ name: null }, null],
  [null, null],
])("Apple's form field user as %j names the person %s", async (user, fullName) => {
  const browser = browse();
  const consent = await providers.consent("apple", await beginFlow(providers, browser, "apple"), newPerson("apple"));
  const back = await returnToCallback(browser, "apple", { ...consent, user: JSON.stringify(user) });
  const { body } = await browser.go("GET", locationOf(back));
  const options = { token: body.data.access_token, env: providers.env };
  expect((await call("GET", "/api/users/profile", options)).body.data.full_name).toBe(fullName);
});

it.each<[string, Record<string, unknown>]>([
  ["a null name", { name: null }],
  ["a name that is an object", { name: { first: "Asha" } }],
  ["a name that is a list", { name: ["Asha"], picture: [] }],
  ["numbers", { name: 5, picture: 7, hd: 1, email_verified: 1 }],
  ["true instead of an address", { email: true }],
  ["an authorized party and hashes that are numbers", { azp: 5, c_hash: 7, at_hash: 9 }],
  [
    "claims of strange types that nobody reads",
    { locale: [], auth_time: {}, family_name: null, real_user_status: "x" },
  ],
])("an ID token with %s signs its subject in", async (_, claims) => {
  for (const name of names) {
    const json = await providers.nativeSignIn(name, newPerson(name), claims);
    const answer = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, json });
    expect([answer.status, typeof answer.body.data?.access_token], JSON.stringify(answer.body)).toEqual([
      200,
      "string",
    ]);
  }
});
