import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { call, newIp, newPhone, signUp } from "../support/client.ts";
import { useClock } from "../support/clock.ts";
import { count } from "../support/database.ts";
import { APP_URI, fakeProviders, type Name, newPerson, newVerifier, type Providers } from "../support/openid.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { Simulation } from "../support/simulator/simulation.ts";
import { FAULTS, type Flow, failAtEachCall, faultsFor } from "./flow.ts";

beforeAll(keepSentEvents);

useClock({ timers: true });
afterEach(() => vi.restoreAllMocks());

/** Checks that the person has one account, created once, with one session. */
async function expectOneAccount(subject: string, userId: string): Promise<void> {
  expect(await count("from social_accounts where subject = ? and user_id = ?", subject, userId)).toBe(1);
  for (const table of ["profiles", "wallets", "points", "point_transactions", "sessions"]) {
    expect(await count(`from ${table} where user_id = ?`, userId), table).toBe(1);
  }
  expect(await count("from audit_logs where user_id = ?", userId), "audit rows").toBe(2);
  for (const type of ["user.created", "user.social_registered"]) {
    expect(await count("from recorded_events where user_id = ? and type = ?", userId, type), type).toBe(1);
  }
}

/** Starts a flow, consents as the person, and returns the callback URL. */
async function consented(providers: Providers, challenge: string, person = newPerson("google")) {
  const browser = openBrowser(providers.env, newIp());
  const query = new URLSearchParams({ redirect_uri: APP_URI, code_challenge: challenge });
  const ordered = await call("GET", `/api/auth/google/login?${query}`, { env: providers.env, ip: newIp() });
  const started = await browser.go("GET", ordered.body.data.login_url);
  const consent = await providers.consent("google", started.headers.get("location") ?? "", person);
  const headers = { cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ") };
  return { person, path: `/api/auth/google/callback?${new URLSearchParams(consent)}`, headers };
}

const tokenFlow = (name: Name) => async (): Promise<Flow> => {
  const providers = fakeProviders();
  const person = newPerson(name);
  const options = async () => ({ env: providers.env, ip: newIp(), json: await providers.nativeSignIn(name, person) });
  return {
    path: `/api/auth/${name}/token`,
    options: await options(),
    success: 200,
    // Apple's authorization code works once: after an exchange without success, the client requests another.
    ...(name === "apple" ? { anew: options } : {}),
    check: (answer) => expectOneAccount(person.sub, answer.body.data.user_id),
  };
};

const linkFlow = (name: Name) => async (): Promise<Flow> => {
  const providers = fakeProviders();
  const person = newPerson(name);
  const user = await signUp(newPhone(), { ip: newIp(), env: providers.env });
  const options = async () => ({
    env: providers.env,
    token: user.access,
    json: await providers.nativeSignIn(name, person),
  });
  return {
    path: `/api/auth/${name}/link`,
    options: await options(),
    success: 200,
    ...(name === "apple" ? { anew: options } : {}),
    async check() {
      expect(await count("from social_accounts where user_id = ? and subject = ?", user.userId, person.sub)).toBe(1);
      const audits = "from audit_logs where user_id = ? and entity_type = 'social_account'";
      expect(await count(audits, user.userId)).toBe(1);
      expect(await count("from recorded_events where user_id = ? and type = 'auth.social_linked'", user.userId)).toBe(
        1,
      );
    },
  };
};

const flows: Record<string, () => Promise<Flow>> = {
  "google/token": tokenFlow("google"),
  "apple/token": tokenFlow("apple"),
  "google/link": linkFlow("google"),
  "apple/link": linkFlow("apple"),
  "social/success": async () => {
    const providers = fakeProviders();
    const { verifier, challenge } = await newVerifier();
    const { person, path, headers } = await consented(providers, challenge);
    const back = await call("GET", path, { env: providers.env, headers });
    const code = new URL(back.headers.get("location") ?? "").searchParams.get("code");
    return {
      path: "/api/auth/social/success",
      options: { env: providers.env, ip: newIp(), json: { code, code_verifier: verifier } },
      success: 200,
      check: (answer) => expectOneAccount(person.sub, answer.body.data.user_id),
    };
  },
  "DELETE apple/link": async () => {
    const providers = fakeProviders();
    const user = await signUp(newPhone(), { ip: newIp(), env: providers.env });
    const json = await providers.nativeSignIn("apple", newPerson("apple"));
    await call("POST", "/api/auth/apple/link", { env: providers.env, token: user.access, json });
    return {
      method: "DELETE",
      path: "/api/auth/apple/link",
      options: { env: providers.env, token: user.access },
      success: 200,
      isDone: 404,
      async check() {
        expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(0);
        for (const type of ["auth.social_unlinked", "social.revocation_due"]) {
          expect(await count("from recorded_events where user_id = ? and type = ?", user.userId, type), type).toBe(1);
        }
      },
    };
  },
};

const table = Object.entries(flows).map(([name, start], nth) => [name, start, faultsFor(nth)] as const);
describe.each(table)("%s, failing at each of its binding calls in turn", (_name, start, faults) => {
  it.each(faults)("is consistent and takes effect once after a binding call with the fault %s", (fault) =>
    failAtEachCall(start, fault),
  );
});

describe("google/callback with a fault at each binding call in turn", () => {
  it.each(FAULTS)(
    "leads to a code or changes nothing after a call with the fault %s, and the flow can start again",
    async (fault) => {
      for (let at = 0; ; at++) {
        const providers = fakeProviders();
        const { verifier, challenge } = await newVerifier();
        const { person, path, headers } = await consented(providers, challenge);
        const codeOf = async (next: { path: string; headers: object }) => {
          const { headers: answered } = await call("GET", next.path, {
            env: providers.env,
            headers: { ...next.headers },
          });
          return new URL(answered.get("location") ?? "").searchParams.get("code") ?? "";
        };
        const simulation = new Simulation(at + 1);
        let met = false;
        const faults = ({ index }: { index: number }) => {
          if (index !== at) return undefined;
          met = true;
          return fault;
        };
        const options = { env: providers.env, headers };
        const first = await simulation.call("GET", path, options, { faults });
        if (first !== "died") expect([303, 503], `call ${at}`).toContain(first.status);
        const again = await simulation.call("GET", path, options);
        if (again === "died") throw new Error("a call without a fault died");
        expect(again.status).toBe(303);
        const answers = [first, again].flatMap((each) => (each === "died" ? [] : [each.headers.get("location")]));
        const codes = answers.flatMap((location) => (location ? [new URL(location).searchParams.get("code")] : []));
        const given = codes.filter((code) => code !== null);
        expect(given.length, `call ${at}`).toBeLessThanOrEqual(1);
        if (!met) expect(given).toHaveLength(1);
        if (given.length === 0) {
          expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
          given.push(await codeOf(await consented(providers, challenge, person)));
        }
        for (const code of given) {
          const json = { code, code_verifier: verifier };
          expect(await simulation.call("POST", "/api/auth/social/success", { env: providers.env, json })).toMatchObject(
            { status: 200 },
          );
        }
        expect(await count("from social_accounts where subject = ?", person.sub)).toBe(1);
        if (!met) break;
      }
    },
  );
});
