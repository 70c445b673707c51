import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Browser, locationOf, openBrowser } from "../../support/browser.ts";
import { type Answer, call, newEmail, newIp, signUp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count } from "../../support/database.ts";
import type { Host } from "../../support/internet.ts";
import {
  APP_URI,
  base64urlSha256,
  CLIENTS,
  type Claims,
  fakeProviders,
  ISSUERS,
  type Name,
  names,
  newPerson,
  newVerifier,
  PAGE_URI,
  type Person,
  type Providers,
} from "../../support/openid.ts";
import { recordLog } from "../../support/production.ts";
import { findTraces } from "../../support/traces.ts";

const clock = useClock();
let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;
const ERROR_PAGE = "https://api.example.com/api/auth/social/error";
const SUCCESS_PAGE = "https://api.example.com/api/auth/social/success";

const browse = () => openBrowser(providers.env, newIp());
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

/** Requests a login URL. */
async function requestLogin(name: Name, query: Record<string, string> = {}): Promise<Answer> {
  const search = new URLSearchParams(query).toString();
  return call("GET", `/api/auth/${name}/login${search && `?${search}`}`, { ip: newIp(), env: providers.env });
}

/** Starts a flow in the browser; returns the provider's URL that it was redirected to. */
async function begin(browser: Browser, name: Name, query: Record<string, string> = {}): Promise<string> {
  const ordered = await requestLogin(name, query);
  expect(ordered.status, JSON.stringify(ordered.body)).toBe(200);
  const started = await browser.go("GET", ordered.body.data.login_url);
  expect(started.status).toBe(303);
  return locationOf(started);
}

/** Sends the provider's response to the callback, as the browser does. */
const sendToCallback = (browser: Browser, name: Name, fields: Record<string, string>): Promise<Answer> =>
  name === "google"
    ? browser.go("GET", `/api/auth/google/callback?${new URLSearchParams(fields)}`)
    : browser.go("POST", "/api/auth/apple/callback", {
        form: fields,
        headers: { origin: "https://appleid.apple.com" },
      });

/** Completes a flow up to the one-time code. */
async function flowOf(
  name: Name,
  {
    person = newPerson(name),
    query = {},
    claims = {},
  }: { person?: Person; query?: Record<string, string>; claims?: Claims } = {},
) {
  const browser = browse();
  const consent = await providers.consent(name, await begin(browser, name, query), person, claims);
  const back = await sendToCallback(browser, name, consent);
  expect(back.status).toBe(303);
  const location = locationOf(back);
  return { browser, consent, location, code: new URL(location).searchParams.get("code") ?? "" };
}

const success = (code: string, headers: Record<string, string> = {}) =>
  call("GET", `/api/auth/social/success?code=${encodeURIComponent(code)}`, {
    ip: newIp(),
    env: providers.env,
    headers,
  });
const redeem = (code: string, code_verifier: string) =>
  call("POST", "/api/auth/social/success", { ip: newIp(), env: providers.env, json: { code, code_verifier } });

/** Expects the flow to have created nothing. */
async function expectNothing(person: Person): Promise<void> {
  expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
  expect(await count("from users where email = ?", person.email)).toBe(0);
}

describe.each(names)("the browser flow of %s", (name) => {
  it("goes from login through start, provider and callback to a session and requests no more than it needs", async () => {
    const browser = browse();
    const ordered = await requestLogin(name);
    expect(ordered.body.data).toMatchObject({ provider: name, message: expect.any(String) });
    const { login_url } = ordered.body.data;
    expect(login_url).toMatch(
      new RegExp(`^https://api\\.example\\.com/api/auth/${name}/start\\?flow=[A-Za-z0-9._~-]+$`),
    );
    const started = await browser.go("GET", login_url);
    expect(started.status).toBe(303);
    const at = new URL(locationOf(started));
    expect(at.origin).toBe(ISSUERS[name]);
    const asked = Object.fromEntries(at.searchParams);
    expect(asked).toMatchObject({
      response_type: "code",
      client_id: CLIENTS[name].web,
      redirect_uri: `https://api.example.com/api/auth/${name}/callback`,
      scope: name === "google" ? "openid email profile" : "name email",
      nonce: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      state: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    if (name === "google") {
      expect(asked).toMatchObject({
        code_challenge_method: "S256",
        code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      });
    } else {
      expect(asked).toMatchObject({ response_mode: "form_post" });
    }
    const [cookie = "", ...others] = started.headers.getSetCookie();
    expect(others).toEqual([]);
    const [pair, ...attributes] = cookie.split("; ");
    expect(pair).toMatch(new RegExp(`^__Host-${name}-flow-[A-Za-z0-9_-]{16}=[A-Za-z0-9._-]+$`));
    expect(attributes.sort()).toEqual(
      ["HttpOnly", "Max-Age=600", "Path=/", `SameSite=${name === "apple" ? "None" : "Lax"}`, "Secure"].sort(),
    );
    expect(started.headers.get("cache-control")).toBe("no-store");

    const person = newPerson(name, { name: "Asha Gurung" });
    const consent = await providers.consent(name, at.href, person);
    const user = name === "apple" ? { user: JSON.stringify({ name: { firstName: "Asha", lastName: "Gurung" } }) } : {};
    const back = await sendToCallback(browser, name, { ...consent, ...user });
    expect(back.status).toBe(303);
    expect(locationOf(back)).toMatch(new RegExp(`^${SUCCESS_PAGE}\\?code=[A-Za-z0-9_-]{43}$`));
    expect(providers.refused).toEqual([]);
    const answer = await browser.go("GET", locationOf(back));
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    const { user_id, access_token: token, token_type, expires_in } = answer.body.data;
    expect({ token_type, expires_in }).toEqual({ token_type: "Bearer", expires_in: 900 });
    expect((await call("GET", "/api/auth/me", { token, env: providers.env })).status).toBe(200);
    const profile = await call("GET", "/api/users/profile", { token, env: providers.env });
    expect(profile.body.data.full_name).toBe("Asha Gurung");
    expect(await count("from users where id = ? and email = ? and email_verified", user_id, person.email)).toBe(1);
    expect(await count("from sessions where user_id = ? and method = ?", user_id, name.toUpperCase())).toBe(1);
  });

  it("redirects an app's browser to the app with a code that only its verifier redeems", async () => {
    for (const redirect_uri of [APP_URI, PAGE_URI]) {
      const { verifier, challenge } = await newVerifier();
      const { location, code } = await flowOf(name, { query: { redirect_uri, code_challenge: challenge } });
      expect(location).toBe(`${redirect_uri}?code=${code}`);
      const answer = await redeem(code, verifier);
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  it("puts no token or secret into a URL, a log line or a store", async () => {
    const lines = recordLog();
    const { verifier, challenge } = await newVerifier();
    const browser = browse();
    const at = await begin(browser, name, { redirect_uri: APP_URI, code_challenge: challenge });
    const consent = await providers.consent(name, at, newPerson(name));
    const back = await sendToCallback(browser, name, consent);
    const code = new URL(locationOf(back)).searchParams.get("code") ?? "";
    const answer = await redeem(code, verifier);
    expect(answer.status).toBe(200);
    for (const location of [at, locationOf(back)]) expect(location).not.toContain("eyJ");
    const secrets = [consent.code, consent.state, code, verifier, ...browser.cookies.values()];
    for (const secret of [...secrets, "eyJ", "canary-access-token"])
      expect(JSON.stringify(lines)).not.toContain(secret);
    const { access_token, refresh_token } = answer.body.data;
    expect(await findTraces([...secrets, access_token, refresh_token, "canary-access-token"])).toEqual([]);
    const { keys } = await testEnv.KV.list();
    expect(keys.filter(({ name }) => name.includes("eyJ"))).toEqual([]);
  });

  it.each([
    ["is absent", ({ code }: Record<string, string>) => ({ code })],
    ["is empty", ({ code }: Record<string, string>) => ({ code, state: "" })],
    ["is another", ({ code }: Record<string, string>) => ({ code, state: "A".repeat(43) })],
    ["is shorter", ({ code, state }: Record<string, string>) => ({ code, state: String(state).slice(1) })],
  ])("fails if the state %s", async (_, change) => {
    const browser = browse();
    const person = newPerson(name);
    const consent = await providers.consent(name, await begin(browser, name), person);
    const back = await sendToCallback(browser, name, change(consent) as Record<string, string>);
    expect([back.status, locationOf(back)]).toEqual([303, `${ERROR_PAGE}?error=social_auth_failed`]);
    expect(providers.callsTo(providers.tokens[name])).toEqual([]);
    await expectNothing(person);
    expect(refusal(await browser.go("GET", locationOf(back)))).toEqual([400, "social_auth_failed"]);
  });

  it("rejects the state of another browser's flow, and a code with the state of another flow", async () => {
    const [browser, attacker] = [browse(), browse()];
    const earlier = await providers.consent(name, await begin(browser, name), newPerson(name));
    const own = await providers.consent(name, await begin(browser, name), newPerson(name));
    const foreign = await providers.consent(name, await begin(attacker, name), newPerson(name));
    for (const fields of [foreign, { ...own, state: foreign.state }]) {
      expect(locationOf(await sendToCallback(browser, name, fields))).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    }
    expect(providers.callsTo(providers.tokens[name])).toEqual([]);
    // The nonce of the ID token, and Google's code verifier, belong to the other flow.
    const mixed = await sendToCallback(browser, name, { ...own, state: earlier.state });
    expect(locationOf(mixed)).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    const again = await providers.consent(name, await begin(browser, name), newPerson(name));
    expect(locationOf(await sendToCallback(browser, name, again))).toContain(SUCCESS_PAGE);
  });

  it("completes five flows in one browser in any order and drops the oldest of more", async () => {
    const browser = browse();
    const { challenge } = await newVerifier();
    const ends: [string, Record<string, string>][] = [];
    for (let tab = 0; tab < 6; tab++) {
      const query =
        tab % 2 === 0
          ? {}
          : { redirect_uri: APP_URI, code_challenge: challenge, state: `tab ${tab}`.padEnd(512, "नि") };
      const at = await begin(browser, name, query);
      ends.push([tab % 2 === 0 ? SUCCESS_PAGE : APP_URI, await providers.consent(name, at, newPerson(name))]);
    }
    expect(browser.cookies.size).toBe(5);
    for (const [cookie, value] of browser.cookies) expect(cookie.length + value.length).toBeLessThan(4096);
    const [oldest, ...others] = ends;
    expect(locationOf(await sendToCallback(browser, name, oldest?.[1] ?? {}))).toBe(
      `${ERROR_PAGE}?error=social_auth_failed`,
    );
    for (const [end, consent] of others.reverse()) {
      const location = locationOf(await sendToCallback(browser, name, consent));
      expect(location).toContain(`${end}?code=`);
      if (end === SUCCESS_PAGE) expect((await browser.go("GET", location)).status).toBe(200);
    }
  });

  it("completes two flows that started at the same time", async () => {
    const browser = browse();
    const tabs = await Promise.all([begin(browser, name), begin(browser, name)]);
    for (const at of tabs) {
      const consent = await providers.consent(name, at, newPerson(name));
      expect(locationOf(await sendToCallback(browser, name, consent))).toContain(SUCCESS_PAGE);
    }
  });

  it("accepts a state once (ASVS 10.1.2)", async () => {
    const { browser, consent } = await flowOf(name);
    const again = await sendToCallback(browser, name, consent);
    expect(locationOf(again)).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    expect(providers.callsTo(providers.tokens[name])).toHaveLength(1);
  });

  it("fails without its cookie, with an altered one and with the other provider's (ASVS 7.6.2)", async () => {
    const browser = browse();
    const person = newPerson(name);
    const consent = await providers.consent(name, await begin(browser, name), person);
    const [[cookie, value] = ["", ""]] = browser.cookies;
    const other = browse();
    await begin(other, name === "google" ? "apple" : "google");
    const foreign = [...other.cookies.values()][0] ?? "";
    const [kid, sealed = ""] = value.split(".");
    for (const wrong of [
      undefined,
      "",
      "x",
      `${value}x`,
      sealed,
      `${kid}.`,
      `other.${sealed}`,
      `${kid}.${sealed.slice(4)}`,
      foreign,
    ]) {
      if (wrong === undefined) browser.cookies.delete(cookie);
      else browser.cookies.set(cookie, wrong);
      expect(locationOf(await sendToCallback(browser, name, consent)), String(wrong)).toBe(
        `${ERROR_PAGE}?error=social_auth_failed`,
      );
    }
    await expectNothing(person);
    browser.cookies.set(cookie, value);
    expect(locationOf(await sendToCallback(browser, name, consent))).toContain(SUCCESS_PAGE);
  });

  it("allows 10 minutes at login_url and 10 minutes at the provider", async () => {
    const ordered = await requestLogin(name);
    clock.advance(10 * MINUTE - 1000);
    const browser = browse();
    const started = await browser.go("GET", ordered.body.data.login_url);
    expect(started.status).toBe(303);
    clock.advance(10 * MINUTE - 1000);
    const consent = await providers.consent(name, locationOf(started), newPerson(name));
    expect(locationOf(await sendToCallback(browser, name, consent))).toContain(SUCCESS_PAGE);

    expect(refusal(await browser.go("GET", ordered.body.data.login_url))).toEqual([400, "social_auth_failed"]);
    const late = await begin(browser, name);
    clock.advance(10 * MINUTE);
    const tooLate = await providers.consent(name, late, newPerson(name));
    expect(locationOf(await sendToCallback(browser, name, tooLate))).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
  });

  it("starts only with a login_url that login issued", async () => {
    const { login_url } = (await requestLogin(name)).body.data;
    const flow = new URL(login_url).searchParams.get("flow") ?? "";
    const other = (await requestLogin(name === "google" ? "apple" : "google")).body.data.login_url;
    const cookie = browse();
    await begin(cookie, name);
    const foreign = [new URL(other).searchParams.get("flow") ?? "", [...cookie.cookies.values()][0] ?? ""];
    for (const wrong of ["", "x", `${flow}x`, flow.slice(0, -2), `${flow.split(".")[0]}.`, ...foreign]) {
      const answer = await call("GET", `/api/auth/${name}/start?flow=${encodeURIComponent(wrong)}`, {
        env: providers.env,
      });
      expect(refusal(answer), wrong).toEqual([400, "social_auth_failed"]);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect(refusal(await call("GET", `/api/auth/${name}/start`, { env: providers.env }))).toEqual([
      400,
      "social_auth_failed",
    ]);
  });

  it.each(["access_denied", ...(name === "apple" ? ["user_cancelled_authorize"] : [])])(
    "reports to the app or the error page that the person cancelled (%s), and leaves the flow open",
    async (error) => {
      const browser = browse();
      const at = await begin(browser, name);
      const state = new URL(at).searchParams.get("state") ?? "";
      const back = await sendToCallback(browser, name, { error, state });
      expect(locationOf(back)).toBe(`${ERROR_PAGE}?error=access_denied`);
      expect(refusal(await browser.go("GET", locationOf(back)))).toEqual([400, "access_denied"]);
      const { challenge } = await newVerifier();
      const app = await begin(browser, name, { redirect_uri: APP_URI, code_challenge: challenge });
      const appState = new URL(app).searchParams.get("state") ?? "";
      expect(locationOf(await sendToCallback(browser, name, { error, state: appState }))).toBe(
        `${APP_URI}?error=access_denied`,
      );
      // A response to another flow does not reach the app.
      expect(locationOf(await sendToCallback(browser, name, { error, state }))).toBe(
        `${ERROR_PAGE}?error=access_denied`,
      );
      const consent = await providers.consent(name, app, newPerson(name));
      expect(locationOf(await sendToCallback(browser, name, consent))).toContain(`${APP_URI}?code=`);
    },
  );

  it("never passes on text from the provider or from a forged response", async () => {
    const lines = recordLog();
    const browser = browse();
    const state = new URL(await begin(browser, name)).searchParams.get("state") ?? "";
    const error = "eyJhbGciOiJub25lIn0.canary";
    const back = await sendToCallback(browser, name, { error, error_description: "<script>canary</script>", state });
    expect(locationOf(back)).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    expect(JSON.stringify(lines)).not.toMatch(/canary|eyJ/);
  });

  it("rejects a response that names another issuer and accepts one that names the right one (RFC 9207)", async () => {
    for (const iss of [
      ISSUERS[name === "google" ? "apple" : "google"],
      "https://attacker.example",
      `${ISSUERS[name]}/`,
    ]) {
      const browser = browse();
      const consent = await providers.consent(name, await begin(browser, name), newPerson(name));
      expect(locationOf(await sendToCallback(browser, name, { ...consent, iss }))).toContain(ERROR_PAGE);
    }
    expect(providers.callsTo(providers.tokens[name])).toEqual([]);
    const browser = browse();
    const consent = await providers.consent(name, await begin(browser, name), newPerson(name));
    expect(locationOf(await sendToCallback(browser, name, { ...consent, iss: ISSUERS[name] }))).toContain(SUCCESS_PAGE);
  });

  it("rejects the other provider's code and calls none of its endpoints (RFC 9700 section 4.4)", async () => {
    const other = name === "google" ? "apple" : "google";
    const browser = browse();
    const own = await begin(browser, name);
    const foreign = await providers.consent(other, await begin(browser, other), newPerson(other));
    expect(locationOf(await sendToCallback(browser, name, foreign))).toContain(ERROR_PAGE);
    const state = new URL(own).searchParams.get("state") ?? "";
    expect(locationOf(await sendToCallback(browser, name, { code: foreign.code, state }))).toContain(ERROR_PAGE);
    expect(providers.callsTo(providers.tokens[other])).toEqual([]);
  });

  it.each([
    ["another nonce", { nonce: "A".repeat(43) }],
    ["no nonce", { nonce: undefined }],
    ["another audience", { aud: "stranger", azp: undefined }],
    ["the audience of a native app", { aud: CLIENTS[name].ios, azp: undefined }],
    ["another issuer", { iss: "https://accounts.example.com" }],
    ["no subject", { sub: undefined }],
    ["a time of issue 11 minutes ago", { iat: Math.floor(Date.now() / 1000) - 660 }],
    ["an expiry in the past", { iat: Math.floor(Date.now() / 1000) - 300, exp: Math.floor(Date.now() / 1000) - 200 }],
  ])("rejects an ID token with %s", async (_, claims) => {
    const browser = browse();
    const person = newPerson(name);
    const consent = await providers.consent(name, await begin(browser, name), person, claims);
    expect(locationOf(await sendToCallback(browser, name, consent))).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    await expectNothing(person);
  });

  it("redirects the browser to the app with an error code once its flow is known", async () => {
    const behaviours: [string, Host][] = [
      ["temporarily_unavailable", () => new Response("canary", { status: 500 })],
      ["temporarily_unavailable", () => new Response("<html>canary")],
      ["social_auth_failed", () => Response.json({ error: "invalid_grant" }, { status: 400 })],
      ["social_auth_failed", () => Response.json({ id_token: "canary" })],
    ];
    const { challenge } = await newVerifier();
    for (const [error, behave] of behaviours) {
      const browser = browse();
      const at = await begin(browser, name, { redirect_uri: APP_URI, code_challenge: challenge });
      const consent = await providers.consent(name, at, newPerson(name));
      const original = providers.behaviour[providers.tokens[name]] as Host;
      providers.behaviour[providers.tokens[name]] = behave;
      const back = await sendToCallback(browser, name, consent);
      providers.behaviour[providers.tokens[name]] = original;
      expect([back.status, locationOf(back)]).toEqual([303, `${APP_URI}?error=${error}`]);
      const foreign = await sendToCallback(browse(), name, consent);
      expect(locationOf(foreign), "a browser without the flow").toBe(`${ERROR_PAGE}?error=social_auth_failed`);
    }
  });

  it("returns 503 if the provider's response is missing or malformed, and redirects to the error page if it rejects the code", async () => {
    const behaviours: [number, Host][] = [
      [503, () => new Response("canary", { status: 500 })],
      [503, () => new Response("<html>canary")],
      [503, () => Response.json({ id_token: "x".repeat(70_000) })],
      [503, () => new Response(null, { status: 302, headers: { location: "https://canary.example/" } })],
      [303, () => Response.json({ error: "invalid_grant" }, { status: 400 })],
      [303, () => Response.json({ id_token: "canary" })],
    ];
    for (const [status, behave] of behaviours) {
      const browser = browse();
      const person = newPerson(name);
      const consent = await providers.consent(name, await begin(browser, name), person);
      const original = providers.behaviour[providers.tokens[name]] as Host;
      providers.behaviour[providers.tokens[name]] = behave;
      const back = await sendToCallback(browser, name, consent);
      providers.behaviour[providers.tokens[name]] = original;
      expect(back.status).toBe(status);
      if (status === 303) expect(locationOf(back)).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
      else
        expect([back.body.error.code, Number(back.headers.get("retry-after")) > 0]).toEqual([
          "service_unavailable",
          true,
        ]);
      expect(JSON.stringify(back.body)).not.toContain("canary");
      await expectNothing(person);
    }
  });

  it("reports link_required at the success page without consuming the code", async () => {
    const person = newPerson(name, { email: newEmail() });
    await signUp(person.email, { ip: newIp(), env: providers.env });
    const { browser, location } = await flowOf(name, { person });
    for (let i = 0; i < 2; i++) expect(refusal(await browser.go("GET", location))).toEqual([409, "link_required"]);
    expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
  });
});

describe("Google's code", () => {
  it("is bound to the flow by PKCE", async () => {
    const browser = browse();
    const at = await begin(browser, "google");
    const consent = await providers.consent("google", at, newPerson("google"));
    await sendToCallback(browser, "google", consent);
    const [request] = providers.callsTo(providers.tokens.google);
    const form = new URLSearchParams(request?.body);
    expect(await base64urlSha256(form.get("code_verifier") ?? "")).toBe(new URL(at).searchParams.get("code_challenge"));
    expect(form.get("redirect_uri")).toBe("https://api.example.com/api/auth/google/callback");
    expect(request?.redirect).toBe("manual");
  });

  it("is rejected with the verifier of another flow", async () => {
    const [browser, attacker] = [browse(), browse()];
    const own = new URL(await begin(browser, "google")).searchParams.get("state") ?? "";
    const stolen = await providers.consent("google", await begin(attacker, "google"), newPerson("google"));
    expect(locationOf(await sendToCallback(browser, "google", { code: stolen.code, state: own }))).toContain(
      ERROR_PAGE,
    );
    expect(providers.refused).toEqual(["code_verifier"]);
  });

  it("is not consumed by a HEAD request for the callback", async () => {
    const browser = browse();
    const consent = await providers.consent("google", await begin(browser, "google"), newPerson("google"));
    const path = `/api/auth/google/callback?${new URLSearchParams(consent)}`;
    expect((await browser.go("HEAD", path)).status).toBe(405);
    expect(providers.callsTo(providers.tokens.google)).toEqual([]);
    expect(locationOf(await browser.go("GET", path))).toContain(SUCCESS_PAGE);
  });
});

describe("an app's redirect URI", () => {
  const tricks = [
    "https://attacker.example/",
    "//attacker.example/signed-in",
    "/signed-in",
    "\\\\attacker.example",
    `${PAGE_URI}/`,
    `${PAGE_URI}?`,
    `${PAGE_URI}#`,
    `${PAGE_URI}#@attacker.example`,
    `${PAGE_URI}?next=https://attacker.example`,
    `${PAGE_URI}%20`,
    `${PAGE_URI}/../signed-in`,
    `${PAGE_URI}%2f`,
    `${PAGE_URI};x`,
    `${PAGE_URI}x`,
    `x${PAGE_URI}`,
    PAGE_URI.slice(0, -1),
    "https://app.example.com/",
    "https://app.example.com",
    "https://app.example.com/signed%2din",
    "https://app.example.com/./signed-in",
    "https://app.example.com//signed-in",
    "https://app.example.com\\signed-in",
    "https://app.example.com/%2e%2e/signed-in",
    "https://app.example.com:443/signed-in",
    "https://app.example.com:8443/signed-in",
    "https://app.example.com./signed-in",
    "https://app.example.com.attacker.example/signed-in",
    "https://app.example.com@attacker.example/signed-in",
    "https://attacker@app.example.com/signed-in",
    "https://attacker.example\\@app.example.com/signed-in",
    "https://attacker.example#@app.example.com/signed-in",
    "https://attacker.example?@app.example.com/signed-in",
    "https://attackerapp.example.com/signed-in",
    "https://sub.app.example.com/signed-in",
    "https://APP.example.com/signed-in",
    "https://app.example.com/Signed-In",
    "HTTPS://app.example.com/signed-in",
    "http://app.example.com/signed-in",
    "https:app.example.com/signed-in",
    "https:/app.example.com/signed-in",
    "https:///app.example.com/signed-in",
    "https://арр.example.com/signed-in",
    "https://xn--80a6aa.example.com/signed-in",
    "https://app。example.com/signed-in",
    "https://app.example.com/signed-in\u0000",
    "https://app.example.com/signed-in\r\nSet-Cookie: x=y",
    "https://app.example.com/signed-\tin",
    "javascript:alert(1)//https://app.example.com/signed-in",
    "data:text/html,https://app.example.com/signed-in",
    "com.example.app://signed-in",
    "com.example.app:signed-in",
    "com.example.app:/signed-in/",
    "com.example.app:/signed-in?x",
    "com.example.appx:/signed-in",
    "COM.EXAMPLE.APP:/signed-in",
    "intent://signed-in#Intent;scheme=com.example.app;end",
    `${APP_URI},${PAGE_URI}`,
    " ",
    "*",
    "null",
    "undefined",
    "__proto__",
  ];

  it.each(tricks)("is rejected unless it exactly matches a configured one: %j (ASVS 10.4.1)", async (redirect_uri) => {
    const { challenge } = await newVerifier();
    for (const name of names) {
      const answer = await requestLogin(name, { redirect_uri, code_challenge: challenge });
      expect(refusal(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["redirect_uri"]);
    }
  });

  it("is rejected if it is given twice, and without an S256 challenge", async () => {
    const { challenge } = await newVerifier();
    const query = `redirect_uri=${encodeURIComponent(APP_URI)}&code_challenge=${challenge}`;
    const twice = await call("GET", `/api/auth/google/login?${query}&redirect_uri=https://attacker.example`, {
      env: providers.env,
    });
    expect(refusal(twice)).toEqual([400, "validation_error"]);
    for (const code_challenge_method of ["plain", "s256", "S512", "S256 ", "sha256"]) {
      const answer = await requestLogin("google", {
        redirect_uri: APP_URI,
        code_challenge: challenge,
        code_challenge_method,
      });
      expect(refusal(answer), code_challenge_method).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["code_challenge_method"]);
    }
    for (const code_challenge of [undefined, "plain", `${challenge}x`, challenge.slice(1), `${challenge.slice(1)}=`]) {
      const answer = await requestLogin("google", {
        redirect_uri: APP_URI,
        ...(code_challenge ? { code_challenge } : {}),
      });
      expect(refusal(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["code_challenge"]);
    }
  });

  it("remains valid for flows that started before it was removed from the configuration", async () => {
    const { challenge } = await newVerifier();
    const browser = browse();
    const at = await begin(browser, "google", { redirect_uri: PAGE_URI, code_challenge: challenge });
    const consent = await providers.consent("google", at, newPerson("google"));
    const env = { ...providers.env, SOCIAL_REDIRECT_URIS: APP_URI } as Partial<Env>;
    const query = new URLSearchParams({ redirect_uri: PAGE_URI, code_challenge: challenge });
    expect(refusal(await call("GET", `/api/auth/google/login?${query}`, { env }))).toEqual([400, "validation_error"]);
    const back = await browser.go("GET", `/api/auth/google/callback?${new URLSearchParams(consent)}`, { env });
    expect(locationOf(back)).toContain(PAGE_URI);
  });
});

describe("the one-time code of a flow", () => {
  it("returns the same session if repeated within 180 seconds and is rejected afterwards", async () => {
    const { browser, location } = await flowOf("google");
    const first = await browser.go("GET", location);
    clock.advance(179_000);
    const again = await browser.go("GET", location);
    expect(again.body.data.refresh_token).toBe(first.body.data.refresh_token);
    clock.advance(2000);
    expect(refusal(await browser.go("GET", location))).toEqual([400, "social_auth_failed"]);
    const { user_id } = first.body.data;
    expect(await count("from sessions where user_id = ? and revoked_at is null", user_id)).toBe(1);
    const { access_token: token } = again.body.data;
    expect((await call("GET", "/api/auth/me", { token, env: providers.env })).status).toBe(200);
  });

  it("is rejected once its session was refreshed", async () => {
    const { verifier, challenge } = await newVerifier();
    const { code } = await flowOf("apple", { query: { redirect_uri: APP_URI, code_challenge: challenge } });
    const first = await redeem(code, verifier);
    await call("POST", "/api/auth/refresh", { env: providers.env, json: { refresh: first.body.data.refresh_token } });
    expect(refusal(await redeem(code, verifier))).toEqual([400, "social_auth_failed"]);
  });

  it("is valid for 60 seconds", async () => {
    const early = await flowOf("google");
    clock.advance(59_000);
    expect((await early.browser.go("GET", early.location)).status).toBe(200);
    const late = await flowOf("google");
    clock.advance(60_000);
    expect(refusal(await late.browser.go("GET", late.location))).toEqual([400, "social_auth_failed"]);
  });

  it.each([
    ["without the flow's cookie", async ({ code }: { code: string }) => success(code)],
    [
      "with another flow's cookie",
      async ({ code }: { code: string }) => {
        const other = browse();
        await begin(other, "google");
        return other.go("GET", `/api/auth/social/success?code=${code}`);
      },
    ],
    [
      "with a verifier although the flow had no challenge",
      async ({ code }: { code: string }) => redeem(code, (await newVerifier()).verifier),
    ],
  ])("is invalidated by an attempt %s", async (_, show) => {
    const flow = await flowOf("google");
    expect(refusal(await show(flow))).toEqual([400, "social_auth_failed"]);
    expect(refusal(await flow.browser.go("GET", flow.location))).toEqual([400, "social_auth_failed"]);
  });

  it("is invalidated by a wrong code_verifier if unused; a used one stays as it is", async () => {
    const { verifier, challenge } = await newVerifier();
    const wrong = (await newVerifier()).verifier;
    const query = { redirect_uri: APP_URI, code_challenge: challenge };
    const { code } = await flowOf("google", { query });
    for (const each of [wrong, verifier])
      expect(refusal(await redeem(code, each))).toEqual([400, "social_auth_failed"]);
    const used = (await flowOf("google", { query })).code;
    const first = await redeem(used, verifier);
    expect(refusal(await redeem(used, wrong))).toEqual([400, "social_auth_failed"]);
    expect(refusal(await success(used))).toEqual([400, "social_auth_failed"]);
    expect((await redeem(used, verifier)).body.data.refresh_token).toBe(first.body.data.refresh_token);
    const { access_token: token } = first.body.data;
    expect((await call("GET", "/api/auth/me", { token, env: providers.env })).status).toBe(200);
  });

  it("rejects a code without code_verifier and does not consume it", async () => {
    const { verifier, challenge } = await newVerifier();
    const { code } = await flowOf("google", { query: { redirect_uri: APP_URI, code_challenge: challenge } });
    const post = (json: object) => call("POST", "/api/auth/social/success", { env: providers.env, json });
    for (const json of [
      {},
      { code },
      { code_verifier: verifier },
      { code, code_verifier: "short" },
      { code: [code], code_verifier: verifier },
    ]) {
      expect(refusal(await post(json))).toEqual([400, "validation_error"]);
    }
    const form = { code, code_verifier: verifier };
    expect((await call("POST", "/api/auth/social/success", { env: providers.env, form })).status).toBe(200);
  });

  it("is rejected if this service did not issue it", async () => {
    for (const code of ["x", "A".repeat(43), "' or 1=1 --", "🙂"]) {
      expect(refusal(await success(code))).toEqual([400, "social_auth_failed"]);
    }
    expect(refusal(await success(""))).toEqual([400, "validation_error"]);
    expect(refusal(await success("\u0000"))).toEqual([400, "validation_error"]);
    expect(refusal(await success("x".repeat(256)))).toEqual([400, "validation_error"]);
    const { browser, code } = await flowOf("google");
    expect(refusal(await browser.go("GET", `/api/auth/social/success?code=${code}&code=x`))).toEqual([
      400,
      "validation_error",
    ]);
  });

  it("cannot be replaced by a used ID token or by its signed part", async () => {
    const json = await providers.nativeSignIn("google", newPerson("google"));
    await call("POST", "/api/auth/google/token", { ip: newIp(), env: providers.env, json });
    const signed = json.id_token.slice(0, json.id_token.lastIndexOf("."));
    for (const code of [json.id_token, signed]) expect((await success(code)).status).toBe(400);
  });

  it("is not consumed by a HEAD request", async () => {
    const { browser, location, code } = await flowOf("google");
    for (const go of [
      () => browser.go("HEAD", location),
      () => call("HEAD", `/api/auth/social/success?code=${code}`, { env: providers.env }),
    ]) {
      const head = await go();
      expect([head.status, head.headers.get("allow")]).toEqual([405, "GET, POST"]);
    }
    expect((await browser.go("GET", location)).status).toBe(200);
  });

  it("works in a browser with two flows, one of them with the other provider", async () => {
    const browser = browse();
    const google = await providers.consent("google", await begin(browser, "google"), newPerson("google"));
    const apple = await providers.consent("apple", await begin(browser, "apple"), newPerson("apple"));
    const first = locationOf(await sendToCallback(browser, "google", google));
    const second = locationOf(await sendToCallback(browser, "apple", apple));
    expect((await browser.go("GET", second)).status).toBe(200);
    expect((await browser.go("GET", first)).status).toBe(200);
  });
});

describe("the error page", () => {
  it.each([
    ["access_denied", "access_denied"],
    ["social_auth_failed", "social_auth_failed"],
    ["internal_error", "social_auth_failed"],
    ["__proto__", "social_auth_failed"],
    ["<script>alert(1)</script>", "social_auth_failed"],
    ["", "social_auth_failed"],
  ])("answers %s with %s and never with text from the query", async (given, code) => {
    const query = new URLSearchParams({ error: given, error_description: "<b>canary</b>" });
    const answer = await call("GET", `/api/auth/social/error?${query}`, { env: providers.env });
    expect(refusal(answer)).toEqual([400, code]);
    expect(JSON.stringify(answer.body)).not.toMatch(/canary|script/);
  });
});

it("uses both providers' real endpoints by default", async () => {
  providers = fakeProviders({}, true);
  for (const name of names) {
    const { location, browser } = await flowOf(name);
    expect((await browser.go("GET", location)).status).toBe(200);
    const at = new URL(await begin(browser, name));
    expect(at.origin + at.pathname).toBe(
      name === "google" ? "https://accounts.google.com/o/oauth2/v2/auth" : "https://appleid.apple.com/auth/authorize",
    );
  }
});

it("Apple's callback rejects malformed bodies as other routes do, and ignores fields that are not text", async () => {
  const post = (raw: string, type: string) =>
    call("POST", "/api/auth/apple/callback", { env: providers.env, raw, headers: { "content-type": type } });
  expect((await post("<a/>", "text/xml")).status).toBe(415);
  expect((await post("[]", "application/json")).status).toBe(400);
  expect((await post(`state=${"x".repeat(70_000)}`, "application/x-www-form-urlencoded")).status).toBe(413);
  const listed = await post('{"state": ["x"], "code": {}}', "application/json");
  expect(locationOf(listed)).toBe(`${ERROR_PAGE}?error=social_auth_failed`);
});
