import { env } from "cloudflare:workers";
import { call, newIp, newPhone, signUp, verify } from "../support/client.ts";
import { count } from "../support/database.ts";
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

const REFRESH = "/api/auth/refresh";
const LOGOUT = "/api/auth/logout";
const REGISTER = "/api/auth/register";

function sessionOf(refreshToken: string): string {
  const payload = refreshToken.split(".")[1] ?? "";
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))).sid;
}

/** R5: one refresh token used many times at once gives one successor, byte for byte. */
export async function refreshes(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await signUp(newPhone(), { ip: newIp() });
  const simulation = simulationOf(setting);
  const options = { json: { refresh_token: user.refresh }, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, REFRESH, options));
  noServerErrors(verdict, results);
  verdict.equal("successes", successes(results).length, CLIENTS);
  verdict.equal("different successors", distinct(successes(results).map(({ body }) => body.refresh)), 1);
  const session = sessionOf(user.refresh);
  verdict.equal(
    "rotations",
    await env.DB.prepare("select counter from sessions where id = ?").bind(session).first("counter"),
    1,
  );
  return verdict;
}

/** R6: after a fault at a call to D1 the repeated call returns the same successor. */
export async function lostAnswers(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await signUp(newPhone(), { ip: newIp() });
  const simulation = simulationOf(setting);
  const options = { json: { refresh_token: user.refresh }, headers: headersOf(setting) };
  const faults = ["die-after", "throw-after", "die-before", "throw-before"] as const;
  const met = new Map<number, number>();
  const lost = await simulation.race(
    times(CLIENTS, REFRESH, options).map((each, i) => ({
      ...each,
      // One of the four faults hits the first or the second call to D1.
      place: {
        location: i % 5,
        faults: ({ binding, invocation }) => {
          if (binding !== "D1") return undefined;
          const nth = met.get(invocation.id) ?? 0;
          met.set(invocation.id, nth + 1);
          return nth === Math.floor(i / 4) % 2 ? faults[i % 4] : undefined;
        },
      },
    })),
  );
  const again = await simulation.race(times(CLIENTS, REFRESH, options));
  verdict.equal("repeated calls that failed", again.length - successes(again).length, 0);
  const successors = successes([...lost, ...again]).map(({ body }) => body.refresh);
  verdict.equal("different successors", distinct(successors), 1);
  verdict.equal("answers of 401", answered(lost).filter(({ status }) => status === 401).length, 0);
  return verdict;
}

/** R7: a thief uses an old token while the owner uses the newest: the session ends for both. */
export async function thiefBesideOwner(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await signUp(newPhone(), { ip: newIp() });
  const second = await call("POST", REFRESH, { json: { refresh_token: user.refresh } });
  const third = await call("POST", REFRESH, { json: { refresh_token: second.body.refresh } });
  const simulation = simulationOf(setting);
  const headers = headersOf(setting);
  // Thief and owner use different locations of KV.
  const at = (location: number) => (each: ReturnType<typeof times>[number]) => ({ ...each, place: { location } });
  const thief = times(CLIENTS / 2, REFRESH, { json: { refresh_token: user.refresh }, headers }).map(at(0));
  const owner = times(CLIENTS / 2, REFRESH, { json: { refresh_token: third.body.refresh }, headers }).map(at(1));
  const results = await simulation.race([...thief, ...owner]);
  noServerErrors(verdict, results);
  verdict.equal("successes of the thief", successes(results.slice(0, CLIENTS / 2)).length, 0);
  const newest = successes(results).map(({ body }) => body);
  const after = await simulation.race([
    ...newest.slice(0, 1).flatMap((body) => times(1, REFRESH, { json: { refresh_token: body.refresh } }).map(at(1))),
    { method: "GET", path: "/api/auth/me", options: { token: third.body.access }, place: { location: 1 } },
  ]);
  verdict.equal("accepted after the theft was seen", successes(after).length, 0);
  const events = await count("from recorded_events where user_id = ? and type = 'auth.refresh_reuse'", user.userId);
  if (!setting.handler) verdict.equal("reuse events", events, 1);
  return verdict;
}

/** R8: refreshes during a logout: nothing that starts after the logout's response is accepted at any location. */
export async function refreshesBesideLogout(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await signUp(newPhone(), { ip: newIp() });
  const simulation = simulationOf(setting);
  const headers = headersOf(setting);
  const refresh = { json: { refresh_token: user.refresh }, headers };
  const results = await simulation.race([
    { method: "POST", path: LOGOUT, options: { json: { refresh_token: user.refresh }, token: user.access } },
    ...times(CLIENTS - 1, REFRESH, refresh),
  ]);
  noServerErrors(verdict, results);
  verdict.equal("status of the logout", answered(results)[0]?.status, 200);
  const pairs = successes(results.slice(1)).map(({ body }) => body);
  const tokens = [user.refresh, ...pairs.map((pair) => pair.refresh)];
  const after = await simulation.race([
    ...tokens.flatMap((token) => times(1, REFRESH, { json: { refresh_token: token }, headers })),
    ...[user.access, ...pairs.map((pair) => pair.access)].map((token) => ({
      method: "GET",
      path: "/api/auth/me",
      options: { token },
    })),
  ]);
  verdict.equal("accepted after the logout", successes(after).length, 0);
  return verdict;
}

/** R9: one verification token used many times at once: one user, one session, one bonus, one audit row. */
export async function registrations(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const identifier = newPhone();
  const ip = newIp();
  const verification_token = await verify(identifier, { ip });
  const simulation = simulationOf(setting);
  const options = { ip, json: { identifier, verification_token }, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, REGISTER, options));
  noServerErrors(verdict, results);
  const users = successes(results).map(({ body }) => body.data.user_id);
  verdict.equal("different users in the answers", distinct(users), 1);
  verdict.equal("different refresh tokens", distinct(successes(results).map(({ body }) => body.data.refresh_token)), 1);
  verdict.equal("users", await count("from users where phone_number = ?", identifier), 1);
  verdict.equal("sessions", await count("from sessions where user_id = ?", users[0]), 1);
  verdict.equal("bonuses", await count("from point_transactions where user_id = ?", users[0]), 1);
  verdict.equal("audit rows", await count("from audit_logs where user_id = ?", users[0]), 1);
  return verdict;
}

/** R12: simultaneous logouts end the session once. */
export async function logouts(setting: RaceSetting): Promise<Verdict> {
  const verdict = new Verdict();
  const user = await signUp(newPhone(), { ip: newIp() });
  const simulation = simulationOf(setting);
  const options = { json: { refresh_token: user.refresh }, token: user.access, headers: headersOf(setting) };
  const results = await simulation.race(times(CLIENTS, LOGOUT, options));
  noServerErrors(verdict, results);
  verdict.equal("successes", successes(results).length, 1);
  const rows = "from audit_logs where user_id = ? and action = 'LOGOUT'";
  verdict.equal("audit rows", await count(rows, user.userId), 1);
  return verdict;
}
