import {
  changeProfile,
  deleteAccount,
  endOthers,
  logOut,
  read,
  refresh,
  registerDevice,
  showSpentToken,
  submitKyc,
} from "./actions.ts";
import { changePoints, favoriteStation, rent, sendInvalidEvent, topUp } from "./events.ts";
import { call } from "./http.ts";
import { count, liveSessions, newPerson, type Person, type Session } from "./journal.ts";
import { login, newIdentifier, newIp, register, requestCode } from "./sign-in.ts";
import { ban, invite, listDirectory, look, reviewKyc, search, unban } from "./staff.ts";
import { recordProblem, UnexpectedAnswer, type World } from "./world.ts";

type Fate = "stay" | "log out" | "end others" | "be robbed" | "be banned" | "delete";
const FATES: Fate[] = ["stay", "stay", "stay", "log out", "log out", "end others", "be robbed", "be banned", "delete"];

type Action = (world: World, person: Person, session: Session, isSure: boolean) => Promise<unknown>;

/** Relative frequency of each action. */
const ACTIONS: [weight: number, action: Action][] = [
  [16, read("/api/auth/me")],
  [5, read("/api/users/profile")],
  [8, read("/api/users/wallet")],
  [3, read("/api/users/analytics/usage-stats")],
  [4, read("/api/users/notifications")],
  [3, read("/api/auth/sessions")],
  [3, read("/api/users/kyc/status")],
  [12, refresh],
  [6, changeProfile],
  [3, registerDevice],
  [5, submitKyc],
  [4, (world, person) => reviewKyc(world, person)],
  [3, (world) => listDirectory(world)],
  [4, (world, person) => search(world, person)],
  [3, (world, person) => look(world, person)],
  [3, (world, person, _session, isSure) => topUp(world, person, isSure)],
  [4, (world, person, _session, isSure) => rent(world, person, isSure)],
  [3, (world, person, _session, isSure) => changePoints(world, person, isSure)],
  [2, (world, person, _session, isSure) => favoriteStation(world, person, isSure)],
  [0.3, (world) => sendInvalidEvent(world)],
];
const TOTAL_WEIGHT = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

/** Simulates one client after another until the time is over. */
export async function runClients(world: World): Promise<void> {
  while (!world.isOver()) {
    const known: { person?: Person } = {};
    try {
      if (world.chance(0.05)) await guess(world);
      else await runClient(world, known);
    } catch (error) {
      if (known.person) known.person.isUncertain = true;
      if (!(error instanceof UnexpectedAnswer)) recordProblem(world, `${error instanceof Error ? error.stack : error}`);
    }
  }
}

/** Simulates a client from sign-up to the end of the account. */
async function runClient(world: World, known: { person?: Person }): Promise<void> {
  const fate = world.pick(FATES);
  // Events about a user who will be deleted must be known to have arrived before the deletion.
  const isSure = fate === "delete";
  const person = world.chance(0.08) ? await joinInvited(world, known) : await join(world);
  known.person = person;
  if (fate !== "delete") world.inviters.push(person);
  await act(world, person, isSure, 8 + world.random() * 16);
  await signInAgain(world, person, isSure);
  await act(world, person, isSure, 4 + world.random() * 8);
  await meet(world, person, fate);
}

async function join(world: World): Promise<Person> {
  const [identifier, ip] = [newIdentifier(world), newIp(world)];
  const { code } = await requestCode(world, identifier, ip, false);
  if (!code) throw new UnexpectedAnswer("too early for a first code");
  if (world.chance(0.15)) await requestTooEarly(world, identifier, ip);
  const inviter = world.inviters.length > 0 && world.chance(0.3) ? world.pick(world.inviters) : undefined;
  return register(world, identifier, ip, inviter, code);
}

/** A user whose account staff created, and who then signs in. */
async function joinInvited(world: World, known: { person?: Person }): Promise<Person> {
  const invited = await invite(world);
  const person = newPerson(invited.userId, invited.identifier, newIp(world));
  known.person = person;
  person.referralCode = invited.referralCode;
  count(person.audits, "CREATE user");
  // The response to the member of staff shows the user.
  count(person.audits, "VIEW user");
  world.journal.people.push(person);
  const { code } = await requestCode(world, person.identifier, person.ip, false);
  if (code) await login(world, person, person.ip, code, true);
  return person;
}

function pickAction(world: World): Action {
  let left = world.random() * TOTAL_WEIGHT;
  for (const [weight, action] of ACTIONS) {
    left -= weight;
    if (left < 0) return action;
  }
  return read("/api/auth/me");
}

async function act(world: World, person: Person, isSure: boolean, times: number): Promise<void> {
  for (let i = 0; i < times && !world.isOver(); i++) {
    const live = liveSessions(person);
    if (live.length === 0) return;
    const session = world.pick(live);
    await pickAction(world)(world, person, session, isSure);
  }
}

/** Signs in on a second device as soon as another code may be requested. */
async function signInAgain(world: World, person: Person, isSure: boolean): Promise<void> {
  const ip = world.chance(0.5) ? person.ip : newIp(world);
  while (!world.isOver()) {
    const { code, waitSeconds } = await requestCode(world, person.identifier, ip, true);
    if (code) {
      await login(world, person, ip, code);
      return;
    }
    const until = Date.now() + (waitSeconds ?? 60) * 1000;
    while (Date.now() < until && !world.isOver()) await act(world, person, isSure, 1);
  }
}

async function meet(world: World, person: Person, fate: Fate): Promise<void> {
  const [session] = liveSessions(person);
  if (!session) return;
  if (fate === "log out") await logOut(world, person, session);
  if (fate === "end others") await endOthers(world, person, session);
  if (fate === "be robbed") await showSpentToken(world, person, session);
  if (fate === "be banned") {
    await ban(world, person);
    if (world.chance(0.4)) await unban(world, person);
  }
  if (fate === "delete") {
    await deleteAccount(world, person, session);
    // The identifier is free again, and its next owner has nothing to do with the previous one.
    if (person.isDeleted && world.chance(0.5)) {
      const ip = newIp(world);
      const { code } = await requestCode(world, person.identifier, ip, true);
      if (code) await register(world, person.identifier, ip, undefined, code);
    }
  }
}

/** Requests another code immediately. */
async function requestTooEarly(world: World, identifier: string, ip: string): Promise<void> {
  const what = { method: "POST", path: "/api/auth/otp/request", json: { identifier }, ip } as const;
  await call(world, { ...what, expect: ["429 rate_limit_exceeded"] });
}

/** Sends wrong codes until the lock, which then also applies to the correct code. */
async function guess(world: World): Promise<void> {
  const [identifier, ip] = [newIdentifier(world), newIp(world)];
  const { code } = await requestCode(world, identifier, ip, false);
  const attempt = (otp: string | undefined, expect: `${number} ${string}`) =>
    call(world, { method: "POST", path: "/api/auth/otp/verify", json: { identifier, otp }, ip, expect: [expect] });
  for (let i = 0; i < 5; i++) await attempt(code === "000000" ? "000001" : "000000", "400 invalid_otp");
  await attempt(code, "429 rate_limit_exceeded");
}
