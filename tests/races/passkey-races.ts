import { Authenticator } from "../support/authenticator.ts";
import { newIp, newPhone, signUp } from "../support/client.ts";
import { count, rows } from "../support/database.ts";
import { addPasskey, ownOptions, signInOptions } from "../support/passkeys.ts";
import {
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

const LOGIN = "/api/auth/passkey/login";
const PROOF = "/api/auth/proof";

async function owner(made: Parameters<typeof addPasskey>[1] = {}) {
  const person = await signUp(newPhone(), { ip: newIp() });
  return { person, ...(await addPasskey(person, made)) };
}

const opened = (userId: string) => count("from sessions where user_id = ? and method = 'PASSKEY'", userId);

/** R18: one assertion used a hundred times at sign-in, beside a proof: one session and one proof. */
export async function assertions(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const { person, authenticator } = await owner();
  const credential = await authenticator.assert(await signInOptions());
  const proof = await authenticator.assert(await ownOptions(person, "PROOF"));
  const simulation = simulationOf(setting);
  const ip = newIp();
  const half = CLIENTS / 2;
  const results = await simulation.race([
    ...times(half, LOGIN, { ip, json: { credential }, headers: headersOf(setting) }),
    ...times(half, PROOF, { ip, json: { credential: proof }, token: person.access }),
  ]);
  noServerErrors(verdict, results);
  const [signIns, proofs] = [successes(results.slice(0, half)), successes(results.slice(half))];
  verdict.equal("sign-ins", signIns.length, half);
  verdict.equal("different refresh tokens", distinct(signIns.map(({ body }) => body.data.refresh_token)), 1);
  verdict.equal("sessions", await opened(person.userId), 1);
  verdict.equal("proofs", distinct(proofs.map(({ body }) => body.data.proved_until)), 1);
  const audit = "from audit_logs where user_id = ? and action = 'LOGIN' and new_values ->> 'step' = 'proof'";
  verdict.equal("audit rows of the proof", await count(audit, person.userId), 1);
  return verdict;
}

/** R18: one new passkey sent a hundred times: one passkey, one audit row, one event. */
export async function registrations(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const person = await signUp(newPhone(), { ip: newIp() });
  const credential = await (await Authenticator.create()).register(await ownOptions(person, "REGISTER"));
  const simulation = simulationOf(setting);
  // A user's writes are limited to 60 a minute.
  const results = await simulation.race(
    times(CLIENTS / 2, "/api/auth/passkeys", {
      token: person.access,
      json: { credential },
      headers: headersOf(setting),
    }),
  );
  noServerErrors(verdict, results);
  verdict.equal("successes", successes(results).length, CLIENTS / 2);
  verdict.equal("different passkeys in the answers", distinct(successes(results).map(({ body }) => body.data.id)), 1);
  verdict.equal("passkeys", await count("from passkeys where user_id = ?", person.userId), 1);
  verdict.equal(
    "audit rows",
    await count("from audit_logs where user_id = ? and entity_type = 'passkey'", person.userId),
    1,
  );
  const events = "from recorded_events where user_id = ? and type = 'auth.passkey_added'";
  verdict.equal("events", await count(events, person.userId), 1);
  return verdict;
}

/**
 * R18: many assertions of a device-bound passkey in any order: each opens at most one session, and the counter never
 * goes back.
 */
export async function countedAssertions(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const { person, authenticator } = await owner({ isSynced: false });
  const credentials: unknown[] = [];
  for (let i = 0; i < 8; i++) credentials.push(await authenticator.assert(await signInOptions()));
  const simulation = simulationOf(setting);
  const ip = newIp();
  const calls = credentials.flatMap((credential) => times(4, LOGIN, { ip, json: { credential } }));
  // The newest first, so that an order of arrival would refuse the others.
  const results = await simulation.race(calls.reverse());
  noServerErrors(verdict, results);
  const sessions = await opened(person.userId);
  const tokens = distinct(successes(results).map(({ body }) => body.data.refresh_token));
  verdict.equal("sessions", sessions, tokens);
  const [row] = await rows<{ counter: number }>("select counter from passkeys where user_id = ?", person.userId);
  verdict.equal("the counter", row?.counter, credentials.length);
  return verdict;
}
