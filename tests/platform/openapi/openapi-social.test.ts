import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openBrowser } from "../../support/browser.ts";
import { type CallOptions, call, newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { fetchDocument, findDeviations, type OpenApiDocument } from "../../support/openapi.ts";
import { APP_URI, fakeProviders, names, newPerson, newVerifier, type Providers } from "../../support/openid.ts";

let document: OpenApiDocument;
let providers: Providers;
const clock = useClock();

beforeAll(async () => {
  document = await fetchDocument();
});
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

/** Calls the API and checks the response against the document. */
async function expectDocumented(
  method: string,
  path: string,
  expected: number | [number, string],
  options: CallOptions = {},
) {
  const answer = await call(method, path, { ip: newIp(), env: providers.env, ...options });
  const status = typeof expected === "number" ? expected : expected[0];
  expect({ status: answer.status, code: answer.body.error?.code }, `${method} ${path}`).toEqual({
    status,
    code: typeof expected === "number" ? undefined : expected[1],
  });
  // A redirect has no body to check.
  if (status === 303)
    expect(document.paths[path.split("?")[0] ?? ""]?.[method.toLowerCase()]?.responses[303]).toBeDefined();
  else expect(findDeviations(document, { method, path, status: answer.status, body: answer.body })).toEqual([]);
  return answer;
}

/** Settings without any provider. */
const withoutProviders = () => ({
  ...testEnv,
  ...Object.fromEntries(
    Object.keys(providers.env).map((name) => [name, name === "ISSUER" ? testEnv.ISSUER : undefined]),
  ),
});

test("sign-in with an ID token, linking and unlinking respond as documented", async () => {
  for (const name of names) {
    const [token, link] = [`/api/auth/${name}/token`, `/api/auth/${name}/link`];
    const person = newPerson(name);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const json = await providers.nativeSignIn(name, person);
    const made = await expectDocumented("POST", token, 200, { json, headers });
    const { access_token, user_id } = made.body.data;
    const another = await providers.nativeSignIn(name, person);
    await expectDocumented("POST", token, [409, "idempotency_key_reused"], { json: another, headers });
    await expectDocumented("POST", token, [400, "validation_error"], { json: {} });
    await expectDocumented("POST", token, [400, "social_auth_failed"], { json: { ...json, id_token: "x" } });
    await expectDocumented("POST", token, [413, "payload_too_large"], { json: { id_token: "x".repeat(70_000) } });
    const taken = newPerson(name, { email: newEmail() });
    const local = await signUp(taken.email, { ip: newIp(), env: providers.env });
    const known = await providers.nativeSignIn(name, taken);
    await expectDocumented("POST", token, [409, "link_required"], { json: known });
    await expectDocumented("POST", link, 200, { json: known, token: local.access });
    await expectDocumented("POST", link, [409, "conflict"], { json: another, token: local.access });
    await expectDocumented("POST", link, [400, "validation_error"], { json: {}, token: local.access });
    await expectDocumented("POST", link, [400, "social_auth_failed"], {
      json: { ...json, id_token: "x" },
      token: local.access,
    });
    await expectDocumented("POST", link, [401, "authentication_required"], { json });
    clock.advance(10 * 60_000);
    await expectDocumented("DELETE", link, [403, "reauthentication_required"], { token: local.access });
    const fresh = await providers.nativeSignIn(name, newPerson(name));
    await expectDocumented("POST", link, [403, "reauthentication_required"], { json: fresh, token: local.access });
    const someone = await signUp(newPhone(), { ip: newIp(), env: providers.env });
    await expectDocumented("DELETE", link, [404, "not_found"], { token: someone.access });
    await expectDocumented("POST", link, 200, { json: fresh, token: someone.access });
    await expectDocumented("DELETE", link, 200, { token: someone.access });
    await testEnv.DB.prepare("update users set status = 'BANNED', status_reason = 'staff' where id = ?")
      .bind(user_id)
      .run();
    await expectDocumented("POST", token, [403, "account_inactive"], {
      json: await providers.nativeSignIn(name, person),
    });
    await expectDocumented("POST", link, [401, "token_not_valid"], { json: fresh, token: access_token });
  }
});

test("the browser flow responds as documented", async () => {
  for (const name of names) {
    const { verifier, challenge } = await newVerifier();
    const app = new URLSearchParams({ redirect_uri: APP_URI, code_challenge: challenge });
    const login = `/api/auth/${name}/login`;
    await expectDocumented("GET", `${login}?redirect_uri=x`, [400, "validation_error"]);
    const ordered = await expectDocumented("GET", `${login}?${app}`, 200);
    const { pathname, search } = new URL(ordered.body.data.login_url);
    await expectDocumented("GET", pathname, [400, "social_auth_failed"]);
    const started = await expectDocumented("GET", pathname + search, 303);
    const cookie = started.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const consent = await providers.consent(name, started.headers.get("location") ?? "", newPerson(name));
    const callback = `/api/auth/${name}/callback`;
    const back =
      name === "google"
        ? await expectDocumented("GET", `${callback}?${new URLSearchParams(consent)}`, 303, { headers: { cookie } })
        : await expectDocumented("POST", callback, 303, { headers: { cookie }, form: consent });
    const code = new URL(back.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const success = "/api/auth/social/success";
    await expectDocumented("POST", success, [400, "validation_error"], { json: { code } });
    await expectDocumented("POST", success, 200, { json: { code, code_verifier: verifier } });
    const wrong = (await newVerifier()).verifier;
    await expectDocumented("POST", success, [400, "social_auth_failed"], { json: { code, code_verifier: wrong } });
    await expectDocumented("GET", success, [400, "validation_error"]);
    await expectDocumented("GET", `${success}?code=x`, [400, "social_auth_failed"]);

    const taken = newPerson(name, { email: newEmail() });
    await signUp(taken.email, { ip: newIp(), env: providers.env });
    const browser = openBrowser(providers.env, newIp());
    const again = await expectDocumented("GET", login, 200);
    const at = (await browser.go("GET", again.body.data.login_url)).headers.get("location") ?? "";
    const fields = await providers.consent(name, at, taken);
    const page =
      name === "google"
        ? await browser.go("GET", `${callback}?${new URLSearchParams(fields)}`)
        : await browser.go("POST", callback, { form: fields });
    const headers = { cookie: [...browser.cookies].map(([key, value]) => `${key}=${value}`).join("; ") };
    const { search: query } = new URL(page.headers.get("location") ?? "");
    await expectDocumented("GET", success + query, [409, "link_required"], { headers });
  }
  await expectDocumented("GET", "/api/auth/social/error", [400, "social_auth_failed"]);
  await expectDocumented("GET", "/api/auth/social/error?error=access_denied", [400, "access_denied"]);
  await expectDocumented("POST", "/api/auth/apple/callback", [415, "unsupported_media_type"], {
    raw: "<a/>",
    headers: { "content-type": "text/xml" },
  });
  await expectDocumented("POST", "/api/auth/apple/callback", [413, "payload_too_large"], {
    form: { state: "x".repeat(70_000) },
  });
  await expectDocumented("POST", "/api/auth/apple/callback", [400, "validation_error"], { json: [] });
});

test("an unconfigured provider, a provider that is down and the rate limiter lead to documented responses", async () => {
  const env = withoutProviders() as Partial<Env>;
  const { access: token } = await signUp(newPhone(), { ip: newIp(), env });
  const wall = { ...providers.env, RATE_LIMITER: { limit: async () => ({ success: false }) } } as Partial<Env>;
  for (const name of names) {
    const json = await providers.nativeSignIn(name, newPerson(name));
    const [login, tokens, link] = ["login", "token", "link"].map((word) => `/api/auth/${name}/${word}`) as [
      string,
      string,
      string,
    ];
    await expectDocumented("GET", login, [404, "not_found"], { env });
    await expectDocumented("GET", `/api/auth/${name}/start?flow=x`, [404, "not_found"], { env });
    await expectDocumented("POST", tokens, [404, "not_found"], { env, json });
    await expectDocumented("POST", link, [404, "not_found"], { env, json, token });
    await expectDocumented(name === "google" ? "GET" : "POST", `/api/auth/${name}/callback`, [404, "not_found"], {
      env,
    });
    providers.behaviour[providers.certs[name]] = () => new Response(null, { status: 500 });
    await expectDocumented("POST", tokens, [503, "service_unavailable"], { json });
    for (const [method, path] of [
      ["GET", login],
      ["GET", `/api/auth/${name}/start`],
      ["POST", tokens],
      [name === "google" ? "GET" : "POST", `/api/auth/${name}/callback`],
      ["GET", "/api/auth/social/success?code=x"],
      ["POST", "/api/auth/social/success"],
    ] as const) {
      const refused = await expectDocumented(method, path, [429, "rate_limit_exceeded"], { env: wall });
      expect(refused.headers.has("retry-after")).toBe(true);
    }
  }
});
