import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { useClock } from "../support/clock.ts";
import type { FetchHandler } from "../support/simulator/simulation.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";

/** A race: runs the calls at once in the setting and returns what was violated. */
export type Race = (setting: RaceSetting) => Promise<Verdict>;

/** Number of interleavings of each race and mode. */
export const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");

/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

/** Stops the clock, timers included, for each test of a file of races. */
export const useRaceClock = () => useClock({ timers: true });

/** Runs the race with seeds 1, 2 … and fails at the first violation. */
export async function expectNoViolations(race: Race, mode: RaceSetting["mode"], seeds = SEEDS): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await race({ seed, mode });
    expect(violations, `seed ${seed}`).toEqual([]);
  }
}

/** Fails unless the naive variant is correct one call at a time with fresh KV, and wrong in a race. */
export async function expectCaught(race: Race, naive: FetchHandler): Promise<void> {
  const calm = await race({ seed: 1, mode: "apart", handler: naive, isCalm: true });
  expect(calm.violations).toEqual([]);
  const caught: number[] = [];
  for (let seed = 1; seed <= NAIVE_SEEDS && caught.length === 0; seed++) {
    const { violations } = await race({ seed, mode: "apart", handler: naive });
    if (violations.length > 0) caught.push(seed);
  }
  expect(caught, `none of ${NAIVE_SEEDS} seeds caught it`).toHaveLength(1);
}

/** Defines the tests of races: one for each mode, and one that a naive variant must fail. */
export function describeRaces(races: [name: string, race: Race, naive: FetchHandler][]): void {
  describe.each(races)("%s", (_name, race, naive) => {
    it.each(MODES)("with clients %s", (mode) => expectNoViolations(race, mode));

    it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
      expectCaught(race, naive));
  });
}
