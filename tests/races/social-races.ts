import { openBrowser } from "../support/browser.ts";
import { call, newIp, verify } from "../support/client.ts";
import { count } from "../support/database.ts";
import {
  APP_URI,
  fakeProviders,
  type Name,
  newPerson,
  newVerifier,
  type Person,
  type Providers,
} from "../support/openid.ts";
import {
  answered,
  CLIENTS,
  distinct,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  successes,
  times,
  Verdict,
} from "./race.ts";

const REGISTER = "/api/auth/register";
const SUCCESS = "/api/auth/social/success";

/** A person with accounts at both providers, which both vouch for the same address. */
function personAtBothProviders(): { google: Person; apple: Person; email: string } {
  const apple = newPerson("apple");
  return { apple, google: newPerson("google", { email: apple.email, hd: "appleid.com" }), email: apple.email };
}

const signIns = async (setting: RaceSetting, providers: Providers, name: Name, person: Person, howMany: number) =>
  Promise.all(
    Array.from({ length: howMany }, async () => ({
      method: "POST",
      path: `/api/auth/${name}/token`,
      options: {
        env: providers.env,
        ip: newIp(),
        json: await providers.nativeSignIn(name, person),
        headers: headersOf(setting),
      },
    })),
  );

/** R10: one address used by code, Google and Apple at once: one user with both links. */
export async function oneAddressThreeWays(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const { google, apple, email } = personAtBothProviders();
  const ip = newIp();
  const verification_token = await verify(email, { ip, env: providers.env });
  const json = { identifier: email, verification_token };
  const options = { ip, json, headers: headersOf(setting), env: providers.env };
  const simulation = simulationOf(setting);
  const results = await simulation.race([
    ...times(CLIENTS / 4, REGISTER, options),
    ...(await signIns(setting, providers, "google", google, CLIENTS / 4)),
    ...(await signIns(setting, providers, "apple", apple, CLIENTS / 4)),
    ...times(CLIENTS / 4, "/api/auth/login", options),
  ]);
  noServerErrors(verdict, results);
  const allowed = ["user_already_exists", "user_not_found", "invalid_token", "idempotency_key_reused"];
  const refusals = answered(results).filter(({ status }) => status >= 300);
  verdict.equal("other refusals", refusals.filter(({ body }) => !allowed.includes(body.error?.code)).length, 0);
  verdict.equal("different users in the answers", distinct(successes(results).map(({ body }) => body.data.user_id)), 1);
  const user = successes(results)[0]?.body.data.user_id;
  verdict.equal("users of the address", await count("from users where email = ? and id = ?", email, user), 1);
  verdict.equal("links", await count("from social_accounts where user_id = ?", user), 2);
  const subjects = [google.sub, apple.sub];
  verdict.equal("links of the two", await count("from social_accounts where subject in (?, ?)", ...subjects), 2);
  verdict.equal("bonuses", await count("from point_transactions where user_id = ?", user), 1);
  verdict.equal("accounts made", await count("from audit_logs where user_id = ? and entity_type = 'user'", user), 1);
  const events = await count("from recorded_events where user_id = ? and type = 'user.created'", user);
  verdict.equal("events of it", events, 1);
  return verdict;
}

/** R10: an address that Google only asserts stays with its owner, whichever call comes first. */
export async function assertedBesideProved(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const person = newPerson("google", { email: newPerson("google").email.replace("gmail.com", "example.com") });
  const ip = newIp();
  const verification_token = await verify(person.email, { ip, env: providers.env });
  const json = { identifier: person.email, verification_token };
  const simulation = simulationOf(setting);
  const results = await simulation.race([
    ...times(CLIENTS / 10, REGISTER, { ip, json, headers: headersOf(setting), env: providers.env }),
    ...(await signIns(setting, providers, "google", person, (CLIENTS / 10) * 9)),
  ]);
  noServerErrors(verdict, results);
  const owners = successes(results.slice(0, CLIENTS / 10)).map(({ body }) => body.data.user_id);
  const others = successes(results.slice(CLIENTS / 10)).map(({ body }) => body.data.user_id);
  verdict.equal("owners", distinct(owners), 1);
  verdict.atMost("accounts by Google", distinct(others), 1);
  verdict.equal("strangers in the owner's account", others.filter((id) => owners.includes(id)).length, 0);
  verdict.equal("users of the address", await count("from users where email = ?", person.email), 1);
  const linked = await count("from social_accounts where user_id = ?", owners[0]);
  verdict.equal("links of the owner", linked, 0);
  return verdict;
}

/**
 * R11: one ID token used many times at once: one user and one session, which a rejected caller gets by repeating the
 * call.
 */
export function idTokens(name: Name) {
  return async (setting: RaceSetting): Promise<Verdict> => {
    const verdict = new Verdict();
    const providers = fakeProviders();
    const person = newPerson(name);
    const json = await providers.nativeSignIn(name, person);
    const options = { json, headers: headersOf(setting), env: providers.env, ip: newIp() };
    const simulation = simulationOf(setting);
    const results = await simulation.race(times(CLIENTS, `/api/auth/${name}/token`, options));
    noServerErrors(verdict, results);
    const again = await simulation.race(times(5, `/api/auth/${name}/token`, options));
    verdict.equal("repeated calls that failed", again.length - successes(again).length, 0);
    if (name === "google") verdict.equal("successes", successes(results).length, CLIENTS);
    const all = successes([...results, ...again]).map(({ body }) => body.data);
    verdict.equal("different users", distinct(all.map(({ user_id }) => user_id)), 1);
    verdict.equal("different refresh tokens", distinct(all.map(({ refresh_token }) => refresh_token)), 1);
    const user = all[0]?.user_id;
    verdict.equal("links", await count("from social_accounts where subject = ?", person.sub), 1);
    verdict.equal("sessions", await count("from sessions where user_id = ?", user), 1);
    verdict.equal("bonuses", await count("from point_transactions where user_id = ?", user), 1);
    return verdict;
  };
}

/** Starts a flow in a browser up to the person's consent; returns the callback's path. */
async function reachConsent(providers: Providers, verifier?: { challenge: string }) {
  const browser = openBrowser(providers.env, newIp());
  const query = verifier ? `?redirect_uri=${encodeURIComponent(APP_URI)}&code_challenge=${verifier.challenge}` : "";
  const ordered = await call("GET", `/api/auth/google/login${query}`, { env: providers.env, ip: newIp() });
  const started = await browser.go("GET", ordered.body.data.login_url);
  const person = newPerson("google");
  const consent = await providers.consent("google", started.headers.get("location") ?? "", person);
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  return { browser, person, cookie, path: `/api/auth/google/callback?${new URLSearchParams(consent)}` };
}

/** R11: one callback many times at once: its code is exchanged once and one one-time code is issued. */
export async function callbacks(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const { path, cookie, person } = await reachConsent(providers);
  const simulation = simulationOf(setting);
  const options = { env: providers.env, ip: newIp(), headers: { cookie, ...headersOf(setting) } };
  const results = await simulation.race(Array.from({ length: CLIENTS }, () => ({ method: "GET", path, options })));
  noServerErrors(verdict, results);
  const locations = answered(results).map(({ headers }) => headers.get("location") ?? "");
  const codes = locations.filter((location) => new URL(location).searchParams.has("code"));
  verdict.equal("redirects with a code", codes.length, 1);
  verdict.equal("exchanges", providers.callsTo(providers.tokens.google).length, 1);
  if (setting.handler) return verdict;
  const { pathname, search } = new URL(codes[0] ?? "https://none.example/");
  const found = await simulation.call("GET", pathname + search, options);
  verdict.equal("status of the success", found === "died" ? found : found.status, 200);
  verdict.equal("links", await count("from social_accounts where subject = ?", person.sub), 1);
  return verdict;
}

/** Completes an app's flow up to its one-time code. */
async function appCode(providers: Providers) {
  const verifier = await newVerifier();
  const { browser, path, person } = await reachConsent(providers, verifier);
  const back = await browser.go("GET", path);
  const code = new URL(back.headers.get("location") ?? "").searchParams.get("code") ?? "";
  return { code, person, code_verifier: verifier.verifier };
}

/** R11: one one-time code used many times at once gives one session. */
export async function codes(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const { person, ...json } = await appCode(providers);
  const simulation = simulationOf(setting);
  const options = { env: providers.env, ip: newIp(), json, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, SUCCESS, options));
  noServerErrors(verdict, results);
  verdict.equal("successes", successes(results).length, CLIENTS);
  const all = successes(results).map(({ body }) => body.data);
  verdict.equal("different users", distinct(all.map(({ user_id }) => user_id)), 1);
  verdict.equal("different refresh tokens", distinct(all.map(({ refresh_token }) => refresh_token)), 1);
  verdict.equal("sessions", await count("from sessions where user_id = ?", all[0]?.user_id), 1);
  return verdict;
}

/** R11: a code used with right and wrong verifiers at once is either invalidated for all or redeemed by its owner. */
export async function codesBesideThieves(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const { person, ...json } = await appCode(providers);
  const thief = { ...json, code_verifier: (await newVerifier()).verifier };
  const simulation = simulationOf(setting);
  const options = { env: providers.env, ip: newIp(), headers: headersOf(setting) };
  const results = await simulation.race([
    ...times(CLIENTS / 2, SUCCESS, { ...options, json: thief }),
    ...times(CLIENTS / 2, SUCCESS, { ...options, json }),
  ]);
  noServerErrors(verdict, results);
  verdict.equal("successes of the thief", successes(results.slice(0, CLIENTS / 2)).length, 0);
  const all = successes(results).map(({ body }) => body.data);
  verdict.atMost("different refresh tokens", distinct(all.map(({ refresh_token }) => refresh_token)), 1);
  if (setting.handler) return verdict;
  const links = await count("from social_accounts where subject = ?", person.sub);
  verdict.equal("links", links, all.length > 0 ? 1 : 0);
  return verdict;
}
