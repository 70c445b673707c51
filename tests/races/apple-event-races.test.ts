import { afterEach, beforeAll, vi } from "vitest";
import { naiveNotification } from "../support/naive/naive-apple-events.ts";
import { keepSentEvents } from "../support/recorded-events.ts";
import { reorderedEvents, withdrawnConsent } from "./apple-event-races.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";

beforeAll(keepSentEvents);

useRaceClock();
afterEach(() => vi.restoreAllMocks());

describeRaces([
  ["R22: Apple's events many times each and out of order: the latest wins", reorderedEvents, naiveNotification],
  ["R22: a withdrawn consent leaves no session without its link", withdrawnConsent, naiveNotification],
]);
