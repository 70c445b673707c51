import { type CallOptions, newEmail, newPhone, testEnv } from "../support/client.ts";
import type { Person } from "./person.ts";
import type { Way } from "./router.ts";

/** The limit of changes in a day. */
const CHANGES = 5;
/** How long a sign-in allows a change of identifiers; the rule is ten minutes. */
const PROOF_MS = 8 * 60_000;
/** Probability that the directory is not told of a change, as if the call had died; the next move or check tells it. */
const LOST = 0.3;

/** Addresses that several people want. */
export const sharedAddresses = ["family@example.com", "shop@example.com"];

/** Whether several people request codes for the address and any of them may hold it. */
export const isShared = (identifier: string) => sharedAddresses.includes(identifier);

/** Replaces the number, or brings the one of the registration back. */
export async function changeNumber(person: Person, way: Way = {}): Promise<void> {
  const isOwn = person.number === person.phone;
  if (!isOwn && person.service.random() < 0.7) return undo(person, way);
  await setIdentifier(person, newPhone(), way);
}

/** Adds, replaces or removes the e-mail address. */
export async function changeEmail(person: Person, way: Way = {}): Promise<void> {
  const { random } = person.service;
  if (person.email !== undefined && random() < 0.5) return removeEmail(person, way);
  const shared = sharedAddresses[Math.floor(random() * sharedAddresses.length)];
  await setIdentifier(person, random() < 0.5 ? newEmail() : (shared ?? newEmail()), way);
}

/** Verifies the identifier and puts it into the place of the present one. */
export async function setIdentifier(person: Person, identifier: string, way: Way = {}): Promise<void> {
  if (person.counts.changes >= CHANGES || !(await prove(person, way))) return;
  const verification_token = await person.verify(identifier, way, isShared(identifier));
  if (verification_token !== undefined) await putIdentifier(person, identifier, verification_token, way);
}

/** Puts a verified identifier into the place of the present one. */
export async function putIdentifier(person: Person, identifier: string, verification_token: string, way: Way = {}) {
  const { router, mover } = person.service;
  const isEmail = identifier.includes("@");
  const [path, field] = isEmail ? ["email", "email"] : ["phone", "phone_number"];
  const options = { json: { [field]: identifier, verification_token }, token: person.access };
  const answer = await person.ends(() =>
    router.run(
      { user: person.userId },
      async (db, home) => {
        const isThere = await mover.bring(identifier, person.userId, home, way);
        if (!isThere) return { status: 409, body: undefined };
        return person.service.callIn(db, "PUT", `/api/auth/identity/${path}`, options);
      },
      { ...way, also: { identifier } },
    ),
  );
  if (isShared(identifier) && answer.status === 409) return;
  if (answer.status !== 200) {
    person.complaints.push(`set ${identifier}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return;
  }
  const old = isEmail ? person.email : person.number;
  if (old === identifier) return;
  if (isEmail) person.email = identifier;
  else person.number = identifier;
  await changed(person, old, identifier);
}

async function removeEmail(person: Person, way: Way): Promise<void> {
  if (person.counts.changes >= CHANGES || !(await prove(person, way))) return;
  const answer = await person.ends(() => callOwn(person, "DELETE", "/api/auth/identity/email", {}, way));
  const old = person.email;
  if (!person.expect(answer, 200, "remove") || old === undefined) return;
  person.email = undefined;
  await changed(person, old, undefined);
}

async function changed(person: Person, old: string | undefined, now: string | undefined): Promise<void> {
  person.counts.changes += 1;
  if (old !== undefined) {
    person.former.add(old);
    person.forgetSessions("current");
  }
  if (now !== undefined) for (const set of [person.former, person.freed]) set.delete(now);
  await tellDirectory(person);
}

/** Takes all changes back by the number of the registration, and signs in again. */
export async function undo(person: Person, way: Way = {}): Promise<void> {
  const { phone } = person;
  const verification_token = await person.verify(phone, way);
  if (verification_token === undefined) return;
  await person.ends(async () => {
    const json = { identifier: phone, verification_token };
    const answer = await person.call({ identifier: phone }, "POST", "/api/auth/identity/dispute", { json }, way);
    if (!person.expect(answer, 200, "undo")) return;
    if (answer.body.data.outcome !== "RESTORED") person.complaints.push(`undo: ${answer.body.data.outcome}`);
    for (const each of person.identifiers()) person.freed.add(each);
    person.freed.delete(phone);
    person.former.clear();
    person.number = phone;
    person.email = undefined;
    person.counts.undone += 1;
    person.forgetSessions("none");
    await tellDirectory(person);
    await person.signIn(way);
  });
}

/** Deletes the account, which has a file and is found by the search. */
export async function deleteAccount(person: Person, way: Way = {}): Promise<void> {
  if (!(await prove(person, way))) return;
  const { service, userId } = person;
  await testEnv.KYC_BUCKET.put(`kyc/${userId}/document`, "a document");
  const [found] = service.messagesOf(userId, "search", "user_search.due");
  if (found) await service.deliver(found, way);
  await person.ends(async () => {
    const answer = await callOwn(person, "DELETE", "/api/auth/account", { json: {} }, way);
    if (!person.expect(answer, 200, "delete")) return;
    person.isGone = true;
    person.erased.push(...person.identifiers());
    for (const each of person.erased) person.freed.add(each);
    await tellDirectory(person);
    if (service.random() < 0.5) await deliverDeletion(person, way);
  });
}

/** Delivers the messages of the deletion, as often as it is called. */
export async function deliverDeletion({ service, userId }: Person, way: Way = {}): Promise<void> {
  const erasures = service.messagesOf(userId, "tasks", "account.deleted");
  const entries = service.messagesOf(userId, "search", "user_search.due");
  for (const message of [...erasures, ...entries]) await service.deliver(message, way);
}

const callOwn = (person: Person, method: string, path: string, options: CallOptions, way: Way) =>
  person.call({ user: person.userId }, method, path, { ...options, token: person.access }, way);

/** Signs in again if the sign-in of the current session is old; false if the person may make no change now. */
async function prove(person: Person, way: Way): Promise<boolean> {
  const provenAt = () => person.sessions[person.current]?.provenAt ?? 0;
  const isOld = () => person.isSignedOut || provenAt() < Date.now() - PROOF_MS;
  if (isOld()) await person.signIn(way);
  return !isOld();
}

async function tellDirectory({ service, userId }: Person): Promise<void> {
  if (service.random() >= LOST) await service.mover.confirm(userId);
}
