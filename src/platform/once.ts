import { type SQL, sql } from "drizzle-orm";
import { processedEvents } from "../db/platform-schema.ts";
import type { Deps } from "./deps.ts";

/**
 * What makes a message's effect happen once, however often it comes: a statement to run before the effects, in their
 * batch, and the condition that each of them asks for. The mark and the effects stand or fall together; it is kept for
 * 14 days, far longer than a queue keeps a message.
 */
export function onlyOnce(
  deps: Pick<Deps, "db" | "now" | "attemptId">,
  consumer: string,
  eventId: string,
): { mark: ReturnType<typeof markProcessed>; isFirst: SQL } {
  return {
    mark: markProcessed(deps, consumer, eventId),
    isFirst: sql`exists (select 1 from processed_events where consumer = ${consumer} and event_id = ${eventId}
      and processed_by = ${deps.attemptId})`,
  };
}

function markProcessed(deps: Pick<Deps, "db" | "now" | "attemptId">, consumer: string, eventId: string) {
  return deps.db
    .insert(processedEvents)
    .values({ consumer, eventId, processedBy: deps.attemptId, processedAt: deps.now() })
    .onConflictDoNothing();
}
