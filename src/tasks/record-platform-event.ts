import { PLATFORM_EVENT, recordPlatformEvent, refusalOf } from "../events/intake.service.ts";
import type { Task } from "./engine/task.ts";

/** Applies an event of another service once. A malformed event or one of an unknown user is not retried. */
export const recordPlatformEventTask: Task = {
  name: "record_platform_event",
  types: [PLATFORM_EVENT],
  async run(deps, event) {
    const outcome = await recordPlatformEvent(deps, undefined, event.payload);
    if (!outcome.accepted) return { done: false, isFinal: true, note: refusalOf(outcome) };
    return { done: true, note: outcome.duplicate ? "known before" : "recorded" };
  },
};
