import { beforeAll, describe, it } from "vitest";
import { naiveFirstLogin, naiveLastAdmin, naiveRevocation, naiveStatus } from "../support/naive/naive-staff.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { realHandler } from "../support/simulator/simulation.ts";
import { describeRaces, expectCaught, expectNoViolations, SEEDS, useRaceClock } from "./describe-races.ts";
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

beforeAll(keepSentEvents);

useRaceClock();

describe.each(endings)("R8: requests around $name", (ending) => {
  const race = requestsAroundEnding(ending, realHandler);

  it("none that starts after its response succeeds", () => expectNoViolations(race, "apart", 2 * SEEDS));

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(race, naiveRevocation));
});

describeRaces([
  ["R12: simultaneous bans and unbans leave one consistent history", bansAndUnbans, naiveStatus],
  ["R12: two admins who demote or ban each other leave one admin", adminsAgainstEachOther, naiveLastAdmin],
  ["R9: simultaneous first sign-ins credit one bonus", firstSignIns, naiveFirstLogin],
  ["R10: simultaneous creations by staff make one account", creations, naiveCreation],
  ["R10: a username and a number claimed by many calls at once have one owner each", claims, naiveClaim],
]);
