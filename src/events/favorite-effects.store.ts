import { and, eq, type SQL, sql } from "drizzle-orm";
import { favoriteStations, userStatistics } from "../db/ledger-schema.ts";
import { insertWhere, instantOf } from "../platform/data/database.ts";
import type { Deps } from "../platform/deps.ts";
import type { EventOf } from "./platform-event.ts";
import { openStatistics } from "./statistics.store.ts";

/**
 * Applies the event if it is the latest one for this user and station, by `occurred_at` and then by event id, and
 * updates the number of favourites.
 */
export function recordFavorite(
  deps: Pick<Deps, "db" | "now">,
  event: EventOf<"station.favorited" | "station.unfavorited">,
  isFirst: SQL,
) {
  const { user_id: userId, data } = event;
  const changedAt = instantOf(event.occurred_at);
  const known = sql`favorite_stations f where f.user_id = ${userId} and f.station_id = ${data.station_id}`;
  const isLatest = sql`not exists (select 1 from ${known} and (f.changed_at, f.event_id) >= (${changedAt}, ${event.id}))`;
  const isFavorite = event.type === "station.favorited";
  return {
    statistics: openStatistics(deps, sql`${userId}`, sql`where ${isFirst}`),
    sums: deps.db
      .update(userStatistics)
      .set({
        favoriteStationsCount: sql`${userStatistics.favoriteStationsCount} + ${isFavorite ? sql`1` : sql`0`}
          - coalesce((select f.is_favorite from ${known}), 0)`,
        updatedAt: instantOf(deps.now()),
      })
      .where(and(eq(userStatistics.userId, userId), isFirst, isLatest)),
    station: insertWhere(
      deps,
      favoriteStations,
      { userId, stationId: data.station_id, isFavorite, changedAt, eventId: event.id },
      sql`${isFirst} and ${isLatest}`,
    ).onConflictDoUpdate({
      target: [favoriteStations.userId, favoriteStations.stationId],
      set: {
        isFavorite: sql`excluded.is_favorite`,
        changedAt: sql`excluded.changed_at`,
        eventId: sql`excluded.event_id`,
      },
    }),
  };
}
