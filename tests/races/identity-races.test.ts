import { afterEach, vi } from "vitest";
import {
  naiveChange,
  naiveClaim,
  naiveDispute,
  naiveRemoval,
  naiveStartOver,
} from "../support/naive/naive-identity.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";
import { disputes, oneNewAddress, removals, reservedAddress, startsOver } from "./identity-races.ts";

useRaceClock();
afterEach(() => void vi.restoreAllMocks());

describeRaces([
  ["R17: one new address for two accounts, a sign-up, providers and staff has one holder", oneNewAddress, naiveChange],
  ["R17: an address that its owner replaces, removes and takes back gets no other owner", reservedAddress, naiveClaim],
  ["R19: parallel removals never leave an account without a way to sign in", removals, naiveRemoval],
  ["R21: a dormant account keeps its number, or exactly one new account gets it", startsOver, naiveStartOver],
  [
    "R23: a dispute during a thief's changes and refreshes restores the number and ends the thief's sessions",
    disputes,
    naiveDispute,
  ],
]);
