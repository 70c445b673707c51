import { afterEach, beforeAll, vi } from "vitest";
import { naiveAssertion, naiveCallback, naiveSuccess, naiveToken, naiveWays } from "../support/naive/naive-social.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";
import {
  assertedBesideProved,
  callbacks,
  codes,
  codesBesideThieves,
  idTokens,
  oneAddressThreeWays,
} from "./social-races.ts";

beforeAll(keepSentEvents);

useRaceClock();
afterEach(() => vi.restoreAllMocks());

describeRaces([
  ["R10: one address used by code, Google and Apple at once becomes one user", oneAddressThreeWays, naiveWays],
  ["R10: an address that a provider only asserts stays with its owner", assertedBesideProved, naiveAssertion],
  ["R11: Google's ID token used many times at once gives one session", idTokens("google"), naiveToken],
  ["R11: Apple's ID token used many times at once gives one session", idTokens("apple"), naiveToken],
  ["R11: simultaneous callbacks exchange their code once", callbacks, naiveCallback],
  ["R11: a one-time code used many times at once gives one session", codes, naiveSuccess],
  [
    "R11: a code used at the same time with right and wrong credentials is invalidated or redeemed by its owner",
    codesBesideThieves,
    naiveSuccess,
  ],
]);
