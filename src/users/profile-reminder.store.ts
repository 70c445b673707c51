import { type SQL, sql } from "drizzle-orm";
import { profiles } from "../db/user-schema.ts";
import type { Deps } from "../platform/deps.ts";
import { HOUR_MS } from "../platform/time.ts";

/** Minimum time between two reminders of one kind, in milliseconds. */
export const REMINDER_PAUSE_MS = 20 * HOUR_MS;
/** How long a requested reminder counts as pending: twice as long as a queue keeps a message. */
const PENDING_MS = 28 * 24 * HOUR_MS;

/** The event that requests a reminder of an incomplete profile. */
export const REMINDER_DUE = "profile.reminder_due";

/** The user of the row of `profiles` has no pending reminder and had none within 20 hours. */
export const isReminderFree = (now: number): SQL => sql`(reminder_held_until is null or reminder_held_until <= ${now})`;

/** The new value of `reminder_held_until`: in 28 days if a reminder may be requested now, else unchanged. */
export const heldByReminder = (now: number): SQL =>
  sql`case when ${isReminderFree(now)} then cast(${now + PENDING_MS} as integer) else reminder_held_until end`;

/** Ends the user's pending reminder if `condition` holds: the next one may be requested 20 hours later. */
export function releaseReminder(deps: Pick<Deps, "db" | "now">, userId: string | null, condition: SQL) {
  return deps.db
    .update(profiles)
    .set({ reminderHeldUntil: sql`cast(${deps.now() + REMINDER_PAUSE_MS} as integer)` })
    .where(sql`${profiles.userId} = ${userId} and ${condition}`);
}
