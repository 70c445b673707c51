import { openBrowser } from "../../support/browser.ts";
import { call, newIp } from "../../support/client.ts";
import {
  APP_URI,
  CLIENTS,
  fakeProviders,
  ISSUERS,
  type Name,
  newPerson,
  newVerifier,
  type Providers,
  signText,
} from "../../support/openid.ts";
import { type Flow, type Run, traceless, withAndWithoutKey } from "../flow-table.ts";
import { expectEnded, must, newUser } from "../people.ts";

/** Creates a flow whose runs share the providers. */
const social = (name: string, prepare: (providers: Providers) => Promise<Run>, more: Partial<Flow> = {}): Flow => ({
  name,
  async open() {
    const providers = fakeProviders();
    return { env: providers.env, prepare: () => prepare(providers) };
  },
  ...more,
});

/** Apple's authorization code works once: after an exchange without success, the client requests another. */
const again = (name: Name, options: () => Promise<object>) => (name === "apple" ? { anew: options } : {});

const signInBy = (name: Name) =>
  social(`POST auth/${name}/token`, async (providers) => {
    const person = newPerson(name);
    const options = async () => ({ ip: newIp(), json: await providers.nativeSignIn(name, person) });
    return {
      scope: { subjects: [person.sub] },
      request: { method: "POST", path: `/api/auth/${name}/token`, options: await options() },
      ...again(name, options),
    };
  });

const linkTo = (name: Name) =>
  social(`POST auth/${name}/link`, async (providers) => {
    const person = newPerson(name);
    const user = await newUser(providers.env);
    const options = async () => ({ token: user.access, json: await providers.nativeSignIn(name, person) });
    return {
      scope: { userIds: [user.userId], subjects: [person.sub] },
      request: { method: "POST", path: `/api/auth/${name}/link`, options: await options() },
      ...again(name, options),
    };
  });

const unlinkFrom = (name: Name) =>
  social(`DELETE auth/${name}/link`, async (providers) => {
    const user = await newUser(providers.env);
    const json = await providers.nativeSignIn(name, newPerson(name));
    await must("POST", `/api/auth/${name}/link`, { env: providers.env, token: user.access, json });
    return {
      scope: { userIds: [user.userId] },
      request: { method: "DELETE", path: `/api/auth/${name}/link`, options: { token: user.access } },
      repeated: [404],
    };
  });

/** Starts a flow, gives consent at the provider, and returns what the browser brings back. */
async function consented(name: Name, providers: Providers, query: Record<string, string>) {
  const browser = openBrowser(providers.env, newIp());
  const path = `/api/auth/${name}/login?${new URLSearchParams(query)}`;
  const { data } = await must("GET", path, { env: providers.env, ip: newIp() });
  const started = await browser.go("GET", data.login_url);
  const person = newPerson(name);
  const consent = await providers.consent(name, started.headers.get("location") ?? "", person);
  const headers = { cookie: [...browser.cookies].map(([cookie, value]) => `${cookie}=${value}`).join("; ") };
  return { person, consent, headers };
}

const login = (name: Name) =>
  social(`GET auth/${name}/login`, async () => ({
    scope: {},
    request: { method: "GET", path: `/api/auth/${name}/login`, options: { ip: newIp() } },
  }));

const start = (name: Name) =>
  social(`GET auth/${name}/start`, async (providers) => {
    const { data } = await must("GET", `/api/auth/${name}/login`, { env: providers.env, ip: newIp() });
    const { pathname, search } = new URL(data.login_url);
    const options = { ip: newIp(), origin: "https://api.example.com" };
    return { scope: {}, request: { method: "GET", path: pathname + search, options }, success: 303 };
  });

const callback = (name: Name) =>
  social(
    `auth/${name}/callback`,
    async (providers) => {
      const { verifier, challenge } = await newVerifier();
      const query = { redirect_uri: APP_URI, code_challenge: challenge };
      const { person, consent, headers } = await consented(name, providers, query);
      const isPost = name === "apple";
      const path = `/api/auth/${name}/callback${isPost ? "" : `?${new URLSearchParams(consent)}`}`;
      const options = { headers, ip: newIp(), ...(isPost ? { form: consent } : {}) };
      const codes = new Set<string>();
      return {
        scope: { subjects: [person.sub] },
        request: { method: isPost ? "POST" : "GET", path, options },
        success: 303,
        isFailure: ({ headers: answered }) => new URL(answered.get("location") ?? "").searchParams.has("error"),
        async onSuccess({ headers: answered }) {
          const code = new URL(answered.get("location") ?? "").searchParams.get("code");
          if (code === null) return;
          codes.add(code);
          const json = { code, code_verifier: verifier };
          await must("POST", "/api/auth/social/success", { ip: newIp(), json, env: providers.env });
        },
        async afterwards() {
          if (codes.size > 1) throw new Error("one state gave two codes");
        },
      };
    },
    // A state works once: if a callback's answer was lost, its repetition is refused and the user starts over.
    { mayLack: true },
  );

const success = (method: "GET" | "POST") =>
  social(`${method} auth/social/success`, async (providers) => {
    const { verifier, challenge } = await newVerifier();
    const query: Record<string, string> = method === "POST" ? { redirect_uri: APP_URI, code_challenge: challenge } : {};
    const { person, consent, headers } = await consented("google", providers, query);
    const path = `/api/auth/google/callback?${new URLSearchParams(consent)}`;
    const back = await call("GET", path, { env: providers.env, headers });
    const code = new URL(back.headers.get("location") ?? "", "https://api.example.com").searchParams.get("code") ?? "";
    const request =
      method === "POST"
        ? { path: "/api/auth/social/success", options: { ip: newIp(), json: { code, code_verifier: verifier } } }
        : { path: `/api/auth/social/success?code=${code}`, options: { ip: newIp(), headers } };
    return { scope: { subjects: [person.sub] }, request: { method, ...request } };
  });

/** A code with a wrong verifier, which invalidates it. */
const wrongProof = social("POST auth/social/success with a wrong proof", async (providers) => {
  const [own, other] = [await newVerifier(), await newVerifier()];
  const { person, consent, headers } = await consented("google", providers, {
    redirect_uri: APP_URI,
    code_challenge: own.challenge,
  });
  const path = `/api/auth/google/callback?${new URLSearchParams(consent)}`;
  const back = await call("GET", path, { env: providers.env, headers });
  const code = new URL(back.headers.get("location") ?? "").searchParams.get("code") ?? "";
  return {
    scope: { subjects: [person.sub] },
    request: {
      method: "POST",
      path: "/api/auth/social/success",
      options: { ip: newIp(), json: { code, code_verifier: other.verifier } },
    },
    success: 400,
  };
});

/** The queue revokes the token at Apple. */
const deletion = social("deletion of an account with Apple", async (providers) => {
  const user = await newUser(providers.env);
  const json = await providers.nativeSignIn("apple", newPerson("apple"));
  await must("POST", "/api/auth/apple/link", { env: providers.env, token: user.access, json });
  const revokedBefore = providers.revoked.length;
  return {
    scope: { userIds: [user.userId], identifiers: [user.identifier] },
    request: { method: "DELETE", path: "/api/auth/account", options: { token: user.access } },
    repeated: [401],
    onSuccess: () => expectEnded(user),
    async afterwards() {
      if (providers.revoked.length <= revokedBefore) throw new Error("the token was not revoked at Apple");
    },
  };
});

/** Apple repeats a notification that is not answered. */
const notification = social("POST auth/apple/notifications", async (providers) => {
  const person = newPerson("apple");
  const json = await providers.nativeSignIn("apple", person);
  const { data } = await must("POST", "/api/auth/apple/token", { env: providers.env, json });
  const iat = Math.floor(Date.now() / 1000);
  const events = JSON.stringify({ type: "account-deleted", sub: person.sub, event_time: Date.now() + 60_000 });
  const claims = { iss: ISSUERS.apple, aud: CLIENTS.apple.ios, iat, exp: iat + 600, jti: crypto.randomUUID(), events };
  const payload = await signText(JSON.stringify(claims));
  return {
    scope: { userIds: [data.user_id] },
    request: { method: "POST", path: "/api/auth/apple/notifications", options: { ip: newIp(), json: { payload } } },
  };
});

export const socialFlows = [
  notification,
  ...(["google", "apple"] as const).flatMap((name) => [
    ...withAndWithoutKey(signInBy(name)),
    linkTo(name),
    unlinkFrom(name),
    traceless(login(name)),
    traceless(start(name)),
    callback(name),
  ]),
  success("GET"),
  success("POST"),
  traceless(wrongProof),
  deletion,
];
