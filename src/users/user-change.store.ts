import { and, eq, type SQL, sql } from "drizzle-orm";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { users } from "../db/user-schema.ts";
import { instantOf } from "../platform/data/database.ts";
import { recordEvent } from "../platform/data/outbox.ts";
import type { Deps } from "../platform/deps.ts";

type EventDeps = Pick<Deps, "db" | "now" | "newId" | "invocationId">;

/** The columns of `users` that every change of a user sets: the next version, by which webhooks and the search order changes, and the time. */
export const nextVersion = (deps: Pick<Deps, "now">) => ({
  version: sql`${users.version} + 1`,
  updatedAt: instantOf(deps.now()),
});

/** The statement that records `user.updated` where `condition` holds; webhooks and the staff search follow it. */
export function recordUserUpdated(deps: EventDeps, userId: string | SQL, condition: SQL) {
  const payload = sql`json_object('user_id', ${userId})`;
  return recordEvent(deps, { type: "user.updated", userId, payload, queue: "tasks" }, condition);
}

/**
 * The statements of a change of a user, each made where `condition` holds: the row of `users` gets its next version and
 * the columns in `set`, and `user.updated` is recorded. Changes of a user's profile, KYC, devices and links are changes of
 * the user, too.
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
      .set({ ...set, ...nextVersion(deps) })
      .where(and(eq(users.id, userId), condition)),
    changeEvent: recordUserUpdated(deps, userId, condition),
  };
}
