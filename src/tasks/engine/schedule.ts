import { countCalls } from "../../delivery/send-budget.store.ts";
import { raiseAlert } from "../../platform/alerts.ts";
import { eraseExpiredPayloads } from "../../platform/data/outbox.ts";
import { relayDueEvents } from "../../platform/data/relay.ts";
import { sendEvents } from "../../platform/data/send-events.ts";
import type { Deps } from "../../platform/deps.ts";
import { describeError } from "../../platform/log.ts";
import { jobDue } from "./job-due.ts";
import { jobs } from "./job-registry.ts";
import { listOpenRuns } from "./job-run.store.ts";

/**
 * The minute tick: relays what its own invocation could not, erases codes whose time is over, and asks for the jobs
 * that are due. It only asks: a job runs as a queue message, whose failures have one path. Ticks may be skipped or
 * overlap: what is due stands in the database, and a run is leased.
 */
export async function runMinuteTick(deps: Deps): Promise<void> {
  const counts: Record<string, number> = {};
  const parts: [string, () => Promise<number>][] = [
    ["erased", () => eraseExpiredPayloads(deps)],
    ["relayed", async () => (await relayDueEvents(deps)).sent],
    ["jobs", () => askForJobs(deps)],
    ["sms_calls_today", () => countCalls(deps, "sms")],
    ["email_calls_today", () => countCalls(deps, "email")],
  ];
  for (const [name, run] of parts) {
    try {
      counts[name] = await run();
    } catch (error) {
      // The next tick tries again; the other parts need not wait for it.
      raiseAlert(deps, "tick_part_failed", { part: name, reason: describeError(error) });
    }
  }
  deps.log.info("minute_tick", counts);
}

async function askForJobs(deps: Deps): Promise<number> {
  const open = await listOpenRuns(deps, jobs);
  if (open.length > 0)
    await sendEvents(
      deps,
      "tasks",
      open.map((run) => jobDue(deps, run)),
    );
  return open.length;
}
