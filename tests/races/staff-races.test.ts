import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { naiveFirstLogin, naiveLastAdmin, naiveRevocation, naiveStatus } from "../support/naive/naive-staff.ts";
import { type FetchHandler, realHandler } from "../support/simulator/simulation.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";
import {
  adminsAgainstEachOther,
  bansAndUnbans,
  claims,
  creations,
  endings,
  firstSignIns,
  naiveClaim,
  naiveCreation,
  requestsAroundEnding,
} from "./staff-races.ts";

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");
/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

async function expectCaught(race: (setting: RaceSetting) => Promise<Verdict>, naive: FetchHandler) {
  const calm = await race({ seed: 1, mode: "apart", handler: naive, isCalm: true });
  expect(calm.violations).toEqual([]);
  const caught: number[] = [];
  for (let seed = 1; seed <= NAIVE_SEEDS && caught.length === 0; seed++) {
    const { violations } = await race({ seed, mode: "apart", handler: naive });
    if (violations.length > 0) caught.push(seed);
  }
  expect(caught, `none of ${NAIVE_SEEDS} seeds caught it`).toHaveLength(1);
}

describe.each(endings)("R8: two hundred requests around $name", (ending) => {
  it("none that starts after its response succeeds", async () => {
    for (let seed = 1; seed <= 2 * SEEDS; seed++) {
      const { violations } = await requestsAroundEnding(ending, realHandler)({ seed, mode: "apart" });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(requestsAroundEnding(ending, realHandler, 100), naiveRevocation));
});

const races: [name: string, race: (setting: RaceSetting) => Promise<Verdict>, naive: FetchHandler][] = [
  ["R12: a hundred bans and a hundred unbans leave one consistent history", bansAndUnbans, naiveStatus],
  ["R12: two admins who demote or ban each other leave one admin", adminsAgainstEachOther, naiveLastAdmin],
  ["R9: a hundred first sign-ins credit one bonus", firstSignIns, naiveFirstLogin],
  ["R10: a hundred simultaneous creations by staff make one account", creations, naiveCreation],
  ["R10: a username and a number claimed a hundred times have one owner each", claims, naiveClaim],
];

describe.each(races)("%s", (_name, race, naive) => {
  it.each(MODES)("with clients %s", async (mode) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await race({ seed, mode });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(race, naive));
});
