import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { useClock } from "../support/clock.ts";
import {
  naiveChange,
  naiveClaim,
  naiveDispute,
  naiveRemoval,
  naiveStartOver,
} from "../support/naive/naive-identity.ts";
import type { FetchHandler } from "../support/simulator/simulation.ts";
import { disputes, oneNewAddress, removals, reservedAddress, startsOver } from "./identity-races.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");

/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

const races: [name: string, race: (setting: RaceSetting) => Promise<Verdict>, naive: FetchHandler][] = [
  ["R17: one new address for two accounts, a sign-up, providers and staff has one holder", oneNewAddress, naiveChange],
  ["R17: an address that its owner replaces, removes and takes back gets no other owner", reservedAddress, naiveClaim],
  ["R19: parallel removals never leave an account without a way to sign in", removals, naiveRemoval],
  ["R21: a dormant account keeps its number, or exactly one new account gets it", startsOver, naiveStartOver],
  [
    "R23: a dispute during a thief's changes and refreshes restores the number and ends the thief's sessions",
    disputes,
    naiveDispute,
  ],
];

useClock({ timers: true });
afterEach(() => void vi.restoreAllMocks());

describe.each(races)("%s", (_name, race, naive) => {
  it.each(MODES)("with clients %s", async (mode) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await race({ seed, mode });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it("detects that a naive variant is correct alone and wrong in a race", async () => {
    const calm = await race({ seed: 1, mode: "apart", handler: naive, isCalm: true });
    expect(calm.violations).toEqual([]);
    const caught: number[] = [];
    for (let seed = 1; seed <= NAIVE_SEEDS && caught.length === 0; seed++) {
      const { violations } = await race({ seed, mode: "apart", handler: naive });
      if (violations.length > 0) caught.push(seed);
    }
    expect(caught, `none of ${NAIVE_SEEDS} seeds caught it`).toHaveLength(1);
  });
});
