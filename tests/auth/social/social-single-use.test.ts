import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Answer,
  type CallOptions,
  call,
  newEmail,
  newIp,
  newPhone,
  type SignedIn,
  signUp,
  verify,
} from "../../support/client.ts";
import { useClock } from "../../support/clock.ts";
import { rows } from "../../support/database.ts";
import { fakeProviders, type Name, names, newPerson, type Person, type Providers } from "../../support/openid.ts";

const clock = useClock();
let providers: Providers;
let env: Partial<Env>;
beforeEach(() => {
  providers = fakeProviders();
  env = providers.env;
});
afterEach(() => vi.restoreAllMocks());

const MINUTE = 60_000;
const outcome = ({ status, body }: Answer) => [status, body.error?.code];
const post = (path: string, json: object, options: CallOptions = {}) =>
  call("POST", `/api/auth/${path}`, { ip: newIp(), env, json, ...options });
const unlink = (name: Name, token: string, json: object = {}) =>
  call("DELETE", `/api/auth/${name}/link`, { ip: newIp(), env, token, json });
const link = async (name: Name, token: string, person: Person, more: object = {}) =>
  post(`${name}/link`, { ...(await providers.nativeSignIn(name, person)), ...more }, { token });
const signIn = async (name: Name, person: Person) => post(`${name}/token`, await providers.nativeSignIn(name, person));
const me = (token: string) => call("GET", "/api/auth/me", { env, token });

/** A user whose sign-in is too old for a re-authentication, with a verification token that serves instead. */
async function oldSession(): Promise<SignedIn & { token: string; verification_token: string }> {
  const user = await signUp(newPhone(), { ip: newIp(), env });
  clock.advance(11 * MINUTE);
  const refreshed = await post("refresh", { refresh: user.refresh });
  const verification_token = await verify(user.identifier, { ip: newIp(), env });
  return { ...user, token: refreshed.body.access, verification_token };
}

const logIn = ({ identifier, verification_token }: { identifier: string; verification_token: string }) =>
  post("login", { identifier, verification_token });

describe.each(names)("a verification token given to link %s", (name) => {
  it("serves one link and afterwards no other link, unlink, deletion or login", async () => {
    const user = await oldSession();
    const { token, verification_token } = user;
    expect((await link(name, token, newPerson(name), { verification_token })).status).toBe(200);
    const other = name === "google" ? "apple" : "google";
    const again = await link(other, token, newPerson(other), { verification_token });
    expect(outcome(again)).toEqual([403, "reauthentication_required"]);
    expect(outcome(await unlink(name, token, { verification_token }))).toEqual([403, "reauthentication_required"]);
    const deletion = await call("DELETE", "/api/auth/account", { env, token, json: { verification_token } });
    expect(outcome(deletion)).toEqual([403, "reauthentication_required"]);
    expect(outcome(await logIn(user))).toEqual([400, "invalid_token"]);
  });

  it("is redeemed by the link even if the sign-in was recent enough", async () => {
    const user = await signUp(newPhone(), { ip: newIp(), env });
    clock.advance(2 * MINUTE);
    const verification_token = await verify(user.identifier, { ip: newIp(), env });
    expect((await link(name, user.access, newPerson(name), { verification_token })).status).toBe(200);
    expect(outcome(await logIn({ ...user, verification_token }))).toEqual([400, "invalid_token"]);
  });

  it("stays valid if nothing was linked and then signs in", async () => {
    const user = await oldSession();
    const owner = await signUp(newPhone(), { ip: newIp(), env });
    const theirs = newPerson(name, { email: newEmail() });
    expect((await link(name, owner.access, theirs)).status).toBe(200);
    const { token, verification_token } = user;
    expect(outcome(await link(name, token, theirs, { verification_token }))).toEqual([409, "conflict"]);
    expect(outcome(await unlink(name, token, { verification_token }))).toEqual([404, "not_found"]);
    expect((await logIn(user)).status).toBe(200);
  });

  it("links one of two providers requested at once", async () => {
    const { token, verification_token, userId } = await oldSession();
    const answers = await Promise.all(names.map((each) => link(each, token, newPerson(each), { verification_token })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
    expect(await rows("select provider from social_accounts where user_id = ?", userId)).toHaveLength(1);
  });

  it("returns success when the call is repeated after a lost response", async () => {
    const { token, verification_token } = await oldSession();
    const json = { ...(await providers.nativeSignIn(name, newPerson(name))), verification_token };
    for (let copy = 0; copy < 2; copy++) expect((await post(`${name}/link`, json, { token })).status).toBe(200);
  });
});

describe.each(names)("a verification token given to unlink %s", (name) => {
  it("serves one unlink and stays valid if the unlink was refused", async () => {
    const user = await oldSession();
    const person = newPerson(name, { email: newEmail() });
    expect((await link(name, user.token, person, user)).status).toBe(200);
    clock.advance(2 * MINUTE);
    const verification_token = await verify(user.identifier, { ip: newIp(), env });
    expect((await unlink(name, user.token, { verification_token })).status).toBe(200);
    expect(outcome(await logIn({ ...user, verification_token }))).toEqual([400, "invalid_token"]);
    expect(outcome(await link(name, user.token, person, { verification_token }))).toEqual([
      403,
      "reauthentication_required",
    ]);
    const alone = (await signIn(name, newPerson(name, { email: newEmail() }))).body.data;
    const email = newEmail();
    await rows("update users set email = ?, email_verified = 0 where id = ?", email, alone.user_id);
    const token = await verify(email, { ip: newIp(), env });
    expect(outcome(await unlink(name, alone.access_token, { verification_token: token }))).toEqual([
      409,
      "last_sign_in_method",
    ]);
    expect((await logIn({ identifier: email, verification_token: token })).status).toBe(200);
  });
});

describe.each(names)("unlinking %s", (name) => {
  it("ends the sessions that the provider's sign-in opened, and no other", async () => {
    const user = await signUp(newPhone(), { ip: newIp(), env });
    const person = newPerson(name, { email: newEmail() });
    await link(name, user.access, person);
    const [first, second] = [(await signIn(name, person)).body.data, (await signIn(name, person)).body.data];
    const other = name === "google" ? "apple" : "google";
    const theirs = newPerson(other, { email: newEmail() });
    await link(other, user.access, theirs);
    const byOther = (await signIn(other, theirs)).body.data;
    const neighbour = (await signIn(name, newPerson(name, { email: newEmail() }))).body.data;
    expect((await unlink(name, user.access)).status).toBe(200);
    for (const { access_token, refresh_token } of [first, second]) {
      expect(outcome(await me(access_token))).toEqual([401, "token_not_valid"]);
      expect(outcome(await post("refresh", { refresh: refresh_token }))).toEqual([401, "token_not_valid"]);
    }
    for (const token of [user.access, byOther.access_token, neighbour.access_token]) {
      expect((await me(token)).status).toBe(200);
    }
    const ended = await rows(
      "select revoked_reason from sessions where user_id = ? and revoked_at is not null",
      user.userId,
    );
    expect(ended).toEqual([{ revoked_reason: "unlinked" }, { revoked_reason: "unlinked" }]);
    const audited = await rows("select 1 from audit_logs where user_id = ? and action = 'LOGOUT'", user.userId);
    expect(audited).toHaveLength(2);
  });

  it("keeps the calling session even if the provider opened it", async () => {
    const user = await signUp(newPhone(), { ip: newIp(), env });
    const person = newPerson(name, { email: newEmail() });
    await link(name, user.access, person);
    const [asking, other] = [(await signIn(name, person)).body.data, (await signIn(name, person)).body.data];
    expect((await unlink(name, asking.access_token)).status).toBe(200);
    expect((await me(asking.access_token)).status).toBe(200);
    expect(outcome(await me(other.access_token))).toEqual([401, "token_not_valid"]);
  });
});

describe.each(names)("a repeated sign-in with %s", (name) => {
  it.each(["with", "without"])(
    "%s an Idempotency-Key is refused once the identity belongs to another user",
    async (how) => {
      const first = await signUp(newPhone(), { ip: newIp(), env });
      const person = newPerson(name, { email: newEmail() });
      await link(name, first.access, person);
      const json = await providers.nativeSignIn(name, person);
      const options = how === "with" ? { headers: { "idempotency-key": crypto.randomUUID() } } : {};
      const signedIn = (await post(`${name}/token`, json, options)).body.data;
      expect(signedIn.user_id).toBe(first.userId);
      // The session stays live and is never refreshed, so only the change of the identity refuses the repetition.
      expect((await unlink(name, signedIn.access_token)).status).toBe(200);
      expect(outcome(await post(`${name}/token`, json, options))).toEqual([400, "id_token_stale"]);
      const second = await signUp(newPhone(), { ip: newIp(), env });
      expect((await link(name, second.access, person)).status).toBe(200);
      const before = await rows("select id from sessions where user_id in (?, ?)", first.userId, second.userId);
      expect(outcome(await post(`${name}/token`, json, options))).toEqual([400, "id_token_stale"]);
      expect(await rows("select id from sessions where user_id in (?, ?)", first.userId, second.userId)).toEqual(
        before,
      );
      expect((await signIn(name, person)).body.data.user_id).toBe(second.userId);
    },
  );
});
