import fc from "fast-check";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Authenticator } from "../support/authenticator.ts";
import { type Answer, type CallOptions, call, newEmail, newIp, newPhone } from "../support/client.ts";
import { rows, run } from "../support/database.ts";
import { putIdentifier, removeIdentifier } from "../support/identity-calls.ts";
import { fakeProviders, newPerson, type Person, type Providers } from "../support/openid.ts";
import { signInOptions } from "../support/passkeys.ts";
import { tokenFor } from "../support/people.ts";
import {
  type IdentityModel,
  type Kind,
  kindOf,
  type ModelAccount,
  type ModelSession,
  newIdentityModel,
  type Outcome,
} from "./identity-model.ts";
import { checkModel, command, inTurn, wait } from "./run-model.ts";

interface Real {
  /** Three addresses and three numbers. Any caller can receive their codes, as the owner or as a thief. */
  identifiers: string[];
  /** The Google account of each user. */
  google: Map<string, Person>;
  /** Every passkey, by its id, also those that were removed. */
  authenticators: Map<string, Authenticator>;
  staff: Person;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

let providers: Providers;
beforeEach(() => {
  providers = fakeProviders();
});
afterEach(() => vi.restoreAllMocks());

const options = () => ({ env: providers.env, ip: newIp() });
const ask = (method: string, path: string, given: CallOptions = {}) => call(method, path, { ...options(), ...given });
const outcomeOf = ({ status, body }: Answer): Outcome => (status < 300 ? "ok" : body.error.code);

/** A command in a second of its own, after which the database must agree with the model. */
const step = (name: string, act: (model: IdentityModel, real: Real) => Promise<void>) =>
  command<IdentityModel, Real>(name, async (model, real) => {
    vi.setSystemTime(Date.now() + SECOND);
    await act(model, real);
    await expectSame(model, real);
  });
type Step = ReturnType<typeof step>;

/** Expects every identifier to belong to its owner in the model, and the same sessions to live. */
async function expectSame(model: IdentityModel, { identifiers }: Real): Promise<void> {
  const all = JSON.stringify(identifiers);
  const holders = await rows<{ id: string; email: string | null; phone: string | null; status: string }>(
    `select id, email, phone_number as phone, status from users
      where email in (select value from json_each(?1)) or phone_number in (select value from json_each(?1)) order by id`,
    all,
  );
  const owners = model.accounts
    .filter(({ email, phone }) => email !== null || phone !== null)
    .map(({ id, email, phone, status }) => ({ id, email, phone, status: status === "HELD" ? "INACTIVE" : status }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(holders).toEqual(owners);
  const ids = model.sessions.map(({ id }) => id);
  const open = await rows<{ id: string }>(
    "select id from sessions where revoked_at is null and id in (select value from json_each(?))",
    JSON.stringify(ids),
  );
  const living = model.sessions.filter(({ isEnded }) => !isEnded).map(({ id }) => id);
  expect(open.map(({ id }) => id).sort()).toEqual(living.sort());
}

function open(model: IdentityModel, { body }: Answer, method: ModelSession["method"], passkeyId?: string): void {
  const { user_id, access_token, refresh_token } = body.data;
  const account = model.accounts.find(({ id }) => id === user_id);
  if (!account) throw new Error("a sign-in to an account that the model does not know");
  const session = { id: String(decodeJwt(access_token).sid), access: access_token, refresh: refresh_token, passkeyId };
  model.opened(account, method, session, Date.now());
}

const methodOf = (identifier: string) => (kindOf(identifier) === "email" ? "EMAIL" : "PHONE");

/** Signs in with a code that was sent to the identifier. */
const signIn = (index: number) =>
  step(`sign in by identifier ${index}`, async (model, { identifiers }) => {
    const identifier = identifiers[index] ?? "";
    const expected = model.login(identifier, Date.now());
    const json = { identifier, verification_token: await tokenFor(identifier) };
    const answer = await ask("POST", "/api/auth/login", { json });
    expect(outcomeOf(answer)).toBe(expected);
    if (expected !== "ok") return;
    expect(answer.body.data.user_id).toBe(model.holderOf(identifier)?.id);
    open(model, answer, methodOf(identifier));
  });

const register = (index: number) =>
  step(`register identifier ${index}`, async (model, { identifiers, google }) => {
    const identifier = identifiers[index] ?? "";
    const expected = model.register(identifier, Date.now());
    const json = { identifier, verification_token: await tokenFor(identifier) };
    const answer = await ask("POST", "/api/auth/register", { json });
    expect(outcomeOf(answer)).toBe(expected);
    if (expected !== "ok") return;
    const id = answer.body.data.user_id;
    google.set(id, newPerson("google"));
    model.created(id, identifier);
    open(model, answer, methodOf(identifier));
  });

const googleOf = ({ google }: Real, { id }: ModelAccount) =>
  providers.nativeSignIn("google", google.get(id) ?? newPerson("google"));

/** Signs in to the account of the session opened `index` sign-ins ago by its linked Google account. */
const signInByGoogle = (index: number) =>
  step(`sign in by Google, account of session ${index}`, async (model, real) => {
    const account = model.sessions.at(-1 - index)?.account;
    // A Google account without a link would make a new account.
    if (!account || account.linkedAt === null) return;
    const answer = await ask("POST", "/api/auth/google/token", { json: await googleOf(real, account) });
    expect(outcomeOf(answer)).toBe(account.status === "HELD" ? "account_inactive" : "ok");
    if (account.status === "ACTIVE") open(model, answer, "GOOGLE");
  });

/** Signs in by the passkey added `index` passkeys ago, which may have been removed since. */
const signInByPasskey = (index: number) =>
  step(`sign in by passkey ${index}`, async (model, { authenticators }) => {
    const [id, authenticator] = [...authenticators].at(-1 - index) ?? [];
    if (!id || !authenticator) return;
    const account = model.accounts.find(({ passkeys }) => passkeys.some((passkey) => passkey.id === id));
    const credential = await authenticator.assert(await signInOptions(options()));
    const answer = await ask("POST", "/api/auth/passkey/login", { json: { credential } });
    const expected = !account ? "passkey_unknown" : account.status === "HELD" ? "account_inactive" : "ok";
    expect(outcomeOf(answer)).toBe(expected);
    if (expected === "ok") open(model, answer, "PASSKEY", id);
  });

/** A command with the session opened `index` sign-ins ago, which is refreshed first if its access token is old. */
const about = (
  name: string,
  index: number,
  act: (model: IdentityModel, session: ModelSession, real: Real) => Promise<void>,
) =>
  step(`${name}, session ${index}`, async (model, real) => {
    const session = model.sessions.at(-1 - index);
    if (!session) return;
    const { exp } = decodeJwt(session.access);
    if (Number(exp) * SECOND - Date.now() < MINUTE) {
      const answer = await ask("POST", "/api/auth/refresh", { json: { refresh_token: session.refresh } });
      expect(outcomeOf(answer)).toBe(model.isLive(session, Date.now()) ? "ok" : "token_not_valid");
      if (answer.status !== 200) return;
      Object.assign(session, { access: answer.body.access, refresh: answer.body.refresh, refreshedAt: Date.now() });
    }
    await act(model, session, real);
  });

const look = (index: number) =>
  about("look", index, async (model, session) => {
    const answer = await ask("GET", "/api/auth/identity", { token: session.access });
    expect(outcomeOf(answer)).toBe(model.isLive(session, Date.now()) ? "ok" : "token_not_valid");
    if (answer.status !== 200) return;
    const { account, provedAt } = session;
    const { email, phone_number, providers: links, passkeys, proved_until } = answer.body.data;
    expect({ email, phone_number, links: links.length, proved_until }).toEqual({
      email: account.email,
      phone_number: account.phone,
      links: account.linkedAt === null ? 0 : 1,
      proved_until: model.isProved(session, Date.now()) ? new Date(provedAt + 10 * MINUTE).toISOString() : null,
    });
    const ids = passkeys.map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(account.passkeys.map(({ id }) => id).sort());
  });

const prove = (index: number, by: number) =>
  about(`prove by identifier ${by}`, index, async (model, session, { identifiers }) => {
    const verification_token = await tokenFor(identifiers[by] ?? "");
    const expected = model.prove(session, identifiers[by] ?? "", Date.now());
    const answer = await ask("POST", "/api/auth/proof", { token: session.access, json: { verification_token } });
    expect(outcomeOf(answer)).toBe(expected);
  });

const proveByPasskey = (index: number) =>
  about("prove by a passkey", index, async (model, session, { authenticators }) => {
    const id = session.account.passkeys.at(-1)?.id ?? "";
    const authenticator = authenticators.get(id);
    if (!authenticator || !model.isLive(session, Date.now())) return;
    const purpose = { token: session.access, json: { purpose: "PROOF" } };
    const { public_key } = (await ask("POST", "/api/auth/passkeys/options", purpose)).body.data;
    const credential = await authenticator.assert(public_key);
    const answer = await ask("POST", "/api/auth/proof", { token: session.access, json: { credential } });
    expect(outcomeOf(answer)).toBe("ok");
    model.provedByPasskey(session, id, Date.now());
  });

const set = (index: number, to: number) =>
  about(`set identifier ${to}`, index, async (model, session, { identifiers }) => {
    const identifier = identifiers[to] ?? "";
    const verification = await tokenFor(identifier);
    const expected = model.change(session, kindOf(identifier), identifier, Date.now());
    const answer = await putIdentifier(session.access, identifier, verification, options());
    expect(outcomeOf(answer)).toBe(expected);
  });

const remove = (index: number, kind: Kind) =>
  about(`remove the ${kind}`, index, async (model, session) => {
    const expected = model.change(session, kind, null, Date.now());
    expect(outcomeOf(await removeIdentifier(session.access, kind, options()))).toBe(expected);
  });

/** Disputes the loss of the identifier with a code that was sent to it. */
const dispute = (index: number) =>
  step(`dispute identifier ${index}`, async (model, { identifiers }) => {
    const identifier = identifiers[index] ?? "";
    const json = { identifier, verification_token: await tokenFor(identifier) };
    const expected = model.dispute(identifier, Date.now());
    const answer = await ask("POST", "/api/auth/identity/dispute", { json });
    expect(answer.body.data?.outcome ?? outcomeOf(answer)).toBe(expected);
  });

const addPasskey = (index: number) =>
  about("add a passkey", index, async (model, session, { authenticators }) => {
    const expected = model.addPasskey(session, Date.now());
    if (expected === "ok" && !model.hasRoomForPasskey(session.account, Date.now())) return;
    const { access: token } = session;
    const offered = await ask("POST", "/api/auth/passkeys/options", { token, json: { purpose: "REGISTER" } });
    expect(outcomeOf(offered)).toBe(expected);
    if (expected !== "ok") return;
    const authenticator = await Authenticator.create();
    const credential = await authenticator.register(offered.body.data.public_key);
    const answer = await ask("POST", "/api/auth/passkeys", { token, json: { credential } });
    expect(outcomeOf(answer)).toBe("ok");
    authenticators.set(answer.body.data.id, authenticator);
    model.addedPasskey(session.account, answer.body.data.id, Date.now());
  });

/** Tries to remove the passkey that any account added `which` passkeys ago. */
const removePasskey = (index: number, which: number) =>
  about(`remove passkey ${which}`, index, async (model, session, { authenticators }) => {
    const id = [...authenticators.keys()].at(-1 - which);
    if (!id) return;
    const expected = model.removePasskey(session, id, Date.now());
    expect(outcomeOf(await ask("DELETE", `/api/auth/passkeys/${id}`, { token: session.access }))).toBe(expected);
  });

const link = (index: number) =>
  about("link Google", index, async (model, session, real) => {
    const json = await googleOf(real, session.account);
    const expected = model.link(session, Date.now());
    expect(outcomeOf(await ask("POST", "/api/auth/google/link", { token: session.access, json }))).toBe(expected);
  });

const unlink = (index: number) =>
  about("unlink Google", index, async (model, session) => {
    const expected = model.unlink(session, Date.now());
    const answer = await ask("DELETE", "/api/auth/google/link", { token: session.access, json: {} });
    expect(outcomeOf(answer)).toBe(expected);
  });

const deleteAccount = (index: number) =>
  about("delete the account", index, async (model, session) => {
    const expected = model.remove(session, Date.now());
    const answer = await ask("DELETE", "/api/auth/account", { token: session.access, json: {} });
    expect(outcomeOf(answer)).toBe(expected);
  });

/** Staff reactivate an account that a dispute has blocked. */
const release = step("staff release a held account", async (model, { staff }) => {
  const account = model.accounts.find(({ status }) => status === "HELD");
  if (!account) return;
  const signedIn = await ask("POST", "/api/auth/google/token", { json: await providers.nativeSignIn("google", staff) });
  const json = { status: "ACTIVE", reason: "Showed the document" };
  const token = signedIn.body.data.access_token;
  expect(outcomeOf(await ask("POST", `/api/users/${account.id}/status`, { token, json }))).toBe("ok");
  account.status = "ACTIVE";
});

const pause: (milliseconds: number) => Step = wait;

// The owner has address 0 and number 3, the other user number 4; nobody has the rest at first.
const [EMAIL, PHONE, FREE_EMAIL, OTHERS_PHONE, FREE_PHONE] = [0, 3, 1, 4, 5];

/** A thief with a phished code takes the number; its owner disputes after a while and signs in. */
const phished = (milliseconds: number) =>
  inTurn(
    signIn(PHONE),
    ...[set(0, FREE_EMAIL), addPasskey(0), set(0, FREE_PHONE), link(0), pause(milliseconds)],
    ...[dispute(PHONE), look(0), signInByPasskey(0), signInByGoogle(0), signIn(PHONE), dispute(FREE_PHONE)],
  );

/** The owner replaces a lost number after signing in by e-mail; the holder of the old SIM then tries everything. */
const stolenSim = (milliseconds: number) =>
  inTurn(
    signIn(EMAIL),
    ...[set(0, FREE_PHONE), pause(milliseconds), signIn(PHONE), register(PHONE), signIn(OTHERS_PHONE)],
    ...[set(0, PHONE), prove(1, PHONE), dispute(PHONE), signIn(PHONE), look(0), release, signIn(EMAIL)],
  );

/** A thief with a session that was proved this long ago tries every sensitive step. */
const stolenSession = (milliseconds: number) =>
  inTurn(
    signIn(PHONE),
    ...[addPasskey(0), pause(milliseconds), look(0), set(0, FREE_PHONE), remove(0, "email"), addPasskey(0), link(0)],
    ...[removePasskey(0, 0), unlink(0), deleteAccount(0)],
  );

/** Two changes after one proof, which does not count as a proof by the number that the second change replaces. */
const twoByOneProof = inTurn(signIn(PHONE), ...[set(0, FREE_PHONE), set(0, PHONE), dispute(FREE_PHONE), look(0)]);

/** Removing a passkey ends the sessions that it opened or proved. */
const removedPasskey = inTurn(
  signIn(PHONE),
  ...[addPasskey(0), signInByPasskey(0), signIn(PHONE), proveByPasskey(0), removePasskey(2, 0), look(0), look(1)],
);

/** Removes the ways to sign in one by one; the last one stays. */
const lastWayIn = inTurn(
  signIn(EMAIL),
  ...[addPasskey(0), link(0), remove(0, "phone"), remove(0, "email"), unlink(0), removePasskey(0, 0), unlink(0)],
  ...[look(0), signInByPasskey(0), signInByGoogle(0), dispute(PHONE), dispute(EMAIL), look(0)],
);

const changeTooOften = (milliseconds: number) =>
  inTurn(
    signIn(PHONE),
    ...[FREE_EMAIL, FREE_EMAIL + 1, FREE_EMAIL, FREE_EMAIL + 1, FREE_EMAIL, EMAIL].map((to) => set(0, to)),
    ...[pause(milliseconds), prove(0, PHONE), set(0, EMAIL)],
  );

const session = fc.constantFrom(0, 0, 0, 1, 1, 2, 3);
const identifier = fc.nat(5);
const kind = fc.constantFrom<Kind>("email", "phone");
const times = [MINUTE, 10 * MINUTE - 2 * SECOND, 10 * MINUTE, DAY, 6 * DAY, 7 * DAY - 2 * SECOND, 7 * DAY];
const window = fc.constantFrom(MINUTE, 7 * DAY - MINUTE, 7 * DAY);

test("NIST SP 800-63B-4 4.1.2, 4.6, ASVS 6.4.4, 7.4.3, 7.5.1: identifiers and sessions follow the model under any sequence of steps", {
  timeout: 3_600_000,
}, async () => {
  await checkModel<IdentityModel, Real>(
    [
      window.map(phished),
      window.map(stolenSim),
      fc.constantFrom(9 * MINUTE, 10 * MINUTE, DAY).map(stolenSession),
      fc.constantFrom(twoByOneProof, removedPasskey),
      fc.constantFrom(lastWayIn, ...[DAY - MINUTE, DAY].map(changeTooOften)),
      identifier.map(signIn),
      identifier.map(register),
      session.map(signInByGoogle),
      fc.nat(2).map(signInByPasskey),
      fc.tuple(session, identifier).map(([index, by]) => prove(index, by)),
      session.map(proveByPasskey),
      fc.tuple(session, identifier).map(([index, to]) => set(index, to)),
      fc.tuple(session, kind).map(([index, what]) => remove(index, what)),
      identifier.map(dispute),
      session.map(addPasskey),
      fc.tuple(session, fc.nat(2)).map(([index, which]) => removePasskey(index, which)),
      fc.oneof(session.map(link), session.map(unlink)),
      session.map(look),
      fc.oneof(session.map(deleteAccount), fc.constant(release)),
      fc.constantFrom(...times).map(pause),
    ],
    async () => {
      const emails = [newEmail(), newEmail(), newEmail()];
      const identifiers = [...emails, newPhone(), newPhone(), newPhone()];
      const staff = newPerson("google");
      const { body } = await ask("POST", "/api/auth/google/token", {
        json: await providers.nativeSignIn("google", staff),
      });
      await run("update users set role = 'staff' where id = ?", body.data.user_id);
      const real: Real = { identifiers, google: new Map(), authenticators: new Map(), staff };
      const model = newIdentityModel();
      for (const index of [PHONE, OTHERS_PHONE]) await register(index).run(model, real);
      await set(1, EMAIL).run(model, real);
      // The owner's first address is older than any undo window of the run.
      vi.setSystemTime(Date.now() + 8 * DAY);
      return { model, real };
    },
    { steps: 25 },
  );
});
