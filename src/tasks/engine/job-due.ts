import type { EventMessage } from "../../platform/data/send-events.ts";
import type { Deps } from "../../platform/deps.ts";
import type { JobRun } from "./job-run.ts";

/** The message that asks for the run's next chunks; it may be lost or doubled, since the ledger knows what is due. */
export function jobDue(deps: Pick<Deps, "newId" | "now">, { name, periodStartedAt }: JobRun): EventMessage {
  return {
    event_id: deps.newId(),
    type: "job.due",
    user_id: null,
    payload: JSON.stringify({ name, period_started_at: periodStartedAt }),
    created_at: deps.now(),
  };
}
