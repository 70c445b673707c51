import { describe, it } from "vitest";
import { naiveReplay } from "../support/naive/naive-letters.ts";
import { replaysOfOneLetter } from "./dead-letter-races.ts";
import { expectCaught, expectNoViolations, useRaceClock } from "./describe-races.ts";
import { MODES } from "./race.ts";

useRaceClock();

describe("R25: a dead letter that is replayed many times at once is sent once", () => {
  it.each(MODES)("with clients %s", (mode) => expectNoViolations(replaysOfOneLetter, mode));

  it("detects that a naive variant is correct alone with fresh KV and wrong in a race", () =>
    expectCaught(replaysOfOneLetter, naiveReplay));
});
