import { and, eq, type SQL, sql } from "drizzle-orm";
import { processedEvents } from "../db/platform-schema.ts";
import { raiseAlert } from "../platform/alerts.ts";
import { mergeStatements, runBatch } from "../platform/data/database.ts";
import { processOnce } from "../platform/data/once.ts";
import type { Statement } from "../platform/data/prepared.ts";
import type { Deps } from "../platform/deps.ts";
import { recordFavorite } from "./favorite-effects.store.ts";
import { recordPoints, recordTransaction } from "./ledger-effects.store.ts";
import type { PlatformEvent } from "./platform-event.ts";
import { recordReturn, recordStart } from "./rental-effects.store.ts";

export type IntakeDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId" | "log">;

type Effects = Record<string, Statement | undefined> & { contradicting?: Statement & { _: { result: unknown[] } } };

/**
 * Marks the event as processed and applies it, in one transaction.
 *
 * @returns `known` if it was processed before; `unknown_user` if the user does not exist, in which case the event is
 *   not marked.
 */
export async function insertPlatformEvent(
  deps: IntakeDeps,
  event: PlatformEvent,
): Promise<"recorded" | "known" | "unknown_user"> {
  const consumer = `platform:${event.source}`;
  const isUser = sql`exists (select 1 from users where users.id = ${event.user_id})`;
  const { mark, isFirst } = processOnce(deps, consumer, event.id, isUser);
  const effects: Effects = effectsOf(deps, event, isFirst);
  const { processed, contradicting } = await runBatch(
    deps,
    mergeStatements(
      {
        mark,
      },
      effects,
      {
        processed: deps.db
          .select({ by: processedEvents.processedBy })
          .from(processedEvents)
          .where(and(eq(processedEvents.consumer, consumer), eq(processedEvents.eventId, event.id))),
      },
    ),
  );
  const [found] = processed;
  if (!found) return "unknown_user";
  // Also if the event is known: the invocation that marked it raised no alert if its answer was lost.
  if (contradicting && (contradicting as unknown[]).length > 0) {
    raiseAlert(deps, "platform_event_contradicts", { source: event.source, event_id: event.id, type: event.type });
  }
  return found.by === deps.invocationId ? "recorded" : "known";
}

function effectsOf(deps: IntakeDeps, event: PlatformEvent, isFirst: SQL): Effects {
  switch (event.type) {
    case "rental.started":
      return recordStart(deps, event, isFirst);
    case "rental.returned":
      return recordReturn(deps, event, isFirst);
    case "transaction.succeeded":
      return recordTransaction(deps, event, isFirst);
    case "points.changed":
      return recordPoints(deps, event, isFirst);
    case "station.favorited":
    case "station.unfavorited":
      return recordFavorite(deps, event, isFirst);
  }
}
