import { call } from "./http.ts";
import type { Person } from "./journal.ts";
import { recordProblem, type World } from "./world.ts";

// Events of the platform's other services about a user: duplicated, late and out of order.

interface Told {
  id: string;
  type: string;
  data: object;
  occurredAt: number;
}

const PLATFORM_IP = "10.255.255.1";

/** Sends an event by RPC or queue, and often again by either. */
async function tell(world: World, person: Person, event: Told, isSure: boolean): Promise<void> {
  person.eventIds.push(event.id);
  await tellOnce(world, person.userId, event, isSure || world.chance(0.5), false);
  while (world.chance(0.2)) await tellOnce(world, person.userId, event, world.chance(0.5), isSure);
}

async function tellOnce(world: World, userId: string, event: Told, byRpc: boolean, isKnown: boolean): Promise<void> {
  const { id, type, data, occurredAt } = event;
  const json = { id, type, source: "rentals", user_id: userId, occurred_at: new Date(occurredAt).toISOString(), data };
  const path = world.platformUrl + (byRpc ? "/events" : "/queue");
  const answer = await call(world, { method: "POST", path, json, ip: PLATFORM_IP, expect: byRpc ? [200] : [202] });
  if (!byRpc) return;
  if (answer.data.accepted !== true) recordProblem(world, `an event was not accepted: ${JSON.stringify(answer.data)}`);
  else if (isKnown && answer.data.duplicate !== true) recordProblem(world, "a known event was taken as new");
}

const newEvent = (type: string, data: object, occurredAt = Date.now()): Told => ({
  id: crypto.randomUUID(),
  type,
  data,
  occurredAt,
});

const amountOf = (minor: number) =>
  `${minor < 0 ? "-" : ""}${Math.floor(Math.abs(minor) / 100)}.${String(Math.abs(minor) % 100).padStart(2, "0")}`;

/** A payment: the wallet changes once per transaction, whatever event ids report it. */
async function pay(
  world: World,
  person: Person,
  type: "TOPUP" | "RENTAL",
  minor: number,
  isSure: boolean,
): Promise<void> {
  const delta = type === "TOPUP" ? minor : -minor;
  const transaction_id = crypto.randomUUID();
  const data = {
    transaction_id,
    transaction_type: type,
    amount: amountOf(minor),
    currency: "NPR",
    wallet_delta: amountOf(delta),
  };
  person.walletMinor += delta;
  person.spentMinor += minor;
  await tell(world, person, newEvent("transaction.succeeded", data), isSure);
  if (world.chance(0.1)) await tell(world, person, newEvent("transaction.succeeded", data), isSure);
}

/** Adds money to the wallet. */
export const topUp = (world: World, person: Person, isSure: boolean) =>
  pay(world, person, "TOPUP", 1_000 + Math.floor(world.random() * 100_000), isSure);

/** A complete rental: start and return in either order, and its price. */
export async function rent(world: World, person: Person, isSure: boolean): Promise<void> {
  const rental_id = crypto.randomUUID();
  const on_time = world.chance(0.7);
  const minor = 500 + Math.floor(world.random() * 20_000);
  const now = Date.now();
  const start = newEvent("rental.started", { rental_id, station_id: "thamel-1" }, now - 1000);
  const end = newEvent("rental.returned", { rental_id, on_time, amount: amountOf(minor) }, now);
  person.totalRentals += 1;
  person[on_time ? "timelyReturns" : "lateReturns"] += 1;
  completeReferral(world, person);
  for (const event of world.chance(0.2) ? [end, start] : [start, end]) await tell(world, person, event, isSure);
  // Tops up first, so that no user ends in debt.
  await topUp(world, person, isSure);
  await pay(world, person, "RENTAL", Math.min(minor, person.walletMinor), isSure);
}

/** The first return of a referred user gives points to both users, once. */
function completeReferral(world: World, person: Person): void {
  const inviter = world.journal.people.find(({ userId }) => userId === person.inviter);
  person.inviter = undefined;
  if (!inviter) return;
  inviter.referrals += 1;
  for (const [who, points] of [
    [inviter, 100],
    [person, 50],
  ] as const) {
    who.points += points;
    who.totalPoints += points;
  }
}

/** Adds or spends points. */
export async function changePoints(world: World, person: Person, isSure: boolean): Promise<void> {
  const delta = Math.floor(world.random() * 60) - 20;
  if (delta === 0) return;
  person.points += delta;
  person.totalPoints += Math.max(0, delta);
  await tell(
    world,
    person,
    newEvent("points.changed", { delta, reason: "ride", reference: crypto.randomUUID() }),
    isSure,
  );
}

/** Adds a favorite station and perhaps removes it: the later event counts, in whatever order they arrive. */
export async function favoriteStation(world: World, person: Person, isSure: boolean): Promise<void> {
  const station_id = `station-${world.serial()}`;
  const now = Date.now();
  const words = [newEvent("station.favorited", { station_id }, now - 1000)];
  if (world.chance(0.3)) words.push(newEvent("station.unfavorited", { station_id }, now));
  else person.favorites.push(station_id);
  if (world.chance(0.3)) words.reverse();
  for (const word of words) await tell(world, person, word, isSure);
}

/** Sends an event of an unknown user or an invalid event, each of which becomes a dead letter. */
export async function sendInvalidEvent(world: World): Promise<void> {
  world.journal.invalidEvents += 1;
  const event = newEvent("points.changed", { delta: 1, reason: "ride", reference: "r" });
  const userId = world.chance(0.5) ? "01a20bbf-c11f-77a1-ba37-14894e9e1a37" : "nobody";
  await tellOnce(world, userId, event, false, false);
}
