import { decodeJwt } from "jose";
import { must, newUser, signInAgain, tokenFor } from "../faults/people.ts";
import { newEmail, newIp, newPhone, type SignedIn } from "../support/client.ts";
import { count, rows, run } from "../support/database.ts";
import { fakeProviders, type Name, newPerson, type Person, type Providers } from "../support/openid.ts";
import {
  answered,
  distinct,
  headersOf,
  noServerErrors,
  type RaceSetting,
  simulationOf,
  successes,
  times,
  Verdict,
} from "./race.ts";

const EMAIL = "/api/auth/identity/email";
const PHONE = "/api/auth/identity/phone";
const REGISTER = "/api/auth/register";
const LOGIN = "/api/auth/login";
const DISPUTE = "/api/auth/identity/dispute";

const using = (method: string, calls: ReturnType<typeof times>) => calls.map((call) => ({ ...call, method }));

const cidOf = (token: string) => token.split(".")[0] ?? "";
/** Number of these verification tokens that are used up. */
const usedAmong = (tokens: string[]) =>
  count(
    "from otp_challenges where used_by is not null and cid in (select value from json_each(?))",
    JSON.stringify(tokens.map(cidOf)),
  );

/** Sign-ins with one provider by one person. */
const providerSignIns = async (setting: RaceSetting, providers: Providers, name: Name, person: Person, count: number) =>
  (
    await Promise.all(
      Array.from({ length: count }, async () =>
        times(1, `/api/auth/${name}/token`, {
          env: providers.env,
          ip: newIp(),
          headers: headersOf(setting),
          json: await providers.nativeSignIn(name, person),
        }),
      ),
    )
  ).flat();

/**
 * R17: one new address, set by two accounts, a sign-up, both providers and staff at once, has one holder, and refused
 * calls consume no token.
 */
export async function oneNewAddress(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const [first, second, named, admin] = [await newUser(), await newUser(), await newUser(), await newUser()];
  await run("update users set role = 'admin' where id = ?", admin.userId);
  const apple = newPerson("apple");
  const { email } = apple;
  const google = newPerson("google", { email, hd: "appleid.com" });
  const tokens = [await tokenFor(email), await tokenFor(email), await tokenFor(email)];
  const headers = headersOf(setting);
  const put = ({ access }: SignedIn, verification_token: string | undefined) =>
    using("PUT", times(20, EMAIL, { token: access, headers, json: { email, verification_token } }));
  const results = await simulationOf(setting).race([
    ...times(20, REGISTER, { headers, json: { identifier: email, verification_token: tokens[2] } }),
    ...put(first, tokens[0]),
    ...put(second, tokens[1]),
    ...(await providerSignIns(setting, providers, "google", google, 10)),
    ...(await providerSignIns(setting, providers, "apple", apple, 10)),
    ...using(
      "PATCH",
      times(10, `/api/users/${named.userId}`, { token: admin.access, json: { email, reason: "Asked by phone" } }),
    ),
  ]);
  noServerErrors(verdict, results);
  const holders = await rows<{ id: string }>("select id from users where email = ?", email);
  verdict.equal("holders", holders.length, 1);
  const holder = holders[0]?.id;
  verdict.equal("tokens of the first used up", await usedAmong(tokens.slice(0, 1)), Number(holder === first.userId));
  verdict.equal("tokens of the second used up", await usedAmong(tokens.slice(1, 2)), Number(holder === second.userId));
  const signedUp = successes(results.slice(0, 20)).map(({ body }) => body.data.user_id);
  verdict.equal("tokens of the sign-up used up", await usedAmong(tokens.slice(2)), Math.min(1, signedUp.length));
  verdict.equal("sign-ups that do not hold it", signedUp.filter((id) => id !== holder).length, 0);
  return verdict;
}

/**
 * R17: an address that its owner replaces, removes and takes back, during sign-ins with it and claims of others, always
 * belongs to the owner or to nobody, and refused claims consume no token.
 */
export async function reservedAddress(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const google = newPerson("google");
  const { email } = google;
  const json = { identifier: email, verification_token: await tokenFor(email) };
  const { data } = await must("POST", REGISTER, { ip: newIp(), json });
  const ownerId: string = data.user_id;
  await run("update users set phone_number = ?, phone_verified = 1 where id = ?", newPhone(), ownerId);
  const claimant = await newUser();
  const claims = [await tokenFor(email), await tokenFor(email)];
  const another = newEmail();
  const headers = headersOf(setting);
  const own = { token: data.access_token, headers };
  const dispute = { identifier: email, verification_token: await tokenFor(email) };
  const simulation = simulationOf(setting);
  const replacement = { email: another, verification_token: await tokenFor(another) };
  const login = { identifier: email, verification_token: await tokenFor(email) };
  const claim = { email, verification_token: claims[0] };
  const results = await simulation.race([
    ...times(8, DISPUTE, { headers, json: dispute }),
    ...times(8, LOGIN, { headers, json: login }),
    ...(await providerSignIns(setting, providers, "google", google, 4)),
    ...using("PUT", times(4, EMAIL, { ...own, json: replacement })),
    ...using("DELETE", times(4, EMAIL, own)),
    ...using("PUT", times(30, EMAIL, { headers, token: claimant.access, json: claim })),
    ...times(10, REGISTER, { headers, json: { identifier: email, verification_token: claims[1] } }),
  ]);
  noServerErrors(verdict, results);
  verdict.equal("claims that succeeded", successes(results.slice(28)).length, 0);
  verdict.equal("tokens of claims used up", await usedAmong(claims), 0);
  verdict.equal("other holders", await count("from users where email = ? and id <> ?", email, ownerId), 0);
  const entered = successes(results.slice(8, 20)).filter(({ body }) => body.data.user_id !== ownerId);
  verdict.equal("sign-ins to another account", entered.length, 0);
  const outcomes = successes(results.slice(0, 8)).map(({ body }) => body.data.outcome);
  verdict.equal("other outcomes than RESTORED", outcomes.filter((outcome) => outcome !== "RESTORED").length, 0);
  if (outcomes.length > 0) {
    verdict.equal("owners who have it back", await count("from users where email = ? and id = ?", email, ownerId), 1);
    verdict.equal("holders of the replacement", await count("from users where email = ?", another), 0);
  }
  return verdict;
}

/**
 * R19: removing two identifiers, a link and a passkey at once, during a replacement and a sign-in, never leaves an
 * account without a way to sign in.
 */
export async function removals(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await newUser();
  await run("update users set email = ?, email_verified = 1 where id = ?", newEmail(), user.userId);
  await run(
    `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at)
      values ('https://accounts.google.com', ?1, 'GOOGLE', ?1, ?1, '', 1)`,
    user.userId,
  );
  await run(
    `insert into passkeys (id, user_id, credential_id, public_key, counter, aaguid, is_backup_eligible, is_synced,
      created_at) values (?1, ?1, ?1, '', 0, 'a', 1, 1, 1)`,
    user.userId,
  );
  const email = newEmail();
  const options = { token: user.access, headers: headersOf(setting) };
  const replacement = { email, verification_token: await tokenFor(email) };
  const { identifier } = user;
  const login = { headers: options.headers, json: { identifier, verification_token: await tokenFor(identifier) } };
  // A user's writes are limited to 60 a minute.
  const results = await simulationOf(setting).race([
    ...times(10, LOGIN, login),
    ...using("DELETE", times(12, EMAIL, options)),
    ...using("DELETE", times(12, PHONE, options)),
    ...using("DELETE", times(12, "/api/auth/google/link", { ...options, json: {} })),
    ...using("DELETE", times(12, `/api/auth/passkeys/${user.userId}`, options)),
    ...using("PUT", times(4, EMAIL, { ...options, json: replacement })),
  ]);
  noServerErrors(verdict, results);
  const left = await count(
    `from users where id = ?1 and (email is not null or phone_number is not null
      or exists (select 1 from social_accounts where user_id = ?1) or exists (select 1 from passkeys where user_id = ?1))`,
    user.userId,
  );
  verdict.equal("accounts with a way to sign in", left, 1);
  const entered = successes(results.slice(0, 10)).filter(({ body }) => body.data.user_id !== user.userId);
  verdict.equal("sign-ins to another account", entered.length, 0);
  if (!setting.handler) {
    const live = "from sessions where user_id = ? and id = ? and revoked_at is null";
    const sid = String(decodeJwt(user.access).sid);
    verdict.equal("sessions of the removals that live", await count(live, user.userId, sid), 1);
  }
  return verdict;
}

/**
 * R21: a dormant account that a second proof or a provider wakes while others start over with its number keeps it, or
 * one new account gets it. Every sign-in with the number enters the account that has it in the end.
 */
export async function startsOver(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const providers = fakeProviders();
  const old = await newUser();
  const newOwner = await newUser();
  const email = newEmail();
  await run("update users set email = ?, email_verified = 1, last_login = 1 where id = ?", email, old.userId);
  const google = newPerson("google");
  await run(
    `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at)
      values ('https://accounts.google.com', ?2, 'GOOGLE', ?1, ?1, '', 1)`,
    old.userId,
    google.sub,
  );
  const { identifier } = old;
  const env = { RECYCLED_AFTER_DAYS: "90" } as Partial<Env>;
  const headers = headersOf(setting);
  const login = async (count: number, more: object) =>
    times(count, LOGIN, {
      env,
      headers,
      json: { identifier, verification_token: await tokenFor(identifier), ...more },
    });
  const simulation = simulationOf(setting);
  const start = { identifier, verification_token: await tokenFor(identifier), start_over: true };
  const claim = { phone_number: identifier, verification_token: await tokenFor(identifier), start_over: true };
  const byNumber = [
    ...times(10, REGISTER, { env, headers, json: start }),
    ...(await login(30, { second_token: await tokenFor(email) })),
    ...(await login(10, { old_refresh_token: old.refresh })),
    ...(await login(10, {})),
    ...using("PUT", times(10, PHONE, { env, headers, token: newOwner.access, json: claim })),
  ];
  const results = await simulation.race([
    ...byNumber,
    ...(await providerSignIns(setting, providers, "google", google, 5)),
  ]);
  noServerErrors(verdict, results);
  const holders = await rows<{ id: string }>("select id from users where phone_number = ?", identifier);
  verdict.equal("holders", holders.length, 1);
  const entered = successes(results.slice(0, byNumber.length)).map(({ body }) => body.data.user_id ?? body.data.id);
  verdict.equal("entered accounts without the number", entered.filter((id) => id !== holders[0]?.id).length, 0);
  const byProvider = distinct(successes(results.slice(byNumber.length)).map(({ body }) => body.data.user_id));
  verdict.equal("accounts entered by the provider", byProvider, 1);
  if (!setting.handler) {
    const released = "from audit_logs where user_id = ? and new_values ->> 'reason' = 'recycled'";
    verdict.equal("numbers released", await count(released, old.userId), Number(holders[0]?.id !== old.userId));
  }
  return verdict;
}

const DISPUTES = 5;

/** R23: a dispute during a thief's further changes and refreshes has one outcome and ends the thief's sessions. */
export async function disputes(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const owner = await newUser();
  const thief = await signInAgain(owner);
  const first = newPhone();
  await must("PUT", PHONE, {
    token: thief.access,
    json: { phone_number: first, verification_token: await tokenFor(first) },
  });
  const headers = headersOf(setting);
  const dispute = { identifier: owner.identifier, verification_token: await tokenFor(owner.identifier) };
  const further = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const phone_number = newPhone();
      return { phone_number, verification_token: await tokenFor(phone_number) };
    }),
  );
  const simulation = simulationOf(setting);
  const results = await simulation.race([
    ...times(DISPUTES, DISPUTE, { headers, json: dispute }),
    ...further.flatMap((json) => using("PUT", times(1, PHONE, { headers, token: thief.access, json }))),
    ...times(40, "/api/auth/refresh", { headers, json: { refresh_token: thief.refresh } }),
  ]);
  noServerErrors(verdict, results);
  const outcomes = answered(results.slice(0, DISPUTES)).map(({ status, body }) => `${status} ${body.data?.outcome}`);
  verdict.equal("outcomes of the dispute", [...new Set(outcomes)].join(), "200 RESTORED");
  const restored = "from users where id = ? and phone_number = ?";
  verdict.equal("accounts with their number", await count(restored, owner.userId, owner.identifier), 1);
  if (!setting.handler) {
    const disputed = "from audit_logs where user_id = ? and new_values ->> 'outcome' = 'RESTORED'";
    verdict.equal("audit rows", await count(disputed, owner.userId), 1);
  }
  const pairs = successes(results.slice(DISPUTES + further.length)).map(({ body }) => body);
  const after = await simulation.race([
    ...[thief.access, ...pairs.map(({ access }) => access)].map((token) => ({
      method: "GET",
      path: "/api/auth/me",
      options: { token },
    })),
    ...[thief.refresh, ...pairs.map(({ refresh }) => refresh)].flatMap((refresh_token) =>
      times(1, "/api/auth/refresh", { json: { refresh_token } }),
    ),
  ]);
  verdict.equal("accepted from the thief after the dispute", successes(after).length, 0);
  return verdict;
}
