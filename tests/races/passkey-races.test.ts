import { beforeAll } from "vitest";
import { naivePasskeyLogin, naivePasskeyRegistration } from "../support/naive/naive-passkeys.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";
import { assertions, countedAssertions, registrations } from "./passkey-races.ts";

beforeAll(keepSentEvents);
useRaceClock();

describeRaces([
  [
    "R18: one assertion used a hundred times, beside a proof, opens one session and is one proof",
    assertions,
    naivePasskeyLogin,
  ],
  ["R18: one new passkey sent many times is one passkey", registrations, naivePasskeyRegistration],
  ["R18: the counter of a device-bound passkey never goes back", countedAssertions, naivePasskeyLogin],
]);
