import { describe, expect, inject, it } from "vitest";
import { type Answer, call, newIp, testEnv } from "../../support/client.ts";

// Tests against real OpenID providers on this machine; refusals are tested elsewhere.

const vars: Record<string, string> & { SOCIAL_REDIRECT_URIS: string } = {
  ...inject("socialVars"),
  SOCIAL_REDIRECT_URIS: "com.example.app:/signed-in",
};
const env = vars as unknown as Partial<Env>;

/** A browser's cookies for one host. */
class Jar {
  private readonly cookies = new Map<string, string>();

  keep(response: Response): void {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ""] = cookie.split(";");
      const at = pair.indexOf("=");
      this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }

  get header(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }
}

/** Goes through the provider's pages as the person `login`; returns the authorization response. */
async function signInAtProvider(url: string, login: string, until: RegExp): Promise<URLSearchParams> {
  const jar = new Jar();
  let next = new URL(url);
  let body: URLSearchParams | undefined;
  for (let step = 0; step < 12; step++) {
    const response = await fetch(next, {
      method: body ? "POST" : "GET",
      headers: { cookie: jar.header },
      redirect: "manual",
      ...(body ? { body } : {}),
    });
    jar.keep(response);
    body = undefined;
    const location = response.headers.get("location");
    if (location) {
      if (until.test(location)) return new URLSearchParams(location.slice(location.search(/[?#]/) + 1));
      next = new URL(location, next);
      continue;
    }
    const html = await response.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1] ?? "";
    const fields = [...html.matchAll(/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/g)];
    const form = new URLSearchParams(
      fields.map(([, name = "", value = ""]) => [name, value.replaceAll("&#x2F;", "/")]),
    );
    if (until.test(action)) return form;
    next = new URL(action, next);
    if (html.includes('name="login"')) {
      form.set("login", login);
      form.set("password", "any");
    }
    body = form;
  }
  throw new Error(`the sign-in at the provider did not end within 12 steps; the last was ${next}`);
}

interface Started {
  location: string;
  cookie: string;
}

/** Calls login and start, as a browser does. */
async function begin(name: string, query = ""): Promise<Started> {
  const login = await call("GET", `/api/auth/${name}/login${query}`, { env, ip: newIp() });
  expect(login.status, JSON.stringify(login.body)).toBe(200);
  const url = new URL(login.body.data.login_url);
  const start = await call("GET", url.pathname + url.search, { env, ip: newIp() });
  expect(start.status).toBe(303);
  const cookie = start.headers.get("set-cookie")?.split(";")[0] ?? "";
  return { location: start.headers.get("location") ?? "", cookie };
}

/** Sends the authorization response to the callback; returns the URL of the redirect. */
async function sendToCallback(name: string, { cookie }: Started, answer: URLSearchParams): Promise<URL> {
  const options = { env, ip: newIp(), headers: { cookie } };
  const back =
    name === "google"
      ? await call("GET", `/api/auth/google/callback?${answer}`, options)
      : await call("POST", "/api/auth/apple/callback", { ...options, form: Object.fromEntries(answer) });
  expect(back.status, JSON.stringify(back.body)).toBe(303);
  return new URL(back.headers.get("location") ?? "");
}

async function signInByBrowser(name: string, login: string): Promise<Answer> {
  const started = await begin(name);
  const answer = await signInAtProvider(started.location, login, new RegExp(`/api/auth/${name}/callback`));
  const next = await sendToCallback(name, started, answer);
  expect(next.pathname).toBe("/api/auth/social/success");
  return call("GET", next.pathname + next.search, { env, ip: newIp(), headers: { cookie: started.cookie } });
}

const newLogin = () => `asha.${crypto.randomUUID().slice(0, 8)}`;

const hex = async (text: string) =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

/** The fields that a provider's SDK gives an app. */
async function nativeToken(name: "google" | "apple", login: string) {
  const nonce = crypto.randomUUID();
  const settings = JSON.parse(vars[name === "google" ? "GOOGLE_ENDPOINTS" : "APPLE_ENDPOINTS"] ?? "");
  const url = new URL(settings.authorization);
  url.search = String(
    new URLSearchParams({
      client_id: `${name}-native`,
      response_type: "code id_token",
      redirect_uri: "com.example.app:/signed-in",
      scope: name === "google" ? "openid email profile" : "name email",
      nonce: await hex(nonce),
      state: "app",
    }),
  );
  const answer = await signInAtProvider(url.href, login, /^com\.example\.app:/);
  const body = { id_token: answer.get("id_token") ?? "", nonce };
  return name === "google" ? body : { ...body, authorization_code: answer.get("code") ?? "" };
}

describe.each(["google", "apple"] as const)("%s, as a real OpenID provider", (name) => {
  const domain = name === "google" ? "gmail.com" : "privaterelay.appleid.com";

  it("signs a person up and in again through the browser", async () => {
    const login = newLogin();
    const first = await signInByBrowser(name, login);
    expect(first.status, JSON.stringify(first.body)).toBe(200);
    const { user_id, access_token, user } = first.body.data;
    expect(user).toMatchObject({ social_provider: name.toUpperCase(), status: "ACTIVE" });
    const row = await testEnv.DB.prepare("select email, email_verified from users where id = ?").bind(user_id).first();
    expect(row).toEqual({ email: `${login}@${domain}`, email_verified: 1 });
    expect((await call("GET", "/api/auth/me", { token: access_token })).body.data.id).toBe(user_id);
    const second = await signInByBrowser(name, login);
    expect(second.body.data.user_id).toBe(user_id);
    expect(second.body.data.refresh_token).not.toBe(first.body.data.refresh_token);
  });

  it("redirects to an app with a one-time code that the app's verifier exchanges for a session", async () => {
    const verifier = "v".repeat(43);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
    const challenge = btoa(String.fromCharCode(...digest))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
    const query = `?redirect_uri=${encodeURIComponent(vars.SOCIAL_REDIRECT_URIS)}&code_challenge=${challenge}`;
    const started = await begin(name, query);
    const answer = await signInAtProvider(started.location, newLogin(), new RegExp(`/api/auth/${name}/callback`));
    const next = await sendToCallback(name, started, answer);
    expect(next.href).toMatch(/^com\.example\.app:\/signed-in\?code=/);
    const json = { code: next.searchParams.get("code"), code_verifier: verifier };
    const answered = await call("POST", "/api/auth/social/success", { env, ip: newIp(), json });
    expect(answered.status, JSON.stringify(answered.body)).toBe(200);
    expect(answered.body.data.user.social_provider).toBe(name.toUpperCase());
  });

  it("accepts the ID token of an app's SDK once and recognizes the person from the browser", async () => {
    const login = newLogin();
    const json = await nativeToken(name, login);
    const first = await call("POST", `/api/auth/${name}/token`, { env, ip: newIp(), json });
    expect(first.status, JSON.stringify(first.body)).toBe(200);
    const repeated = await call("POST", `/api/auth/${name}/token`, { env, ip: newIp(), json });
    expect(repeated.body.data.refresh_token).toBe(first.body.data.refresh_token);
    expect((await signInByBrowser(name, login)).body.data.user_id).toBe(first.body.data.user_id);
  });
});
