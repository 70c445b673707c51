import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { naivePasskeyLogin } from "../support/naive/naive-passkeys.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { assertions, countedAssertions, registrations } from "./passkey-races.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";

beforeAll(keepSentEvents);

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");

/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

const races: [name: string, race: (setting: RaceSetting) => Promise<Verdict>][] = [
  ["R18: one assertion used a hundred times, beside a proof, opens one session and is one proof", assertions],
  ["R18: one new passkey sent many times is one passkey", registrations],
  ["R18: the counter of a device-bound passkey never goes back", countedAssertions],
];

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

describe.each(races)("%s", (_name, race) => {
  it.each(MODES)("with clients %s", async (mode) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await race({ seed, mode });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });
});

it.each([
  ["uses of a challenge in KV", assertions],
  ["counters that are read and then written", countedAssertions],
] as const)("R18 detects that %s are correct alone and wrong in a race", async (_name, race) => {
  const calm = await race({ seed: 1, mode: "apart", handler: naivePasskeyLogin, isCalm: true });
  expect(calm.violations).toEqual([]);
  const caught: number[] = [];
  for (let seed = 1; seed <= NAIVE_SEEDS && caught.length === 0; seed++) {
    const { violations } = await race({ seed, mode: "apart", handler: naivePasskeyLogin });
    if (violations.length > 0) caught.push(seed);
  }
  expect(caught, `none of ${NAIVE_SEEDS} seeds caught it`).toHaveLength(1);
});
