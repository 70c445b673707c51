import type { CallCounts, Journal, Person } from "./journal.ts";

/** State that all simulated clients share. */
export interface World {
  url: string;
  platformUrl: string;
  journal: Journal;
  staff: Person[];
  /** Possible referrers; none of them deletes their account. */
  inviters: Person[];
  /** Waits for the next slot of the requested rate. */
  slot(): Promise<void>;
  isOver(): boolean;
  /** A number in [0, 1); the same sequence for the same seed. */
  random(): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Grows by one with each call. */
  serial(): number;
}

/** A response that the script does not expect. */
export class UnexpectedAnswer extends Error {}

/** Records a violation. */
export function recordProblem(world: World, problem: string): void {
  if (world.journal.problems.length < 100) world.journal.problems.push(problem);
}

export function newWorld(options: {
  url: string;
  platformUrl: string;
  rate: number;
  seconds: number;
  seed: number;
}): World {
  const random = mulberry32(options.seed);
  const journal: Journal = {
    people: [],
    invalidEvents: 0,
    problems: [],
    calls: [],
    lostAnswers: 0,
    brokenConnections: 0,
    missedSlots: 0,
    seconds: options.seconds,
  };
  const endsAt = Date.now() + options.seconds * 1000;
  let made = Math.floor(random() * 1_000_000);
  return {
    ...options,
    journal,
    staff: [],
    inviters: [],
    slot: pacer(options.rate, journal, () => Date.now() >= endsAt),
    isOver: () => Date.now() >= endsAt,
    random,
    chance: (probability) => random() < probability,
    pick: (from) => from[Math.floor(random() * from.length)] as (typeof from)[number],
    serial: () => (made += 1),
  };
}

/** Hands out slots evenly to waiting clients; an unused slot is missed, not saved. */
function pacer(rate: number, journal: Journal, isOver: () => boolean): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const tickMs = 5;
  let due = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    due += ((now - last) * rate) / 1000;
    last = now;
    for (; due >= 1; due -= 1) {
      const next = waiting.shift();
      if (next) next();
      // After the time is over, ever fewer clients finish what they began.
      else if (!isOver()) journal.missedSlots += 1;
    }
  }, tickMs);
  return () => new Promise((resolve) => waiting.push(resolve));
}

/** A small seeded generator (Tommy Ettinger's Mulberry32, in the public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The counts of a route's responses of one kind, created if necessary. */
export function countsOf(journal: Journal, kind: Omit<CallCounts, "milliseconds">): CallCounts {
  const known = journal.calls.find(
    ({ route, status, code, isExpected }) =>
      route === kind.route && status === kind.status && code === kind.code && isExpected === kind.isExpected,
  );
  if (known) return known;
  const made = { ...kind, milliseconds: [] };
  journal.calls.push(made);
  return made;
}
