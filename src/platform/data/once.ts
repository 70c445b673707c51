import { type SQL, sql } from "drizzle-orm";
import { processedEvents } from "../../db/platform-schema.ts";
import type { Deps } from "../deps.ts";
import { insertWhere } from "./database.ts";

/**
 * What makes a message's effect happen once, however often it comes: a statement to run before the effects, in their
 * batch, and the condition that each of them asks for. The mark and the effects stand or fall together; it is kept for
 * 14 days, far longer than a queue keeps a message.
 *
 * @param onlyWhere what must hold for a mark to be made at all; without one nothing is processed, now or then.
 */
export function processOnce(
  deps: Pick<Deps, "db" | "now" | "invocationId">,
  consumer: string,
  eventId: string,
  onlyWhere = sql`true`,
): { mark: ReturnType<typeof markProcessed>; isFirst: SQL } {
  return {
    mark: markProcessed(deps, consumer, eventId, onlyWhere),
    isFirst: sql`exists (select 1 from processed_events where consumer = ${consumer} and event_id = ${eventId}
      and processed_by = ${deps.invocationId})`,
  };
}

function markProcessed(
  deps: Pick<Deps, "db" | "now" | "invocationId">,
  consumer: string,
  eventId: string,
  onlyWhere: SQL,
) {
  const row = { consumer, eventId, processedBy: deps.invocationId, processedAt: deps.now() };
  return insertWhere(deps, processedEvents, row, onlyWhere).onConflictDoNothing();
}
