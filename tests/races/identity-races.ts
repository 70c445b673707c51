import { must, newUser, signInAgain, tokenFor } from "../faults/people.ts";
import { newEmail, newPhone, type SignedIn } from "../support/client.ts";
import { count, run } from "../support/database.ts";
import {
  answered,
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

/** R17: one new address for two accounts, a sign-up and staff at once has one holder, and refusals use nothing up. */
export async function oneNewAddress(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const [first, second, named, admin] = [await newUser(), await newUser(), await newUser(), await newUser()];
  await run("update users set role = 'admin' where id = ?", admin.userId);
  const email = newEmail();
  const tokens = [await tokenFor(email), await tokenFor(email), await tokenFor(email)];
  const headers = headersOf(setting);
  const put = ({ access }: SignedIn, verification_token: string | undefined) =>
    using("PUT", times(30, EMAIL, { token: access, headers, json: { email, verification_token } }));
  const results = await simulationOf(setting).race([
    ...put(first, tokens[0]),
    ...put(second, tokens[1]),
    ...times(30, REGISTER, { headers, json: { identifier: email, verification_token: tokens[2] } }),
    ...using(
      "PATCH",
      times(10, `/api/users/${named.userId}`, { token: admin.access, json: { email, reason: "Asked by phone" } }),
    ),
  ]);
  noServerErrors(verdict, results);
  verdict.equal("holders", await count("from users where email = ?", email), 1);
  const isByStaff = await count("from users where email = ? and id = ?", email, named.userId);
  verdict.equal("tokens used up", await usedAmong(tokens), 1 - isByStaff);
  const others = await count("from users where id in (?, ?) and email is not null", first.userId, second.userId);
  verdict.atMost("accounts with the address", others, 1);
  return verdict;
}

/** R19: removing two identifiers and a link at once never leaves an account without a way to sign in. */
export async function removals(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await newUser();
  await run("update users set email = ?, email_verified = 1 where id = ?", newEmail(), user.userId);
  await run(
    `insert into social_accounts (issuer, subject, provider, user_id, identity_hash, linked_by, created_at)
      values ('https://accounts.google.com', ?1, 'GOOGLE', ?1, ?1, '', 1)`,
    user.userId,
  );
  const options = { token: user.access, headers: headersOf(setting) };
  const results = await simulationOf(setting).race([
    ...using("DELETE", times(20, EMAIL, options)),
    ...using("DELETE", times(20, PHONE, options)),
    ...using("DELETE", times(20, "/api/auth/google/link", { ...options, json: {} })),
  ]);
  noServerErrors(verdict, results);
  const left = await count(
    `from users where id = ?1 and (email is not null or phone_number is not null
      or exists (select 1 from social_accounts where user_id = ?1))`,
    user.userId,
  );
  verdict.equal("accounts with a way to sign in", left, 1);
  return verdict;
}

/** R21: a sleeping account that is woken and started over at once keeps its number, or one new account has it. */
export async function startsOver(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const old = await newUser();
  const newOwner = await newUser();
  const email = newEmail();
  await run("update users set email = ?, email_verified = 1, last_login = 1 where id = ?", email, old.userId);
  const { identifier } = old;
  const env = { RECYCLED_AFTER_DAYS: "90" } as Partial<Env>;
  const headers = headersOf(setting);
  const tokens = [await tokenFor(identifier), await tokenFor(identifier), await tokenFor(identifier)];
  const proofs = { verification_token: tokens[1], second_token: await tokenFor(email) };
  const results = await simulationOf(setting).race([
    ...times(40, REGISTER, {
      env,
      headers,
      json: { identifier, verification_token: tokens[0], start_over: true },
    }),
    ...times(20, LOGIN, { env, headers, json: { identifier, ...proofs } }),
    ...using(
      "PUT",
      times(20, PHONE, {
        env,
        headers,
        token: newOwner.access,
        json: { phone_number: identifier, verification_token: tokens[2], start_over: true },
      }),
    ),
  ]);
  noServerErrors(verdict, results);
  verdict.equal("holders", await count("from users where phone_number = ?", identifier), 1);
  const woken = successes(results).filter(({ body }) => body.data?.user_id === old.userId).length;
  const hasKept = await count("from users where id = ? and phone_number = ?", old.userId, identifier);
  if (woken > 0) verdict.equal("woken accounts that kept the number", hasKept, 1);
  if (!setting.handler) {
    const released = "from audit_logs where user_id = ? and new_values ->> 'reason' = 'recycled'";
    verdict.equal("numbers released", await count(released, old.userId), 1 - hasKept);
  }
  return verdict;
}

const DISPUTES = 5;

/** R23: a dispute beside the thief's further changes and refreshes has one outcome, and ends all that is the thief's. */
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
