import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { naiveAssertion, naiveCallback, naiveSuccess, naiveToken, naiveWays } from "../support/naive/naive-social.ts";
import type { FetchHandler } from "../support/simulator/simulation.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";
import {
  assertedBesideProved,
  callbacks,
  codes,
  codesBesideThieves,
  idTokens,
  oneAddressThreeWays,
} from "./social-races.ts";

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");

/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

const races: [name: string, race: (setting: RaceSetting) => Promise<Verdict>, naive: FetchHandler][] = [
  ["R10: one address used by code, Google and Apple at once becomes one user", oneAddressThreeWays, naiveWays],
  ["R10: an address that a provider only asserts stays with its owner", assertedBesideProved, naiveAssertion],
  ["R11: Google's ID token used a hundred times gives one session", idTokens("google"), naiveToken],
  ["R11: Apple's ID token used a hundred times gives one session", idTokens("apple"), naiveToken],
  ["R11: a hundred callbacks exchange their code once", callbacks, naiveCallback],
  ["R11: a one-time code used a hundred times gives one session", codes, naiveSuccess],
  [
    "R11: a code used at the same time with right and wrong credentials is invalidated or redeemed by its owner",
    codesBesideThieves,
    naiveSuccess,
  ],
];

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

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
