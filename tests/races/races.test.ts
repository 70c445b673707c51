import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { naiveIntake } from "../support/naive/naive-events.ts";
import { naiveOtp, naiveRequest, naiveVerify } from "../support/naive/naive-otp.ts";
import { naiveDenylist, naiveLogout, naiveRegistration, naiveRotation } from "../support/naive/naive-sessions.ts";
import type { FetchHandler } from "../support/simulator/simulation.ts";
import { requests, requestsBesideGuesses, rightCodes, wrongCodesOverResends } from "./otp-races.ts";
import { platformEvents } from "./platform-races.ts";
import { MODES, type RaceSetting, type Verdict } from "./race.ts";
import {
  logouts,
  lostAnswers,
  refreshes,
  refreshesBesideLogout,
  registrations,
  thiefBesideOwner,
} from "./session-races.ts";

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");

/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

const races: [name: string, race: (setting: RaceSetting) => Promise<Verdict>, naive: FetchHandler][] = [
  ["R1: a hundred right codes give one token", rightCodes, naiveVerify],
  ["R2: wrong codes across resends are compared five times per code", wrongCodesOverResends, naiveVerify],
  ["R3: a hundred requests send one message", requests, naiveRequest],
  ["R4: concurrent requests and attempts give one token and one message", requestsBesideGuesses, naiveOtp],
  ["R5: a hundred refreshes give one successor", refreshes, naiveRotation],
  ["R6: a call whose response was lost can be repeated", lostAnswers, naiveRotation],
  ["R7: an old token used at the same time as the owner's newest ends the session", thiefBesideOwner, naiveDenylist],
  ["R8: nothing is accepted after a logout", refreshesBesideLogout, naiveDenylist],
  ["R9: a verification token used a hundred times creates one user", registrations, naiveRegistration],
  ["R12: a hundred logouts end the session once", logouts, naiveLogout],
  ["R16: an event that another service reports a hundred times is credited once", platformEvents, naiveIntake],
];

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

describe.each(races)("%s", (_name, race, naive) => {
  it.each(MODES)("with clients %s", async (mode) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await race({ seed, mode });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", async () => {
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
