import fc from "fast-check";
import { expect, it } from "vitest";
import { useClock } from "../support/clock.ts";
import { rows } from "../support/database.ts";
import { insertUser, type SentEvent, stateOf, unbalancedUsers } from "../support/platform.ts";
import type { BindingCall, Fault } from "../support/simulator/scheduler.ts";
import { Simulation } from "../support/simulator/simulation.ts";

const DAY_MS = 86_400_000;
/** Long enough ago for events before and after the 30 days that follow it. */
const JOINED_DAYS_AGO = 40;

useClock({ timers: true });

/** An event without user and ids. `thing` is a small number, so that many events concern the same rental or payment. */
type Happening = { day: number; source: number } & (
  | { type: "rental.started" | "station.favorited" | "station.unfavorited"; thing: number }
  | { type: "rental.returned"; thing: number; onTime: boolean }
  | { type: "transaction.succeeded" | "points.changed"; thing: number; kind: number }
);

const thing = fc.nat(1);
// Few days, so that some events have the same time; days 29 and 31 are on either side of the referral limit.
const day = fc.constantFrom(2, 29, 31);
const source = fc.nat(1);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ type: fc.constant("rental.started" as const), thing, day, source }),
  fc.record({ type: fc.constant("rental.returned" as const), thing, day, source, onTime: fc.boolean() }),
  fc.record({ type: fc.constant("transaction.succeeded" as const), thing, kind: fc.nat(4), day, source }),
  fc.record({ type: fc.constant("points.changed" as const), thing: fc.nat(2), kind: fc.nat(1), day, source }),
  fc.record({
    type: fc.constantFrom("station.favorited" as const, "station.unfavorited" as const),
    thing,
    day,
    source,
  }),
);

const SOURCES = ["rentals", "payments"];
const TRANSACTION_TYPES = ["TOPUP", "RENTAL", "RENTAL_DUE", "FINE", "REFUND"];
const DELTAS = [40, -25, 7];
/** Amount and wallet delta of each transaction type, in paisa. */
const MOVED = [
  [50_000, 50_000],
  [12_050, -12_050],
  [3_001, 0],
  [10, -10],
  [99, 99],
] as const;

const asText = (minor: number) => `${minor < 0 ? "-" : ""}${(Math.abs(minor) / 100).toFixed(2)}`;

function toEvent(what: Happening, index: number, userId: string, joined: number): SentEvent {
  // All events of one transaction have the same contents.
  const data: Record<string, unknown> = {};
  if (what.type === "rental.started") Object.assign(data, { rental_id: `r${what.thing}`, station_id: "s" });
  else if (what.type === "rental.returned")
    Object.assign(data, { rental_id: `r${what.thing}`, on_time: what.onTime, amount: "10.00" });
  else if (what.type === "points.changed")
    Object.assign(data, { delta: DELTAS[what.thing], reason: `kind${what.kind}`, reference: `p${what.thing}` });
  else if (what.type === "transaction.succeeded") {
    const [amount, delta] = MOVED[what.kind] ?? MOVED[0];
    const moved = { amount: asText(amount), wallet_delta: asText(delta), currency: "NPR" };
    const transaction_id = `${userId}-${what.thing}`;
    Object.assign(data, { transaction_id, transaction_type: TRANSACTION_TYPES[what.kind], ...moved });
  } else data.station_id = `s${what.thing}`;
  return {
    // Not in chronological order.
    id: `${userId}-${(index * 7) % 31}-${index}`,
    type: what.type,
    source: SOURCES[what.source] ?? "",
    user_id: userId,
    occurred_at: new Date(joined + what.day * DAY_MS).toISOString(),
    data,
  };
}

/** The state expected from the set of events, in any order. */
function expectedState(happenings: Happening[], events: SentEvent[], joined: number) {
  const all = happenings.map((what, i) => ({ ...what, event: events[i] as SentEvent, at: joined + what.day * DAY_MS }));
  type One = (typeof all)[number];
  const isLater = (a: One, b: One) => a.at > b.at || (a.at === b.at && a.event.id > b.event.id);
  const lastWords = (of: One[]) =>
    [...Map.groupBy(of, (each) => each.thing).values()].map((group) => group.reduce((a, b) => (isLater(b, a) ? b : a)));
  const typed = (...types: string[]) => all.filter((each) => types.includes(each.type));
  const starts = typed("rental.started");
  const returns = lastWords(typed("rental.returned"));
  const transactions = [
    ...new Map(
      typed("transaction.succeeded").map((each) => [
        `${each.source} ${each.thing} ${"kind" in each && each.kind}`,
        each,
      ]),
    ).values(),
  ].map((each) => ("kind" in each ? each.kind : 0));
  const deltas = [
    ...new Map(
      typed("points.changed").map((each) => [`${each.source} ${each.thing} ${"kind" in each && each.kind}`, each]),
    ).values(),
  ].map((each) => DELTAS[each.thing] ?? 0);
  const isReferred = typed("rental.returned").some((each) => each.day <= 30);
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  const bonus = 50 + (isReferred ? 50 : 0);
  return {
    balance: sum(transactions.map((kind) => MOVED[kind]?.[1] ?? 0)),
    spent: sum(transactions.filter((kind) => kind < 2).map((kind) => MOVED[kind]?.[0] ?? 0)),
    current_points: bonus + sum(deltas),
    total_points: bonus + sum(deltas.filter((delta) => delta > 0)),
    rentals: new Set(starts.map((each) => each.thing)).size,
    last_rental_at: starts.length > 0 ? Math.max(...starts.map((each) => each.at)) : null,
    timely: returns.filter((each) => "onTime" in each && each.onTime).length,
    late: returns.filter((each) => "onTime" in each && !each.onTime).length,
    favorites: lastWords(typed("station.favorited", "station.unfavorited")).filter(
      (each) => each.type === "station.favorited",
    ).length,
    referrals: 0,
    referral: isReferred ? "COMPLETED" : "PENDING",
  };
}

const KINDS: Fault[] = ["die-before", "die-after", "throw-before", "throw-after"];

it("a set of events leads to one state in any order, with each event delivered three times concurrently and with faults", async () => {
  const everybody: string[] = [];
  const property = fc.asyncProperty(
    fc.array(happening, { minLength: 1, maxLength: 20, size: "max" }),
    fc.nat(1_000_000),
    async (happenings, seed) => {
      const joined = Date.now() - JOINED_DAYS_AGO * DAY_MS;
      const inviter = await insertUser(joined);
      const invitee = await insertUser(joined, inviter);
      everybody.push(inviter, invitee);
      const events = happenings.map((what, i) => toEvent(what, i, invitee, joined));
      const messages = events.map((body, i) => ({ id: `m${i}`, body, attempts: 1 }));
      const simulation = new Simulation(seed);
      const { random } = simulation.scheduler;
      const faults = ({ binding }: BindingCall) =>
        binding === "D1" && random() < 0.3 ? KINDS[Math.floor(random() * KINDS.length)] : undefined;
      await simulation.consume("platform-events", messages, 3, { faults });
      // Messages that met a fault are redelivered, because they were not acknowledged.
      await simulation.consume("platform-events", messages);
      const expected = expectedState(happenings, events, joined);
      expect(await stateOf(invitee)).toEqual(expected);
      const isReferred = expected.referral === "COMPLETED";
      expect(await stateOf(inviter)).toMatchObject({
        current_points: isReferred ? 150 : 50,
        total_points: isReferred ? 150 : 50,
        referrals: isReferred ? 1 : 0,
      });
      // Nothing counts twice even without the marks, which are deleted after 14 days.
      await rows("delete from processed_events where event_id glob ?", `${invitee}-*`);
      await simulation.consume("platform-events", messages);
      expect(await stateOf(invitee)).toEqual(expected);
    },
  );
  await fc.assert(property, { numRuns: 40 });
  expect(everybody.length).toBeGreaterThan(70);
  expect(await unbalancedUsers(everybody)).toEqual([]);
});
