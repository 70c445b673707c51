import { type SQL, sql } from "drizzle-orm";
import { profiles } from "../db/user-schema.ts";
import type { Deps } from "../platform/deps.ts";

const HOUR_MS = 60 * 60 * 1000;
/** After a reminder that came no other is asked for during this time, in milliseconds. */
const PAUSE_MS = 20 * HOUR_MS;
/** A reminder that was asked for is on its way for no longer than this: twice as long as a queue keeps a message. */
const ON_ITS_WAY_MS = 28 * 24 * HOUR_MS;

/** The event that asks for a reminder of an incomplete profile. */
export const REMINDER_DUE = "profile.reminder_due";

/** Holds for a row of `profiles` whose user has no reminder on its way, and had none within 20 hours. */
export const isReminderFree = (now: number): SQL => sql`(reminder_held_until is null or reminder_held_until <= ${now})`;

/** The value of `reminder_held_until` once a reminder was asked for where it is free: no second one joins it. */
export const heldByReminder = (now: number): SQL =>
  sql`case when ${isReminderFree(now)} then cast(${now + ON_ITS_WAY_MS} as integer) else reminder_held_until end`;

/** The statement that lets reminders of the user be asked for again 20 hours after one has come, where `condition` holds. */
export function releaseReminder(deps: Pick<Deps, "db" | "now">, userId: string | null, condition: SQL) {
  return deps.db
    .update(profiles)
    .set({ reminderHeldUntil: sql`cast(${deps.now() + PAUSE_MS} as integer)` })
    .where(sql`${profiles.userId} = ${userId} and ${condition}`);
}
