import { recordFromCaller } from "../../src/events/intake.service.ts";
import { AppError } from "../../src/platform/http/errors.ts";
import { changeEmail, changeNumber } from "./identity-acts.ts";
import type { Person, PointsEvent, Session } from "./person.ts";
import { pause, type Way } from "./router.ts";

const RENEWAL_MS = 10 * 60_000;
/** Sessions from which on a person no longer signs in at random; an eleventh session would end the oldest. */
const SIGN_INS = 3;

/** Performs one random action of the person; resolves when it has been answered. */
export async function act(person: Person, way: Way = {}): Promise<void> {
  const choice = person.service.random();
  if (person.isGone) return;
  if (person.isBusy ? !isOld(person) : choice < 0.4 && !isDue(person)) return changeAddress(person, way);
  if (choice < 0.7 && !isDue(person)) return earnPoints(person, way);
  await alone(person, way, () => {
    if (person.isSignedOut) return person.signIn(way);
    if (choice < 0.9 || isDue(person)) return refresh(person, way);
    if (choice < 0.93) return signInOrRefresh(person, way);
    return choice < 0.97 ? changeNumber(person, way) : changeEmail(person, way);
  });
}

/** The access token, which is valid for 15 minutes, has to be refreshed before its next use. */
const isOld = ({ accessAt }: Person) => accessAt < Date.now() - RENEWAL_MS;
/** The person has to sign in or to refresh. */
const isDue = (person: Person) => person.isSignedOut || isOld(person);

/** Runs the work once no other exclusive work of the person is in progress. */
export async function alone(person: Person, { onWait }: Way, work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; person.isBusy; attempt++) {
    onWait?.();
    await pause(attempt, `${person.userId}, who is busy`);
  }
  person.isBusy = true;
  try {
    if (!person.isGone) await work();
  } finally {
    person.isBusy = false;
  }
}

export async function changeAddress(person: Person, way: Way = {}): Promise<void> {
  const address = `House ${person.addresses.length + 1}-${Math.floor(person.service.random() * 1e9)}`;
  const options = { json: { address }, token: person.access };
  const answer = await person.call({ user: person.userId }, "PATCH", "/api/users/profile", options, way);
  if (person.expect(answer, 200, "profile")) person.addresses.push(address);
}

/** Reports a new event to the service, or repeats one that the service has confirmed. */
export async function earnPoints(person: Person, way: Way = {}): Promise<void> {
  const { random, router } = person.service;
  const known = [...person.events.values()];
  const again = random() < 0.3 ? known[Math.floor(random() * known.length)] : undefined;
  const event = again ?? { id: crypto.randomUUID(), delta: 1 + Math.floor(random() * 9) };
  const answer = await router.run({ user: person.userId }, (db) => report(person, db, event), way);
  if (answer.status === 200) person.events.set(event.id, event);
  else if (!person.isGone && !person.isSignedOut) person.complaints.push(`event: ${answer.status}`);
}

async function report({ service, userId }: Person, db: D1Database, { id, delta }: PointsEvent) {
  const event = {
    ...{ id, type: "points.changed", source: "rentals", user_id: userId },
    ...{ occurred_at: new Date().toISOString(), data: { delta, reason: "ride", reference: id } },
  };
  try {
    const { accepted } = await service.invoke(db, (deps) => recordFromCaller(deps, { caller: "rentals" }, event));
    return { status: accepted ? 200 : 422 };
  } catch (error) {
    if (error instanceof AppError && error.code === "service_unavailable") return { status: 503 };
    throw error;
  }
}

async function refresh(person: Person, way: Way = {}): Promise<void> {
  const session = person.sessions[Math.floor(person.service.random() * person.sessions.length)];
  if (session) await refreshSession(person, session, way);
}

async function refreshSession(person: Person, session: Session, way: Way = {}): Promise<void> {
  const options = { json: { refresh_token: session.refresh } };
  const answer = await person.call({ user: person.userId }, "POST", "/api/auth/refresh", options, way);
  if (!person.expect(answer, 200, "refresh")) return;
  person.access = answer.body.data.access;
  person.accessAt = Date.now();
  person.current = person.sessions.indexOf(session);
  session.refresh = answer.body.data.refresh;
}

/** Refreshes every session once more. */
export async function refreshAll(person: Person): Promise<void> {
  for (const session of person.sessions) await refreshSession(person, session);
}

async function signInOrRefresh(person: Person, way: Way): Promise<void> {
  return person.sessions.length < SIGN_INS ? person.signIn(way) : refresh(person, way);
}
