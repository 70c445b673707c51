import type { Deps } from "../platform/deps.ts";
import { eraseExpiredPayloads, relayDueEvents } from "../platform/outbox.ts";

/** The minute tick: relays what its own invocation could not, and erases codes whose time is over. */
export async function runMinuteTick(deps: Deps): Promise<void> {
  const erased = await eraseExpiredPayloads(deps);
  const { sent, failed } = await relayDueEvents(deps);
  deps.log.info("minute_tick", { erased, sent, failed });
}
