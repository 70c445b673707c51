import { naiveEnrolment, naiveNote, naivePasskeyRemoval } from "../support/naive/naive-staff-passkeys.ts";
import { describeRaces, useRaceClock } from "./describe-races.ts";
import { enrolments, lastPasskey, staffActs } from "./staff-passkey-races.ts";

useRaceClock();

describeRaces([
  ["R20: no act of staff succeeds after a reset of their passkeys", staffActs("reset"), naiveNote],
  ["R20: no act of staff succeeds after a demotion", staffActs("demotion"), naiveNote],
  [
    "R20: no act of staff succeeds after the session's passkey was removed",
    staffActs("removal of the passkey"),
    naiveNote,
  ],
  ["R20: an enrolment window serves one passkey", enrolments, naiveEnrolment],
  ["R20: the last passkey of a member of staff stays", lastPasskey, naivePasskeyRemoval],
]);
