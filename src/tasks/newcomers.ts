import { type SQL, sql } from "drizzle-orm";
import { type NotificationType, users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../platform/time.ts";
import { firstIdInWindow } from "../platform/uuid.ts";
import { REMINDER_PAUSE_MS } from "../users/profile-reminder.store.ts";
import type { JobDeps } from "./engine/job.ts";

/** When reminders are requested, after the start of a day in UTC: 10:00 in Nepal, an acceptable time for a push. */
export const MORNING_MS = 4 * HOUR_MS + 15 * MINUTE_MS;
/** Number of newcomers read per chunk, whether or not a reminder is due. */
const PAGE_SIZE = 500;

/** Days after joining on which a reminder is due; after `latest` days no more reminders are sent. */
export interface ReminderDays {
  days: readonly [first: number, ...more: number[]];
  latest: number;
}

/** One page of newcomers in the order of joining. */
export interface NewcomerPage {
  /** JSON array of the user ids. */
  ids: string;
  /** Cursor of the next page; undefined on the last page. */
  next: string | undefined;
}

/**
 * Reads a page of the users who joined long enough ago for a reminder. Following `next` reads each user once, even if
 * several reminders are due.
 *
 * @param cursor `next` of the previous page; null for the first.
 */
export async function listNewcomers(
  deps: Pick<JobDeps, "db" | "now" | "log">,
  { days: [first], latest }: ReminderDays,
  cursor: string | null,
): Promise<NewcomerPage> {
  const now = deps.now();
  const [joined, id]: [number, string] = cursor === null ? [now - latest * DAY_MS, "~"] : JSON.parse(cursor);
  const { page } = await runBatch(deps, {
    page: deps.db
      .select({ id: users.id, dateJoined: users.dateJoined })
      .from(users)
      .where(
        sql`(${users.dateJoined}, ${users.id}) > (${joined}, ${id}) and ${users.dateJoined} <= ${now - first * DAY_MS}`,
      )
      .orderBy(users.dateJoined, users.id)
      .limit(PAGE_SIZE),
  });
  const last = page.length === PAGE_SIZE ? page.at(-1) : undefined;
  return { ids: JSON.stringify(page.map((user) => user.id)), next: last && JSON.stringify([last.dateJoined, last.id]) };
}

/** SQL for the number of reminders that are due by `now` for a row of `users`. */
export function dueReminders({ days }: ReminderDays, now: number) {
  const isDue = days.map((each) => sql`(users.date_joined <= ${now - each * DAY_MS})`);
  return sql`(${sql.join(isDue, sql` + `)})`;
}

/** The user of the row of `users` has had no reminder of this kind within 20 hours. */
export const isReminderAllowed = (now: number, kind: NotificationType): SQL =>
  sql`not exists (select 1 from notifications n where n.user_id = users.id and n.notification_type = ${kind}
    and n.id > ${firstIdInWindow(now, REMINDER_PAUSE_MS)})`;
