import { sql } from "drizzle-orm";
import { users } from "../db/user-schema.ts";
import { runBatch } from "../platform/data/database.ts";
import type { JobDeps } from "./engine/job.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Newcomers whom one chunk looks at, due or not. */
const PAGE_SIZE = 500;

/** Days after joining on which a person is reminded, and after how many days nobody is any more. */
export interface ReminderDays {
  days: readonly [first: number, ...more: number[]];
  latest: number;
}

/** A page of the newcomers in the order of joining. */
export interface NewcomerPage {
  /** JSON array of their ids. */
  ids: string;
  /** Where the next page begins; undefined where this is the last. */
  next: string | undefined;
}

/**
 * Reads a page of those who joined so long ago that a reminder may be due. A run that follows `next` reads each of them
 * once, however many are due.
 *
 * @param cursor as an earlier page gave it; null at first.
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

/** How many of the reminders that follow joining are due by `now` for the row of `users`. */
export function dueReminders({ days }: ReminderDays, now: number) {
  const isDue = days.map((each) => sql`(users.date_joined <= ${now - each * DAY_MS})`);
  return sql`(${sql.join(isDue, sql` + `)})`;
}
