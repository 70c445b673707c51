import { type SQL, sql } from "drizzle-orm";
import { processedEvents } from "../../db/platform-schema.ts";
import type { Deps } from "../deps.ts";
import { insertWhere } from "./database.ts";

/**
 * Makes a message take effect once, however often it is delivered. Run `mark` before the effects, in their batch, and
 * add the condition `isFirst` to each effect. Mark and effects are atomic. Marks are kept for `EVENT_KEPT_MS`,
 * at least as long as a queue keeps a message.
 *
 * @param onlyWhere condition for processing the message at all; if it is false, no mark is written and the message can
 *   be processed later.
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
