import { describe, expect, it } from "vitest";
import { naiveApproval, naiveKeyedSubmission, naiveKyc } from "../support/naive/naive-kyc.ts";
import { expectCaught, expectNoViolations, useRaceClock } from "./describe-races.ts";
import { approvalsOfTwo, outcomes, submissionsBesideReviews, submissionsUnderOneKey } from "./kyc-races.ts";
import { MODES } from "./race.ts";

useRaceClock();

describe("R13: beside submissions and sweeps, only viewed versions are approved and no referenced file is lost", () => {
  it.each(MODES)("with clients %s", (mode) => expectNoViolations(submissionsBesideReviews, mode));

  it("is won by the reviewers with some seeds and by the submitter with others", async () => {
    for (let seed = 100; seed < 120 && new Set(outcomes).size < 2; seed++) {
      expect((await submissionsBesideReviews({ seed, mode: "apart" })).violations, `seed ${seed}`).toEqual([]);
    }
    expect(new Set(outcomes)).toEqual(new Set([0, 1]));
  });

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(submissionsBesideReviews, naiveKyc));
});

describe("R24: with two approvals needed, no version is approved by one reviewer or unseen", () => {
  it.each(MODES)("with clients %s", (mode) => expectNoViolations(approvalsOfTwo, mode));

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(approvalsOfTwo, naiveApproval));
});

describe("R13: one submission sent many times at once under one key", () => {
  it("creates one submission", () => expectNoViolations(submissionsUnderOneKey, "one idempotency key"));

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(submissionsUnderOneKey, naiveKeyedSubmission));
});
