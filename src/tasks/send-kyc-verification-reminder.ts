import { type SQL, sql } from "drizzle-orm";
import { kyc } from "../db/kyc-schema.ts";
import { profiles } from "../db/user-schema.ts";
import { notices } from "../delivery/notices.ts";
import { runBatch } from "../platform/data/database.ts";
import { recordEventForEach } from "../platform/data/outbox.ts";
import { DAY_MS } from "../platform/time.ts";
import type { Chunk, Job, JobDeps } from "./engine/job.ts";
import type { Task } from "./engine/task.ts";
import { dueReminders, isReminderAllowed, listNewcomers, MORNING_MS, type ReminderDays } from "./newcomers.ts";
import { notifyUser } from "./notify.ts";

const reminderDays: ReminderDays = { days: [3, 10], latest: 13 };
/** How long after a rejection the user is reminded, once. */
const AFTER_REJECTION_MS = DAY_MS;
/** Number of rejections read per chunk, whether or not a reminder is due. */
const PAGE_SIZE = 500;
/** Prefix that marks cursors of the scan of rejections; cursors of the scan of newcomers have none. */
const REJECTED = "rejected:";

const NAME = "send_kyc_verification_reminder";
const KIND = "KYC_REMINDER";
const TYPE = "kyc.reminder_due";

/**
 * Reminds a user to verify their identity, unless they are verified, have documents in review, are not active, or were
 * reminded in the last 20 hours.
 */
export const sendKycVerificationReminder: Task = {
  name: NAME,
  types: [TYPE],
  run: (deps, event) =>
    notifyUser(deps, NAME, event, {
      kind: KIND,
      texts: notices.KYC_REMINDER,
      withPush: true,
      onlyWhere: sql`users.status = 'ACTIVE'
        and not exists (select 1 from kyc where kyc.user_id = users.id and kyc.status in ('APPROVED', 'PENDING'))
        and ${isReminderAllowed(deps.now(), KIND)}`,
    }),
};

/**
 * Requests the reminders due 3 and 10 days after joining, then those of users rejected a day or more ago. Sent
 * reminders are counted on the user's own row, so missed days are made up for by a single reminder.
 */
export const remindUnverifiedPeople: Job = {
  name: "remind_unverified_people",
  everyMs: DAY_MS,
  offsetMs: MORNING_MS,
  planChunk: (deps, cursor, fence) =>
    cursor?.startsWith(REJECTED)
      ? planRejected(deps, cursor.slice(REJECTED.length), fence)
      : planNewcomers(deps, cursor, fence),
};

async function planNewcomers(deps: JobDeps, at: string | null, fence: SQL): Promise<Chunk> {
  const { ids, next } = await listNewcomers(deps, reminderDays, at);
  const stage = dueReminders(reminderDays, deps.now());
  const due = sql`from users inner join profiles on profiles.user_id = users.id
    where users.id in (select value from json_each(${ids})) and users.status = 'ACTIVE'
      and users.kyc_status not in ('APPROVED', 'PENDING') and kyc_reminders < ${stage}`;
  return {
    statements: {
      events: remind(deps, sql`${due} and ${fence}`),
      changed: deps.db
        .update(profiles)
        .set({ kycReminders: sql`(select ${stage} from users where users.id = profiles.user_id)` })
        .where(sql`${profiles.userId} in (select users.id ${due}) and ${fence}`)
        .returning({ one: sql`1` }),
    },
    next: () => (next === undefined ? REJECTED : next),
  };
}

/** Names the index of rejections, because without statistics the planner chooses the larger index of all states. */
const rejections = sql.raw("kyc indexed by kyc_rejected");

async function planRejected(deps: JobDeps, at: string, fence: SQL): Promise<Chunk> {
  const now = deps.now();
  const [updatedAt, userId]: [number, string] = at === "" ? [now - reminderDays.latest * DAY_MS, "~"] : JSON.parse(at);
  const { page } = await runBatch(deps, {
    page: deps.db
      .select({ userId: sql<string>`user_id`, updatedAt: sql<number>`updated_at` })
      .from(rejections)
      .where(
        sql`status = 'REJECTED' and (updated_at, user_id) > (${updatedAt}, ${userId})
          and updated_at <= ${now - AFTER_REJECTION_MS}`,
      )
      .orderBy(sql`updated_at`, sql`user_id`)
      .limit(PAGE_SIZE),
  });
  const last = page.length === PAGE_SIZE ? page.at(-1) : undefined;
  const ids = JSON.stringify(page.map((row) => row.userId));
  // The unary plus stops the planner from reading all rejections first.
  const due = sql`from kyc where user_id in (select value from json_each(${ids})) and +status = 'REJECTED'
    and +updated_at <= ${now - AFTER_REJECTION_MS} and reminded_version < version`;
  return {
    statements: {
      events: remind(deps, sql`from users where users.id in (select user_id ${due}) and ${fence}`),
      changed: deps.db
        .update(kyc)
        .set({ remindedVersion: sql`version` })
        .where(sql`${kyc.userId} in (select user_id ${due}) and ${fence}`)
        .returning({ one: sql`1` }),
    },
    next: () => last && REJECTED + JSON.stringify([last.updatedAt, last.userId]),
  };
}

function remind(deps: JobDeps, from: SQL) {
  return recordEventForEach(deps, { type: TYPE, queue: "tasks", userId: sql`users.id` }, from);
}
