import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, call, newEmail, newIp, newPhone, type SignedIn, signUp } from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { countOf, rows } from "../../support/database.ts";
import {
  freshToken,
  getIdentity,
  prove as proveWith,
  putIdentifier,
  removeIdentifier,
  setIdentifier,
} from "../../support/identity-calls.ts";
import { fakeProviders, newPerson, type Providers } from "../../support/openid.ts";
import { age } from "../../support/passkeys.ts";

const MINUTE = 60_000;
const SECOND = 1_000;
const DAY = 86_400_000;
const prove = (token: string, verificationToken: string) => proveWith(token, verificationToken, { env });
const refusal = (answer: Answer) => [answer.status, answer.body.error?.code];

let providers: Providers;
let env: Partial<Env>;
const clock = useClock();
beforeEach(() => {
  providers = fakeProviders();
  env = providers.env;
});
afterEach(() => void vi.restoreAllMocks());

const newUser = () => signUp(newPhone(), { ip: newIp(), env });
const provedUntil = async ({ access }: SignedIn) => (await getIdentity(access, { env })).body.data.proved_until;

/** Routes that ask for a proof: a call that succeeds for a proved session. */
const routes: Record<string, (user: SignedIn) => Promise<Answer>> = {
  "PUT auth/identity/email": ({ access }) => setIdentifier(access, newEmail(), { env }),
  "PUT auth/identity/phone": ({ access }) => setIdentifier(access, newPhone(), { env }),
  "DELETE auth/identity/phone": ({ access }) => removeIdentifier(access, "phone", { env }),
  "DELETE auth/identity/email": ({ access }) => removeIdentifier(access, "email", { env }),
  "POST auth/google/link": async ({ access }) =>
    call("POST", "/api/auth/google/link", {
      env,
      token: access,
      json: await providers.nativeSignIn("google", newPerson("google")),
    }),
  "DELETE auth/google/link": ({ access }) => call("DELETE", "/api/auth/google/link", { env, token: access, json: {} }),
  "GET users/export": ({ access }) => call("GET", "/api/users/export", { env, token: access }),
  "DELETE auth/account": ({ access }) => call("DELETE", "/api/auth/account", { env, token: access, json: {} }),
};

/** A user with a phone number, an email address and, if the route unlinks it, a Google account. */
async function wellConnected(route: string): Promise<SignedIn> {
  const user = await newUser();
  const email = newEmail();
  expect((await setIdentifier(user.access, email, { env })).status).toBe(200);
  if (route === "DELETE auth/google/link") expect((await routes["POST auth/google/link"]?.(user))?.status).toBe(200);
  return user;
}

describe.each(Object.entries(routes))("%s asks for a proof", (route, send) => {
  it("accepts a sign-in of 9:59 and refuses one of 10 minutes", async () => {
    const user = await wellConnected(route);
    await age(user, 10 * MINUTE);
    expect(refusal(await send(user))).toEqual([403, "reauthentication_required"]);
    const late = await wellConnected(route);
    await age(late, 9 * MINUTE + 59 * SECOND);
    expect((await send(late)).status).toBe(200);
  });

  it("accepts a proof of 9:59 and refuses one of 10 minutes", async () => {
    const user = await wellConnected(route);
    await age(user, DAY);
    expect((await prove(user.access, await freshToken(user.identifier))).status).toBe(200);
    await age(user, 10 * MINUTE);
    expect(refusal(await send(user))).toEqual([403, "reauthentication_required"]);
    expect((await prove(user.access, await freshToken(user.identifier))).status).toBe(200);
    await age(user, 9 * MINUTE + 59 * SECOND);
    expect((await send(user)).status).toBe(200);
  });
});

describe("POST auth/proof", () => {
  it("proves this session alone, uses the token up, opens no session and writes one audit row", async () => {
    const user = await newUser();
    await age(user, DAY);
    expect(await provedUntil(user)).toBeNull();
    const token = await freshToken(user.identifier);
    const sessions = await countOf("sessions", user.userId);
    const answer = await prove(user.access, token);
    expect(answer.status).toBe(200);
    expect(answer.body.data).toEqual({
      proved_until: new Date(Date.now() + 10 * MINUTE).toISOString(),
      message: expect.any(String),
    });
    expect(await provedUntil(user)).toBe(answer.body.data.proved_until);
    expect(await countOf("sessions", user.userId)).toBe(sessions);
    const audits = await rows(
      "select action, entity_type, new_values from audit_logs where user_id = ? and new_values ->> 'step' = 'proof'",
      user.userId,
    );
    expect(audits).toEqual([
      { action: "LOGIN", entity_type: "session", new_values: '{"step":"proof","method":"PHONE"}' },
    ]);
    const login = { identifier: user.identifier, verification_token: token };
    expect(refusal(await call("POST", "/api/auth/login", { env, json: login }))).toEqual([400, "invalid_token"]);
  });

  it("gives the same answer to the same call for 180 seconds, and then refuses the token", async () => {
    const user = await newUser();
    const token = await freshToken(user.identifier);
    const first = await prove(user.access, token);
    clock.advance(179 * SECOND);
    const again = await prove(user.access, token);
    expect([again.status, again.body.data]).toEqual([200, first.body.data]);
    clock.advance(SECOND);
    expect(refusal(await prove(user.access, token))).toEqual([400, "invalid_token"]);
    const proofs = "new_values ->> 'step' = 'proof'";
    expect(await countOf("audit_logs", user.userId, proofs)).toBe(1);
  });

  it("refuses another session of the same user for a token that one session has used", async () => {
    const user = await newUser();
    const token = await freshToken(user.identifier);
    const json = { identifier: user.identifier, verification_token: await freshToken(user.identifier) };
    const other = (await call("POST", "/api/auth/login", { env, ip: newIp(), json })).body.data.access_token;
    expect((await prove(user.access, token)).status).toBe(200);
    expect(refusal(await prove(other, token))).toEqual([400, "invalid_token"]);
  });

  it("refuses another person's token, which stays valid, a forged one and an empty one", async () => {
    const [user, stranger] = [await newUser(), await newUser()];
    const theirs = await freshToken(stranger.identifier);
    expect(refusal(await prove(user.access, theirs))).toEqual([400, "invalid_token"]);
    expect((await prove(stranger.access, theirs)).status).toBe(200);
    expect(refusal(await prove(user.access, "x".repeat(90)))).toEqual([400, "invalid_token"]);
    expect(refusal(await prove(user.access, ""))).toEqual([400, "validation_error"]);
  });

  it("refuses a session that has ended, and keeps the token", async () => {
    const user = await newUser();
    const token = await freshToken(user.identifier);
    await call("POST", "/api/auth/logout", { env, token: user.access, json: { refresh_token: user.refresh } });
    expect(refusal(await prove(user.access, token))).toEqual([401, "token_not_valid"]);
    const json = { identifier: user.identifier, verification_token: token };
    expect((await call("POST", "/api/auth/login", { env, json })).status).toBe(200);
  });

  it("refuses a token of the present identifier for a new one, and does not use it up", async () => {
    const user = await newUser();
    const token = await freshToken(user.identifier);
    expect(refusal(await putIdentifier(user.access, newEmail(), token, { env }))).toEqual([400, "invalid_token"]);
    expect((await prove(user.access, token)).status).toBe(200);
  });
});
