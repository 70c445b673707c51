import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, call, newEmail, newIp, newPhone, signUp, testEnv } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { count } from "../../support/database.ts";
import {
  base64urlSha256,
  CLIENTS,
  type Claims,
  fakeProviders,
  mint,
  newPerson,
  type Person,
  type Providers,
  strangerRsa,
} from "../../support/openid.ts";

let providers: Providers;
useClock();
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const outcome = ({ status, body }: Answer) => [status, body.error?.code];

const newApplePerson = () => newPerson("apple", { email: newEmail() });

/** The fields of the person's sign-in with this authorization code. */
const signInWith = async (person: Person, authorization_code: string, claims: Claims = {}) => ({
  ...(await providers.nativeSignIn("apple", person, claims)),
  authorization_code,
});

/** ID tokens that Apple's token endpoint returns for the code, each wrong in one respect. */
const foreignTokens: Record<string, (person: Person) => Promise<string>> = {
  "somebody else's subject": () => mint("apple", { sub: newApplePerson().sub }),
  "another issuer": ({ sub }) => mint("apple", { sub, iss: "https://accounts.google.com" }),
  "another client's audience": ({ sub }) => mint("apple", { sub, aud: "com.stranger.app" }),
  "the audience of our other client": ({ sub }) => mint("apple", { sub, aud: CLIENTS.apple.web }),
  "a stranger's signature": ({ sub }) => mint("apple", { sub }, { key: strangerRsa.privateKey }),
  "no subject": () => mint("apple", {}),
  "no form of a token": async () => "garbage",
};

describe("Apple's authorization code", () => {
  it.each(Object.keys(foreignTokens))(
    "that exchanges for an ID token with %s signs nobody in and stores nothing",
    async (how) => {
      const person = newApplePerson();
      const idToken = (await foreignTokens[how]?.(person)) ?? "";
      const json = await signInWith(person, providers.issueCode("apple", { idToken }));
      const answer = await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json });
      expect(outcome(answer)).toEqual([400, "social_auth_failed"]);
      expect(await count("from social_accounts where subject = ?", person.sub)).toBe(0);
      // The ID token is still unused: with its own code it signs in.
      const own = { ...json, authorization_code: providers.issueCode("apple", { sub: person.sub }) };
      expect((await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json: own })).status).toBe(
        200,
      );
    },
  );

  it.each(Object.keys(foreignTokens))("that exchanges for an ID token with %s links nothing", async (how) => {
    const person = newApplePerson();
    const user = await signUp(newPhone(), { ip: newIp(), env: providers.env });
    const idToken = (await foreignTokens[how]?.(person)) ?? "";
    const json = await signInWith(person, providers.issueCode("apple", { idToken }));
    const options = { ip: newIp(), env: providers.env, token: user.access };
    expect(outcome(await call("POST", "/api/auth/apple/link", { ...options, json }))).toEqual([
      400,
      "social_auth_failed",
    ]);
    expect(await count("from social_accounts where user_id = ?", user.userId)).toBe(0);
  });

  it("of another person's sign-in is refused and does not replace the stored refresh token", async () => {
    const [victim, attacker] = [newApplePerson(), newApplePerson()];
    const own = await providers.nativeSignIn("apple", attacker);
    await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json: own });
    const before = await testEnv.DB.prepare("select sealed_refresh_token from social_accounts where subject = ?")
      .bind(attacker.sub)
      .first("sealed_refresh_token");
    const stolen = providers.issueCode("apple", { sub: victim.sub });
    const json = await signInWith(attacker, stolen);
    const answer = await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json });
    expect(outcome(answer)).toEqual([400, "social_auth_failed"]);
    const after = await testEnv.DB.prepare("select sealed_refresh_token from social_accounts where subject = ?")
      .bind(attacker.sub)
      .first("sealed_refresh_token");
    expect(before).toEqual(expect.any(String));
    expect(after).toBe(before);
  });

  it("is exchanged only if its hash is the ID token's c_hash", async () => {
    const person = newApplePerson();
    const code = providers.issueCode("apple", { sub: person.sub });
    // Half of a SHA-256 in base64url: 22 characters, the last of which holds two bits.
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code)));
    const half = btoa(String.fromCharCode(...digest.subarray(0, 16)));
    const c_hash = half.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    for (const wrong of [await base64urlSha256(code), await base64urlSha256("another code"), "", c_hash.slice(0, -1)]) {
      const json = await signInWith(person, code, { c_hash: wrong });
      const answer = await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json });
      expect(outcome(answer), wrong).toEqual([400, "social_auth_failed"]);
    }
    expect(providers.callsTo(providers.tokens.apple)).toEqual([]);
    const json = await signInWith(person, code, { c_hash });
    expect((await call("POST", "/api/auth/apple/token", { ip: newIp(), env: providers.env, json })).status).toBe(200);
  });
});

describe("An ID token's claims of an unexpected type", () => {
  const odd = [5, null, true, ["x"], { x: 1 }];
  it.each(["email", "name", "picture", "hd", "azp", "c_hash", "email_verified"])(
    "count as absent: %s",
    async (claim) => {
      for (const value of odd) {
        for (const name of ["google", "apple"] as const) {
          const json = await providers.nativeSignIn(name, newPerson(name, { email: newEmail() }), { [claim]: value });
          const answer = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, json });
          expect(answer.status, `${name} ${JSON.stringify(value)} ${JSON.stringify(answer.body)}`).toBe(200);
        }
      }
    },
  );

  it("do not satisfy a required nonce", async () => {
    for (const value of odd) {
      for (const name of ["google", "apple"] as const) {
        const json = await providers.nativeSignIn(name, newPerson(name), { nonce: value });
        const answer = await call("POST", `/api/auth/${name}/token`, { ip: newIp(), env: providers.env, json });
        expect(outcome(answer)).toEqual([400, "social_auth_failed"]);
      }
    }
  });
});

describe("A login by browser", () => {
  it.each(["plain", "s256", "S512"])("refuses the code challenge method %j", async (code_challenge_method) => {
    const query = new URLSearchParams({ code_challenge_method });
    for (const name of ["google", "apple"]) {
      const answer = await call("GET", `/api/auth/${name}/login?${query}`, { ip: newIp(), env: providers.env });
      expect(outcome(answer)).toEqual([400, "validation_error"]);
      expect(Object.keys(answer.body.error.details)).toEqual(["code_challenge_method"]);
    }
  });

  it("accepts the code challenge method S256", async () => {
    const answer = await call("GET", "/api/auth/google/login?code_challenge_method=S256", { env: providers.env });
    expect(answer.status).toBe(200);
  });
});
