import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { naiveKyc } from "../support/naive/naive-kyc.ts";
import { outcomes, submissionsBesideReviews, submissionsUnderOneKey } from "./kyc-races.ts";
import { MODES } from "./race.ts";

const SEEDS = Number((env as { RACE_SEEDS?: string }).RACE_SEEDS ?? "1");
/** Number of seeds in which a naive variant must fail at least once. */
const NAIVE_SEEDS = 8;

beforeEach(() => vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

describe("R13: concurrent submissions, reviews and sweeper keep reviewed versions, and every link leads to a file", () => {
  it.each(MODES)("with clients %s", async (mode) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await submissionsBesideReviews({ seed, mode });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });

  it("is won by either side at times", async () => {
    for (let seed = 100; seed < 120 && new Set(outcomes).size < 2; seed++) {
      expect((await submissionsBesideReviews({ seed, mode: "apart" })).violations, `seed ${seed}`).toEqual([]);
    }
    expect(new Set(outcomes)).toEqual(new Set([0, 1]));
  });

  it("detects that a naive variant is correct alone and wrong in a race", async () => {
    const calm = await submissionsBesideReviews({ seed: 1, mode: "apart", handler: naiveKyc, isCalm: true });
    expect(calm.violations).toEqual([]);
    const caught: number[] = [];
    for (let seed = 1; seed <= NAIVE_SEEDS && caught.length === 0; seed++) {
      const { violations } = await submissionsBesideReviews({ seed, mode: "apart", handler: naiveKyc });
      if (violations.length > 0) caught.push(seed);
    }
    expect(caught, `none of ${NAIVE_SEEDS} seeds caught it`).toHaveLength(1);
  });
});

describe("R13: one submission sent a hundred times under one key", () => {
  it("creates one submission", async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = await submissionsUnderOneKey({ seed, mode: "one idempotency key" });
      expect(violations, `seed ${seed}`).toEqual([]);
    }
  });
});
