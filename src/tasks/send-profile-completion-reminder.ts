import { sql } from "drizzle-orm";
import { profiles } from "../db/user-schema.ts";
import { notices } from "../delivery/notices.ts";
import { recordEventForEach } from "../platform/data/outbox.ts";
import { DAY_MS } from "../platform/time.ts";
import { isIncomplete } from "../users/profile.store.ts";
import { heldByReminder, isReminderFree, REMINDER_DUE, releaseReminder } from "../users/profile-reminder.store.ts";
import type { Job } from "./engine/job.ts";
import type { Task } from "./engine/task.ts";
import { dueReminders, isReminderAllowed, listNewcomers, MORNING_MS, type ReminderDays } from "./newcomers.ts";
import { notifyUser } from "./notify.ts";

const reminderDays: ReminderDays = { days: [1, 3, 7], latest: 10 };

const NAME = "send_profile_completion_reminder";
const KIND = "PROFILE_REMINDER";

/**
 * Reminds a user to complete their profile, unless it is complete, the user is not active, or they were reminded in the
 * last 20 hours.
 */
export const sendProfileCompletionReminder: Task = {
  name: NAME,
  types: [REMINDER_DUE],
  run: (deps, event) =>
    notifyUser(deps, NAME, event, {
      kind: KIND,
      texts: notices.PROFILE_REMINDER,
      withPush: true,
      onlyWhere: sql`users.status = 'ACTIVE' and exists (select 1 from profiles where user_id = users.id and ${isIncomplete})
        and ${isReminderAllowed(deps.now(), KIND)}`,
      also: (isFirst) => releaseReminder(deps, event.userId, isFirst),
    }),
};

/**
 * Requests the reminders due 1, 3 and 7 days after joining. The profile's row counts them, so missed days are made up
 * for by a single reminder and none is sent twice. A reminder that is pending or was sent within 20 hours counts for
 * the day.
 */
export const remindIncompleteProfiles: Job = {
  name: "remind_incomplete_profiles",
  everyMs: DAY_MS,
  offsetMs: MORNING_MS,
  async planChunk(deps, cursor, fence) {
    const now = deps.now();
    const { ids, next } = await listNewcomers(deps, reminderDays, cursor);
    const stage = dueReminders(reminderDays, now);
    const due = sql`from users inner join profiles on profiles.user_id = users.id
      where users.id in (select value from json_each(${ids})) and users.status = 'ACTIVE'
        and ${isIncomplete} and profile_reminders < ${stage}`;
    return {
      statements: {
        events: recordEventForEach(
          deps,
          { type: REMINDER_DUE, queue: "tasks", userId: sql`users.id` },
          sql`${due} and ${isReminderFree(now)} and ${fence}`,
        ),
        changed: deps.db
          .update(profiles)
          .set({
            profileReminders: sql`(select ${stage} from users where users.id = profiles.user_id)`,
            reminderHeldUntil: heldByReminder(now),
          })
          .where(sql`${profiles.userId} in (select users.id ${due}) and ${fence}`)
          .returning({ one: sql`1` }),
      },
      next: () => next,
    };
  },
};
