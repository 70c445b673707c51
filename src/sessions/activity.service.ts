import { sendEvents } from "../platform/data/send-events.ts";
import type { Deps } from "../platform/deps.ts";
import { describeError } from "../platform/log.ts";
import { ACTIVITY_INTERVAL_MS } from "./session.store.ts";
import type { AccessToken } from "./tokens.ts";

const MAX_REMEMBERED = 10_000;

/** When this isolate last reported each session. It only saves messages: the task's statement enforces the interval. */
const reportedAt = new Map<string, number>();

/**
 * Reports, after the response, that the session is in use, unless the sign-in or refresh that issued the token recorded
 * this less than 15 minutes ago, or this isolate has reported it since. Access tokens live for the same 15 minutes, so
 * only a call with an expired token, such as a late sign-out, sends a report. A report may be lost; the next one
 * replaces it.
 */
export function reportActivity(
  deps: Pick<Deps, "queues" | "now" | "newId" | "log" | "afterResponse">,
  caller: AccessToken,
) {
  const now = deps.now();
  const last = Math.max(caller.issuedAt, reportedAt.get(caller.sessionId) ?? 0);
  // The absolute value, so that a clock that was set back does not stop the reports.
  if (Math.abs(now - last) < ACTIVITY_INTERVAL_MS) return;
  if (reportedAt.size >= MAX_REMEMBERED) reportedAt.clear();
  reportedAt.set(caller.sessionId, now);
  const event = {
    event_id: deps.newId(),
    type: "user.active",
    user_id: caller.userId,
    payload: JSON.stringify({ session_id: caller.sessionId, at: now }),
    created_at: now,
  };
  deps.afterResponse(
    sendEvents(deps, "tasks", [event]).catch((error) => {
      reportedAt.delete(caller.sessionId);
      deps.log.warn("activity_not_reported", { reason: describeError(error) });
    }),
  );
}
