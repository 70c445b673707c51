import { beforeAll } from "vitest";
import { naiveIntake } from "../support/naive/naive-events.ts";
import { naiveOtp, naiveRequest, naiveVerify } from "../support/naive/naive-otp.ts";
import { naiveDenylist, naiveLogout, naiveRegistration, naiveRotation } from "../support/naive/naive-sessions.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";
import { requests, requestsBesideGuesses, rightCodes, wrongCodesOverResends } from "./otp-races.ts";
import { platformEvents } from "./platform-races.ts";
import {
  logouts,
  lostAnswers,
  refreshes,
  refreshesBesideLogout,
  registrations,
  thiefBesideOwner,
} from "./session-races.ts";

beforeAll(keepSentEvents);

useRaceClock();

describeRaces([
  ["R1: simultaneous right codes give one token", rightCodes, naiveVerify],
  ["R2: wrong codes across resends are compared five times per code", wrongCodesOverResends, naiveVerify],
  ["R3: simultaneous requests send one message", requests, naiveRequest],
  ["R4: concurrent requests and attempts give one token and one message", requestsBesideGuesses, naiveOtp],
  ["R5: simultaneous refreshes give one successor", refreshes, naiveRotation],
  ["R6: a call whose response was lost can be repeated", lostAnswers, naiveRotation],
  ["R7: an old token used at the same time as the owner's newest ends the session", thiefBesideOwner, naiveDenylist],
  ["R8: nothing is accepted after a logout", refreshesBesideLogout, naiveDenylist],
  ["R9: a verification token used many times at once creates one user", registrations, naiveRegistration],
  ["R12: simultaneous logouts end the session once", logouts, naiveLogout],
  ["R16: an event that another service reports many times at once is credited once", platformEvents, naiveIntake],
]);
