import { and, eq, type SQL, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { users } from "../db/user-schema.ts";
import { instantOf } from "../platform/data/database.ts";
import { recordEvent } from "../platform/data/outbox.ts";
import type { Deps } from "../platform/deps.ts";

type EventDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/**
 * Columns that every change of a user sets: the time, and the next version, which tells receivers of webhooks and the
 * search which of two states is newer.
 */
export const nextVersion = (now: number) => ({
  version: sql`${users.version} + 1`,
  updatedAt: instantOf(now),
});

/** Records `user.updated` if `condition` holds; webhooks and the staff search follow this event. */
export function recordUserUpdated(deps: EventDeps, userId: string | SQL, condition: SQL) {
  const payload = sql`json_object('user_id', ${userId})`;
  return recordEvent(deps, { type: "user.updated", userId, payload, queue: "tasks" }, condition);
}

/**
 * Changes a user if `condition` holds: sets the next version and the columns in `set`, and records `user.updated`.
 * Changes of a user's profile, KYC, devices and links also count as changes of the user.
 */
export function changeUser(
  deps: EventDeps,
  userId: string | SQL,
  condition: SQL,
  set: SQLiteUpdateSetSource<typeof users> = {},
) {
  return {
    changedUser: deps.db
      .update(users)
      .set({ ...set, ...nextVersion(deps.now()) })
      .where(and(eq(users.id, userId), condition)),
    changeEvent: recordUserUpdated(deps, userId, condition),
  };
}
