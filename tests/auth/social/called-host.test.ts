import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call, newIp } from "../../support/client.ts";
import { fakeProviders, type Name, names, newPerson, type Providers } from "../../support/openid.ts";

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

/** The address at which a phone on the local network calls the developer's machine. */
const PHONE = "http://192.168.1.20:8787";

/** The settings of `npm run dev`, whose stand-ins show their sign-in pages on loopback. */
function local(): Partial<Env> {
  const moved = Object.entries(providers.env)
    .filter(([name]) => name.endsWith("_ENDPOINTS"))
    .map(([name, value]) => [name, JSON.stringify({ ...JSON.parse(String(value)), authorization: STAND_IN })]);
  return { ...providers.env, ISSUER: "http://localhost:8787", ...Object.fromEntries(moved) };
}
const STAND_IN = "http://localhost:8789/auth";

const loginUrl = async (name: Name, options: object): Promise<URL> => {
  const answer = await call("GET", `/api/auth/${name}/login`, { ip: newIp(), ...options });
  return new URL(answer.body.data.login_url);
};

describe("A phone that calls a development server by the address of the local network", () => {
  it.each(names)("signs in with %s at that address alone, without a secure cookie", async (name) => {
    const env = local();
    const options = { env, origin: PHONE, ip: newIp() };
    const url = await loginUrl(name, options);
    expect(url.origin).toBe(PHONE);
    const started = await call("GET", url.pathname + url.search, options);
    expect(started.status).toBe(303);
    const signInPage = new URL(started.headers.get("location") ?? "");
    expect(signInPage.origin + signInPage.pathname).toBe("http://192.168.1.20:8789/auth");
    expect(signInPage.searchParams.get("redirect_uri")).toBe(`${PHONE}/api/auth/${name}/callback`);
    const cookie = started.headers.getSetCookie()[0] ?? "";
    expect(cookie).not.toMatch(/Secure|__Host-/);

    const consent = await providers.consent(name, signInPage.href, newPerson(name));
    const headers = { cookie: cookie.split(";")[0] ?? "" };
    const callback = `/api/auth/${name}/callback`;
    const back =
      name === "google"
        ? await call("GET", `${callback}?${new URLSearchParams(consent)}`, { ...options, headers })
        : await call("POST", callback, { ...options, headers, form: consent });
    const success = new URL(back.headers.get("location") ?? "");
    expect(success.origin + success.pathname).toBe(`${PHONE}/api/auth/social/success`);
    const done = await call("GET", success.pathname + success.search, { ...options, headers });
    expect(done.status, JSON.stringify(done.body)).toBe(200);
  });

  it("gets unchanged addresses from a server that is not in development or whose ISSUER is not loopback", async () => {
    const options = { env: providers.env, origin: PHONE };
    expect((await loginUrl("google", options)).origin).toBe("https://api.example.com");
    const production = { ...providers.env, ENVIRONMENT: "production" } as Partial<Env>;
    const called = { env: production, origin: "https://192.168.1.20" };
    expect((await loginUrl("google", called)).origin).toBe("https://api.example.com");
    expect((await loginUrl("google", { env: local(), origin: "http://localhost:8787" })).origin).toBe(
      "http://localhost:8787",
    );
  });
});
