import { sql } from "drizzle-orm";
import { auditLogs } from "../db/platform-schema.ts";
import { users } from "../db/user-schema.ts";
import { notices } from "../delivery/messages.ts";
import { idForEachRow, insertFrom, instantOf } from "../platform/data/database.ts";
import { recordEventForEach } from "../platform/data/outbox.ts";
import { DAY_MS } from "../platform/time.ts";
import { recordNotification } from "../users/notification.store.ts";
import { nextVersion } from "../users/user-change.store.ts";
import type { Job } from "./engine/job.ts";

/** How long an account may go without a sign-in before it is deactivated. */
const INACTIVE_MS = 180 * DAY_MS;
const CHUNK_SIZE = 200;

/** Must equal the expression of the index `users_dormant`. */
const lastSeenAt = sql.raw("case when last_login is null then date_joined else last_login end");

/**
 * Deactivates ACTIVE users who have not signed in for 180 days, or never since they joined. Their next sign-in
 * reactivates them.
 */
export const deactivateInactiveUsers: Job = {
  name: "deactivate_inactive_users",
  everyMs: DAY_MS,
  planChunk(deps, _cursor, fence) {
    const now = deps.now();
    // Only the last statement of the batch changes what this selects.
    const due = sql`select id from users where status = 'ACTIVE' and ${lastSeenAt} <= ${now - INACTIVE_MS}
      order by ${lastSeenAt} limit ${CHUNK_SIZE}`;
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
      next: (changed) => (changed < CHUNK_SIZE ? undefined : "more"),
    };
  },
};
