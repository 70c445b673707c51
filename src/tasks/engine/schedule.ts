import { eraseExpiredCodes, publishWaitingCodes } from "../../auth/otp/waiting-codes.store.ts";
import { countCalls } from "../../delivery/send-budget.store.ts";
import { raiseAlert } from "../../platform/alerts.ts";
import { publishDueEvents } from "../../platform/data/publish.ts";
import { sendEvents } from "../../platform/data/send-events.ts";
import type { Deps } from "../../platform/deps.ts";
import { describeError } from "../../platform/log.ts";
import { jobDue } from "./job-due.ts";
import { jobs } from "./job-registry.ts";
import { listOpenRuns } from "./job-run.store.ts";

/**
 * Runs every minute: publishes codes and events that their own invocation could not, erases expired codes, and requests
 * the due jobs. Jobs run as queue messages, so their failures are handled in one place. Ticks may be skipped or
 * overlap, because the database records what is due and runs are leased.
 */
export async function runMinuteTick(deps: Deps): Promise<void> {
  const counts: Record<string, number> = {};
  const parts: [string, () => Promise<number>][] = [
    ["codes", () => publishWaitingCodes(deps)],
    ["erased", () => eraseExpiredCodes(deps)],
    ["published", async () => (await publishDueEvents(deps)).sent],
    ["jobs", () => requestDueJobs(deps)],
    ["sms_calls_today", () => countCalls(deps, "sms")],
    ["email_calls_today", () => countCalls(deps, "email")],
  ];
  for (const [name, run] of parts) {
    try {
      counts[name] = await run();
    } catch (error) {
      // The next tick tries again; the other parts do not wait for this one.
      raiseAlert(deps, "tick_part_failed", { part: name, reason: describeError(error) });
    }
  }
  deps.log.info("minute_tick", counts);
}

async function requestDueJobs(deps: Deps): Promise<number> {
  const open = await listOpenRuns(deps, jobs);
  if (open.length > 0)
    await sendEvents(
      deps,
      "tasks",
      open.map((run) => jobDue(deps, run)),
    );
  return open.length;
}
