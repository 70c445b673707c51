import { sql } from "drizzle-orm";
import { profiles } from "../db/user-schema.ts";
import { notices } from "../delivery/messages.ts";
import { recordEventForEach } from "../platform/outbox.ts";
import { isIncomplete } from "../users/profile.store.ts";
import type { Job } from "./job.ts";
import { notifyUser } from "./notify.ts";
import type { Task } from "./task.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** Days after joining on which a person is reminded. */
const REMINDER_DAYS = [1, 3, 7];
/** Of reminders that are overdue for longer, nobody is told. */
const LATEST_MS = 10 * DAY_MS;
const CHUNK_SIZE = 200;
/** Ten in the morning in Nepal, when a phone may buzz. */
const MORNING_MS = 4 * HOUR_MS + 15 * 60 * 1000;

const NAME = "send_profile_completion_reminder";
const KIND = "PROFILE_REMINDER";

/** Reminds a person of their profile, unless it is complete by then, or they were reminded during the last 20 hours. */
export const sendProfileCompletionReminder: Task = {
  name: NAME,
  types: ["profile.reminder_due"],
  run: (deps, event) =>
    notifyUser(deps, NAME, event, {
      kind: KIND,
      texts: notices.PROFILE_REMINDER,
      withPush: true,
      onlyWhere: sql`users.status = 'ACTIVE' and exists (select 1 from profiles where user_id = users.id and ${isIncomplete})
        and not exists (select 1 from notifications n where n.user_id = users.id and n.notification_type = ${KIND}
          and n.created_at > ${deps.now() - 20 * HOUR_MS})`,
    }),
};

/**
 * Asks for the reminders that are due 1, 3 and 7 days after joining. The profile's row counts those asked for, so that
 * a day that was missed is made up for by one reminder, and none is sent twice.
 */
export const remindIncompleteProfiles: Job = {
  name: "remind_incomplete_profiles",
  everyMs: DAY_MS,
  offsetMs: MORNING_MS,
  planChunk(deps, _cursor, fence) {
    const now = deps.now();
    const joined = sql.raw("(select date_joined from users where users.id = profiles.user_id)");
    const stage = sql.join(
      REMINDER_DAYS.map((days) => sql`(${joined} <= ${now - days * DAY_MS})`),
      sql` + `,
    );
    const due = sql`select user_id from profiles where user_id in (select users.id from users where status = 'ACTIVE'
        and date_joined > ${now - LATEST_MS} and date_joined <= ${now - (REMINDER_DAYS[0] ?? 1) * DAY_MS})
      and ${isIncomplete} and profile_reminders < ${stage} order by user_id limit ${CHUNK_SIZE}`;
    return {
      statements: {
        events: recordEventForEach(
          deps,
          { type: "profile.reminder_due", queue: "tasks" },
          sql`from users where users.id in (${due}) and ${fence}`,
        ),
        changed: deps.db
          .update(profiles)
          .set({ profileReminders: sql`${stage}` })
          .where(sql`${profiles.userId} in (${due}) and ${fence}`)
          .returning({ one: sql`1` }),
      },
      next: (changed) => (changed < CHUNK_SIZE ? undefined : "more"),
    };
  },
};
