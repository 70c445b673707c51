import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type Call, call, callUntilHeard } from "./http.ts";
import { count, newPerson, type Person, type Session } from "./journal.ts";
import { countsOf, recordProblem, UnexpectedAnswer, type World } from "./world.ts";

/** A new phone number or email address; numbers are spread over ten thousand ranges, as the limits count them. */
export function newIdentifier(world: World): string {
  const serial = world.serial();
  if (world.chance(0.3)) return `person${serial}@example.com`;
  return `+977${world.pick(["984", "985", "986"])}${String((serial * 3_141_593) % 10_000_000).padStart(7, "0")}`;
}

/** An IP address in a new /24. */
export function newIp(world: World): string {
  const serial = world.serial();
  return `10.${(serial >> 8) & 255}.${serial & 255}.${1 + (serial % 250)}`;
}

const newKey = (world: World) => (world.chance(0.5) ? crypto.randomUUID() : undefined);

/** Pause between two reads of the outbox, in ms; grows with the number of reads. */
const lookAgainMs = (looks: number) => Math.min(100 * 1.5 ** looks, 3000);

/** The code of the newest message that is newer than `lastId`. Not counted as load. */
async function readOutbox(world: World, identifier: string, lastId: string) {
  const path = `${world.url}/dev/outbox?to=${encodeURIComponent(identifier)}`;
  const startedAt = performance.now();
  for (let i = 0; i < 30; i++) {
    await sleep(lookAgainMs(i));
    const response = await fetch(path, { headers: { accept: "application/json", connection: "close" } });
    const { messages } = (await response.json()) as { messages: { id: string; code: string | null }[] };
    const [newest] = messages.filter(({ code }) => code !== null);
    if (newest?.code && newest.id > lastId) {
      const kind = { route: "a code arrives", status: 200, code: "", isExpected: true };
      countsOf(world.journal, kind).milliseconds.push(performance.now() - startedAt);
      return { id: newest.id, code: newest.code };
    }
  }
  recordProblem(world, "a code did not arrive within a minute");
  throw new UnexpectedAnswer("no code");
}

/** The id of the newest message to an identifier; empty if there is none. */
const newestMessage = new Map<string, string>();

/** Requests a code and reads it; returns the seconds to wait if it is too early. */
export async function requestCode(world: World, identifier: string, ip: string, mayBeEarly: boolean) {
  const what: Call = {
    method: "POST",
    path: "/api/auth/otp/request",
    json: { identifier },
    ip,
    key: newKey(world),
    expect: mayBeEarly ? [200, 429] : [200],
  };
  const answer = await callUntilHeard(world, what, [200, 429]);
  if (answer.status === 429 && !answer.wasLost) return { waitSeconds: Number(answer.headers.get("retry-after")) };
  if (answer.status === 429 && mayBeEarly) return { waitSeconds: Number(answer.headers.get("retry-after")) };
  const { id, code } = await readOutbox(world, identifier, newestMessage.get(identifier) ?? "");
  newestMessage.set(identifier, id);
  return { code };
}

/**
 * Exchanges the code for a verification token: after a wrong code, several times concurrently, or over a bad network.
 */
export async function verifyCode(world: World, identifier: string, ip: string, otp: string): Promise<string> {
  const what: Call = { method: "POST", path: "/api/auth/otp/verify", json: { identifier, otp }, ip, expect: [200] };
  if (world.chance(0.1)) {
    const wrong = otp === "000000" ? "000001" : "000000";
    await call(world, { ...what, json: { identifier, otp: wrong }, expect: ["400 invalid_otp"] });
  }
  if (world.chance(0.1)) {
    const atOnce = { ...what, expect: [200, "400 invalid_otp" as const] };
    const answers = await Promise.all([1, 2, 3].map(() => call(world, atOnce)));
    const winners = answers.filter(({ status }) => status === 200);
    if (winners.length !== 1) recordProblem(world, `a code was exchanged ${winners.length} times`);
    return String(winners[0]?.data.verification_token);
  }
  // Without a key, a lost response would also lose the code.
  const answer = await callUntilHeard(world, { ...what, key: crypto.randomUUID() });
  return String(answer.data.verification_token);
}

/** Registers, sometimes twice concurrently or over a bad network; exactly one account is created. */
export async function register(
  world: World,
  identifier: string,
  ip: string,
  inviter: Person | undefined,
  code?: string,
) {
  const { code: otp } = code ? { code } : await requestCode(world, identifier, ip, false);
  if (!otp) throw new UnexpectedAnswer("too early for a code");
  const verification_token = await verifyCode(world, identifier, ip, otp);
  const json = { identifier, verification_token, ...(inviter ? { referral_code: inviter.referralCode } : {}) };
  const answer = await tradeToken(world, { method: "POST", path: "/api/auth/register", json, ip, expect: [201] });
  const person = newPerson(String(answer.data.user_id), identifier, ip);
  person.referralCode = String(answer.data.user.referral_code);
  world.journal.people.push(person);
  count(person.audits, "CREATE user");
  openSession(person, answer, ip);
  if (!isFormer(world, person)) grantBonus(person);
  if (inviter && answer.data.referral_applied) person.inviter = inviter.userId;
  return person;
}

/** Signs in again with a code; `isFirst` if staff created the account. */
export async function login(world: World, person: Person, ip: string, otp: string, isFirst = false): Promise<Session> {
  const { identifier } = person;
  const verification_token = await verifyCode(world, identifier, ip, otp);
  const json = { identifier, verification_token };
  const answer = await tradeToken(world, { method: "POST", path: "/api/auth/login", json, ip, expect: [200] });
  count(person.audits, "LOGIN session");
  if (isFirst) grantBonus(person);
  return openSession(person, answer, ip);
}

async function tradeToken(world: World, what: Call): Promise<Answer> {
  if (world.chance(0.1)) {
    const [one, other] = await Promise.all([call(world, what), call(world, what)]);
    if (one.data.refresh_token !== other.data.refresh_token)
      recordProblem(world, `${what.path}: two sessions of one token`);
    return one;
  }
  return callUntilHeard(world, { ...what, key: newKey(world) });
}

function openSession(person: Person, answer: Answer, ip: string): Session {
  const { access_token: access, refresh_token: refresh } = answer.data;
  const claims = JSON.parse(Buffer.from(String(access).split(".")[1] ?? "", "base64url").toString());
  const session = { id: claims.sid, access, refresh, earlier: [], ip, hasEnded: false };
  person.sessions.push(session);
  return session;
}

/** Somebody deleted an account with this identifier, so it earns no second bonus. */
function isFormer(world: World, { identifier }: Person): boolean {
  return world.journal.people.some((each) => each.isDeleted && each.identifier === identifier);
}

function grantBonus(person: Person): void {
  person.bonuses += 1;
  person.points += 50;
  person.totalPoints += 50;
}
