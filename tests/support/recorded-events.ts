import { testEnv } from "./client.ts";
import { keepingSentEvents } from "./sent-events.ts";

/**
 * From now on, keeps sent events in the view `recorded_events`; see `keepingSentEvents`. `tests/support/setup.ts`
 * undoes this before the next file, because the trigger writes rows that tests of costs would count.
 */
export async function keepSentEvents(): Promise<void> {
  await testEnv.DB.batch(keepingSentEvents.map((statement) => testEnv.DB.prepare(statement)));
}
