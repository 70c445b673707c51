import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { call, logIn, newIp, signUp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { APP_URI, fakeProviders, type Name, names, newPerson, newVerifier, type Person } from "../../support/openid.ts";
import { keepSentEvents } from "../../support/recorded-events.ts";

beforeAll(keepSentEvents);

const clock = useClock();
let providers: ReturnType<typeof fakeProviders>;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const DAY = 24 * 3_600_000;
/** The app's user agent, which anybody can send. */
const headers = { "user-agent": "PowerBank/4.2 (Android 15)" };

const native = async (name: Name, person: Person, ip: string) => {
  const json = await providers.nativeSignIn(name, person);
  const answer = await call("POST", `/api/auth/${name}/token`, { ip, env: providers.env, headers, json });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return String(answer.body.data.user_id);
};

/** Signs in through the browser flow, as an app does. */
const byBrowser = async (name: Name, person: Person, ip: string) => {
  const options = { ip, env: providers.env, headers };
  const { verifier, challenge } = await newVerifier();
  const query = new URLSearchParams({ redirect_uri: APP_URI, code_challenge: challenge });
  const ordered = await call("GET", `/api/auth/${name}/login?${query}`, options);
  const { pathname, search } = new URL(ordered.body.data.login_url);
  const started = await call("GET", pathname + search, options);
  const cookie = started.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const consent = await providers.consent(name, started.headers.get("location") ?? "", person);
  const form = new URLSearchParams(consent);
  const back =
    name === "apple"
      ? await call("POST", "/api/auth/apple/callback", {
          ...options,
          headers: { ...headers, cookie },
          form: Object.fromEntries(form),
        })
      : await call("GET", `/api/auth/${name}/callback?${form}`, { ...options, headers: { ...headers, cookie } });
  const code = new URL(back.headers.get("location") ?? "").searchParams.get("code");
  const json = { code, code_verifier: verifier };
  const answer = await call("POST", "/api/auth/social/success", { ...options, json });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return String(answer.body.data.user_id);
};

const announced = (userId: string) =>
  testEnv.DB.prepare("select count(*) as n from recorded_events where user_id = ? and type = 'auth.new_device'")
    .bind(userId)
    .first<number>("n");

const ways = { "the provider's SDK": native, "a browser": byBrowser };

describe.each(names.flatMap((name) => Object.entries(ways).map(([way, signIn]) => ({ name, way, signIn }))))(
  "A sign-in with $name through $way",
  ({ name, signIn }) => {
    it("is reported as a new device on each unknown network but the user's first, even with the same user agent", async () => {
      const person = newPerson(name);
      const home = newIp();
      const userId = await signIn(name, person, home);
      expect(await announced(userId)).toBe(0);
      await signIn(name, person, home);
      expect(await announced(userId)).toBe(0);
      const away = newIp();
      await signIn(name, person, away);
      expect(await announced(userId)).toBe(1);
      await signIn(name, person, away);
      expect(await announced(userId)).toBe(1);
    });

    it("shares known networks with sign-ins by one-time code", async () => {
      const person = newPerson(name);
      const [home, away, third] = [newIp(), newIp(), newIp()];
      const { userId } = await signUp(person.email, { ip: home, headers, env: providers.env });
      expect(await signIn(name, person, home)).toBe(userId);
      expect(await announced(userId)).toBe(0);
      await signIn(name, person, away);
      expect(await announced(userId)).toBe(1);
      clock.advance(120_000);
      await logIn(person.email, { ip: away, headers });
      expect(await announced(userId)).toBe(1);
      clock.advance(120_000);
      await logIn(person.email, { ip: third, headers });
      expect(await announced(userId)).toBe(2);
    });
  },
);

it("a network of a social sign-in is unknown again after 90 days", async () => {
  const person = newPerson("google");
  const home = newIp();
  const userId = await native("google", person, home);
  clock.advance(90 * DAY - 1);
  await native("google", person, home);
  expect(await announced(userId)).toBe(0);
  clock.advance(90 * DAY);
  await native("google", person, home);
  expect(await announced(userId)).toBe(1);
});

it("a network of a social sign-in does not become known to the limits of one-time codes", async () => {
  const person = newPerson("google");
  const home = newIp();
  await native("google", person, home);
  // The limits of one-time codes look up the identifier; a social sign-in records the user's id.
  const known = await testEnv.DB.prepare("select count(*) as n from familiar_networks where identifier = ?")
    .bind(person.email)
    .first<number>("n");
  expect(known).toBe(0);
});

it("the first sign-in to an account that staff created is not reported as a new device", async () => {
  const { identifier, userId } = await signUp(undefined, { ip: newIp() });
  await testEnv.DB.batch([
    testEnv.DB.prepare("update users set last_login = null where id = ?").bind(userId),
    testEnv.DB.prepare("delete from sessions where user_id = ?").bind(userId),
  ]);
  clock.advance(120_000);
  await logIn(identifier, { ip: newIp(), headers });
  expect(await announced(userId)).toBe(0);
});

it("deleting an account deletes the networks of its social sign-ins", async () => {
  const person = newPerson("google");
  const json = await providers.nativeSignIn("google", person);
  const answer = await call("POST", "/api/auth/google/token", { ip: newIp(), env: providers.env, json });
  const { user_id: userId, access_token: token } = answer.body.data;
  const remembered = () =>
    testEnv.DB.prepare("select count(*) as n from familiar_networks where identifier = ?").bind(userId).first("n");
  expect(await remembered()).toBe(1);
  const deleted = await call("DELETE", "/api/auth/account", { token, env: providers.env, json: {} });
  expect([deleted.status, await remembered()]).toEqual([200, 0]);
});
