import type { EventMessage } from "../../platform/data/send-events.ts";
import type { Deps } from "../../platform/deps.ts";
import type { JobRun } from "./job-run.ts";

/**
 * Builds the message that triggers the run's next chunks. It may be lost or duplicated, because `job_runs` records what
 * is due.
 */
export function jobDue(deps: Pick<Deps, "newId" | "now">, { name, periodStartedAt }: JobRun): EventMessage {
  return {
    event_id: deps.newId(),
    type: "job.due",
    user_id: null,
    payload: JSON.stringify({ name, period_started_at: periodStartedAt }),
    created_at: deps.now(),
  };
}
