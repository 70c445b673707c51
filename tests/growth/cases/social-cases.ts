import { must, newUser, sql } from "../../faults/people.ts";
import { openBrowser } from "../../support/browser.ts";
import { call, newEmail, newIp } from "../../support/client.ts";
import {
  APP_URI,
  CLIENTS,
  ISSUERS,
  type Name,
  names,
  newPerson,
  newVerifier,
  type Person,
  signText,
} from "../../support/openid.ts";
import { type Case, given, type Stage } from "../case.ts";
import { exhaustedRateLimiter } from "./common.ts";
import { staleUser } from "./sign-in-cases.ts";

/** Settings without any provider. */
const WITHOUT = {
  GOOGLE_CLIENT_ID: "",
  GOOGLE_CLIENT_SECRET: "",
  GOOGLE_NATIVE_CLIENT_IDS: "",
  GOOGLE_ENDPOINTS: "",
  APPLE_CLIENT_ID: "",
  APPLE_NATIVE_CLIENT_IDS: "",
  APPLE_TEAM_ID: "",
  APPLE_KEY_ID: "",
  APPLE_PRIVATE_KEY: "",
  APPLE_ENDPOINTS: "",
};
const unconfigured = (operation: string, prepare: (stage: Stage) => Promise<object> = async () => ({})) =>
  given(operation, "for a provider that is not configured", async (stage) => ({
    ip: newIp(),
    ...(await prepare(stage)),
    env: WITHOUT as unknown as Partial<Env>,
  }));

/** A person whose address belongs to an existing account, from a provider without authority over the address. */
async function strangerWithKnownAddress({ env }: Stage, name: Name): Promise<Person> {
  const email = newEmail();
  const user = await newUser(env);
  await sql("update users set email = ?, email_verified = 1 where id = ?", email, user.userId);
  return newPerson(name, { email });
}

/** A person whose account, opened through the provider, staff have deactivated. */
async function closedPerson({ providers, env }: Stage, name: Name): Promise<Person> {
  const person = newPerson(name);
  const json = await providers.nativeSignIn(name, person);
  const { data } = await must("POST", `/api/auth/${name}/token`, { ip: newIp(), json, env });
  await sql("update users set status = 'BANNED', status_reason = 'staff' where id = ?", data.user_id);
  return person;
}

const someone = async (_: Stage, name: Name) => newPerson(name);

const tokenCases = (name: Name): Case[] => {
  const by = (what: string, personOf: (stage: Stage, name: Name) => Promise<Person>) =>
    given(`POST /api/auth/${name}/token`, what, async (stage) => ({
      ip: newIp(),
      json: await stage.providers.nativeSignIn(name, await personOf(stage, name)),
    }));
  return [
    by("whose account is closed", closedPerson),
    by("whose address has an account", strangerWithKnownAddress),
    given(`POST /api/auth/${name}/token`, "with a forged token", async () => ({
      ip: newIp(),
      json: { id_token: "a.b.c", nonce: "x".repeat(16), ...(name === "apple" ? { authorization_code: "x" } : {}) },
    })),
    given(`POST /api/auth/${name}/token`, "under a used key with another token", async ({ env, providers }) => {
      const [person, headers] = [newPerson(name), { "Idempotency-Key": crypto.randomUUID() }];
      const first = await providers.nativeSignIn(name, person);
      await must("POST", `/api/auth/${name}/token`, { ip: newIp(), headers, json: first, env });
      return { ip: newIp(), headers, json: await providers.nativeSignIn(name, person) };
    }),
    unconfigured(`POST /api/auth/${name}/token`, async () => ({
      json: { id_token: "a.b.c", nonce: "x".repeat(16), authorization_code: "x" },
    })),
  ];
};

const linkCases = (name: Name): Case[] => {
  const link = `POST /api/auth/${name}/link`;
  const unlink = `DELETE /api/auth/${name}/link`;
  return [
    given(link, "beyond the limit of writes", async ({ env, providers }) => ({
      token: (await newUser(env)).access,
      json: await providers.nativeSignIn(name, newPerson(name)),
      env: { USER_RATE_LIMITER: exhaustedRateLimiter },
    })),
    given(link, "with a forged token", async ({ user }) => ({
      token: user.access,
      json: { id_token: "a.b.c", nonce: "x".repeat(16), ...(name === "apple" ? { authorization_code: "x" } : {}) },
    })),
    given(link, "after an old sign-in", async (stage) => ({
      token: (await staleUser(stage)).access,
      json: await stage.providers.nativeSignIn(name, newPerson(name)),
    })),
    given(link, "of another user's provider account", async ({ env, providers }) => {
      const person = newPerson(name);
      const other = await newUser(env);
      const json = await providers.nativeSignIn(name, person);
      await must("POST", `/api/auth/${name}/link`, { token: other.access, json, env });
      return { token: (await newUser(env)).access, json: await providers.nativeSignIn(name, person) };
    }),
    unconfigured(link, async ({ user }) => ({
      token: user.access,
      json: { id_token: "a.b.c", nonce: "x".repeat(16), authorization_code: "x" },
    })),
    given(unlink, "if none is linked", async ({ env }) => ({ token: (await newUser(env)).access, json: {} })),
    given(unlink, "after an old sign-in", async ({ env, providers }) => {
      const user = await newUser(env);
      const json = await providers.nativeSignIn(name, newPerson(name));
      await must("POST", `/api/auth/${name}/link`, { token: user.access, json, env });
      await sql("update sessions set created_at = created_at - 3600000 where user_id = ?", user.userId);
      return { token: user.access, json: {} };
    }),
    given(unlink, "of the only way to sign in", async ({ env, providers }) => {
      const json = await providers.nativeSignIn(name, newPerson(name));
      const { data } = await must("POST", `/api/auth/${name}/token`, { ip: newIp(), json, env });
      await sql("update users set email = null, phone_number = null where id = ?", data.user_id);
      return { token: data.access_token, json: {} };
    }),
    unconfigured(unlink, async ({ user }) => ({ token: user.access, json: {} })),
  ];
};

const browserCases = (name: Name): Case[] => {
  const callback = name === "apple" ? "POST /api/auth/apple/callback" : "GET /api/auth/google/callback";
  const callbackOptions = name === "apple" ? { form: { state: "x", code: "x" } } : { query: "state=x&code=x" };
  return [
    unconfigured(`GET /api/auth/${name}/login`),
    given(`GET /api/auth/${name}/login`, "for an unregistered redirect URI", async () => ({
      ip: newIp(),
      query: "redirect_uri=https%3A%2F%2Fevil.example%2F",
    })),
    unconfigured(`GET /api/auth/${name}/start`, async () => ({ query: "flow=x" })),
    given(`GET /api/auth/${name}/start`, "with an invalid login URL", async () => ({ ip: newIp(), query: "flow=x" })),
    unconfigured(callback, async () => callbackOptions),
    given(callback, "without a flow", async () => ({ ip: newIp(), ...callbackOptions })),
  ];
};

/** A browser flow up to its code, and the request that exchanges the code. */
async function codeOf(stage: Stage, name: Name, person: Person, method: "GET" | "POST") {
  const { env, providers } = stage;
  const { verifier, challenge } = await newVerifier();
  const browser = openBrowser(env, newIp());
  const query: Record<string, string> = method === "POST" ? { redirect_uri: APP_URI, code_challenge: challenge } : {};
  const { data } = await must("GET", `/api/auth/${name}/login?${new URLSearchParams(query)}`, { env, ip: newIp() });
  const started = await browser.go("GET", data.login_url);
  const consent = await providers.consent(name, started.headers.get("location") ?? "", person);
  const headers = { cookie: [...browser.cookies].map(([cookie, value]) => `${cookie}=${value}`).join("; ") };
  const isPost = name === "apple";
  const path = `/api/auth/${name}/callback${isPost ? "" : `?${new URLSearchParams(consent)}`}`;
  const back = await call(isPost ? "POST" : "GET", path, { env, headers, ...(isPost ? { form: consent } : {}) });
  const code = new URL(back.headers.get("location") ?? "", "https://api.example.com").searchParams.get("code") ?? "";
  return method === "POST"
    ? { ip: newIp(), json: { code, code_verifier: verifier } }
    : { ip: newIp(), headers, query: `code=${code}` };
}

const successCases = (["GET", "POST"] as const).flatMap((method) => {
  const operation = `${method} /api/auth/social/success`;
  const by = (what: string, personOf: (stage: Stage, name: Name) => Promise<Person>) =>
    given(operation, what, async (stage) => codeOf(stage, "google", await personOf(stage, "google"), method));
  return [
    by("whose account is closed", closedPerson),
    by("whose address has an account", strangerWithKnownAddress),
    by("for the first time", someone),
    given(operation, "with an unknown code", async () =>
      method === "GET"
        ? { ip: newIp(), query: "code=x" }
        : { ip: newIp(), json: { code: "x", code_verifier: "x".repeat(43) } },
    ),
  ];
});

const callbackBodies: Case[] = [
  given("POST /api/auth/apple/callback", "with too large a body", async () => ({
    ip: newIp(),
    raw: new Uint8Array(70_000),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  })),
  given("POST /api/auth/apple/callback", "with a body of another type", async () => ({
    ip: newIp(),
    raw: "x",
    headers: { "content-type": "text/plain" },
  })),
  given("POST /api/auth/apple/callback", "with a malformed body", async () => ({
    ip: newIp(),
    raw: "{",
    headers: { "content-type": "application/json" },
  })),
];

const NOTIFICATIONS = "POST /api/auth/apple/notifications";

/** A notification that Apple signed about the person's account. */
async function notificationOf({ sub }: Person): Promise<object> {
  const iat = Math.floor(Date.now() / 1000);
  const events = JSON.stringify({ type: "consent-revoked", sub, event_time: Date.now() + 60_000 });
  const claims = { iss: ISSUERS.apple, aud: CLIENTS.apple.ios, iat, exp: iat + 600, jti: crypto.randomUUID(), events };
  return { ip: newIp(), json: { payload: await signText(JSON.stringify(claims)) } };
}

const notifications: Case[] = [
  unconfigured(NOTIFICATIONS, async () => ({ json: { payload: "x" } })),
  given(NOTIFICATIONS, "about a linked account", async ({ providers, env }) => {
    const person = newPerson("apple");
    await must("POST", "/api/auth/apple/token", { json: await providers.nativeSignIn("apple", person), env });
    return notificationOf(person);
  }),
  given(NOTIFICATIONS, "about nobody here", async () => notificationOf(newPerson("apple"))),
  given(NOTIFICATIONS, "that Apple did not sign", async () => ({ ip: newIp(), json: { payload: "a.b.c" } })),
];

export const socialCases: Case[] = [
  ...notifications,
  ...callbackBodies,
  ...names.flatMap((name) => [...tokenCases(name), ...linkCases(name), ...browserCases(name)]),
  ...successCases,
];
