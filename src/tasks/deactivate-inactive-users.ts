import { sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import { users } from "../db/user-schema.ts";
import { notices } from "../delivery/notices.ts";
import { idForEachRow, insertFrom, instantOf, runBatch } from "../platform/data/database.ts";
import { recordEventForEach } from "../platform/data/outbox.ts";
import { DAY_MS } from "../platform/time.ts";
import { recordNotification } from "../users/notification.store.ts";
import { nextVersion } from "../users/user-change.store.ts";
import type { Job, JobDeps } from "./engine/job.ts";

/** How long an account may go without a sign-in before it is deactivated. */
const INACTIVE_MS = 180 * DAY_MS;
const CHUNK_SIZE = 200;

/** Number of status buckets of ACTIVE users; they are the first ones. */
const ACTIVE_BUCKETS = 16;
const lastSeenAt = sql.raw("coalesce(last_login, date_joined)");

/** Where the job continues: a status bucket, and the last user examined in it, in the order of the last sign-in. */
type Position = [bucket: number, lastLoginOrder: number, id: string];

/** A text that is greater than every id. */
const AFTER_EVERY_ID = "~";
const startOf = (bucket: number): Position => [bucket, -1, ""];

/**
 * Reads only where the next range of users ends; the statements of the chunk decide who is due. Users who never signed
 * in come first in each bucket, however recently they joined.
 */
async function nextRange(deps: JobDeps, [bucket, order, id]: Position, before: number) {
  const upTo = (end: number, lastId: string) => sql`status_bucket = ${bucket}
    and (last_login_order, id) > (${order}, ${id}) and (last_login_order, id) <= (${end}, ${lastId})`;
  const range = upTo(before, AFTER_EVERY_ID);
  const { found } = await runBatch(deps, {
    found: deps.db
      .select({ order: sql<number>`last_login_order`.as("sort_order"), id: users.id })
      .from(users)
      .where(range)
      .orderBy(sql`last_login_order, id`)
      .limit(1)
      .offset(CHUNK_SIZE - 1),
  });
  const [last] = found;
  return { last, range: last ? upTo(last.order, last.id) : range };
}

/**
 * Deactivates ACTIVE users who have not signed in for 180 days, or never since they joined. Their next sign-in
 * reactivates them.
 */
export const deactivateInactiveUsers: Job = {
  name: "deactivate_inactive_users",
  everyMs: DAY_MS,
  async planChunk(deps, cursor, fence) {
    const now = deps.now();
    const position = cursor === null ? startOf(0) : (JSON.parse(cursor) as Position);
    const [bucket] = position;
    const { range, last } = await nextRange(deps, position, now - INACTIVE_MS);
    // Only the last statement of the batch changes what this selects.
    const due = sql`select id from users where ${range} and ${lastSeenAt} <= ${now - INACTIVE_MS}`;
    const from = sql`from users where users.id in (${due}) and ${fence}`;
    const state = (status: string) => sql`json_object('status', ${status})`;
    return {
      statements: {
        audit: insertFrom(
          deps,
          auditLogs,
          {
            id: idForEachRow(deps),
            userId: sql`users.id`,
            action: "UPDATE",
            entityType: "user",
            entityId: sql`users.id`,
            oldValues: state("ACTIVE"),
            newValues: state("INACTIVE"),
            byStaff: false,
            createdAt: instantOf(now),
          },
          from,
        ),
        notifications: recordNotification(
          deps,
          { id: idForEachRow(deps), kind: "DEACTIVATED", texts: notices.DEACTIVATED },
          from,
        ),
        events: recordEventForEach(deps, { type: "user.updated", queue: "tasks", userId: sql`users.id` }, from),
        changed: deps.db
          .update(users)
          .set({ status: "INACTIVE", statusReason: "inactivity", ...nextVersion(deps.now()) })
          .where(sql`users.id in (${due}) and ${fence}`)
          .returning({ one: sql`1` }),
      },
      next: () => {
        if (last) return JSON.stringify([bucket, last.order, last.id] satisfies Position);
        return bucket + 1 < ACTIVE_BUCKETS ? JSON.stringify(startOf(bucket + 1)) : undefined;
      },
    };
  },
};
