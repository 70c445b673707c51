import { type SQL, sql } from "drizzle-orm";
import { kyc } from "../db/kyc-schema.ts";
import { profiles } from "../db/user-schema.ts";
import { notices } from "../delivery/messages.ts";
import { recordEventForEach } from "../platform/outbox.ts";
import type { Job, JobDeps } from "./job.ts";
import { notifyUser } from "./notify.ts";
import type { Task } from "./task.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** Days after joining on which a person is reminded. */
const REMINDER_DAYS = [3, 10];
/** A person who was rejected is reminded once, so long after it. */
const AFTER_REJECTION_MS = DAY_MS;
/** Of reminders that are overdue for longer, nobody is told. */
const LATEST_MS = 13 * DAY_MS;
const CHUNK_SIZE = 200;
/** Ten in the morning in Nepal, when a phone may buzz. */
const MORNING_MS = 4 * HOUR_MS + 15 * 60 * 1000;

const NAME = "send_kyc_verification_reminder";
const KIND = "KYC_REMINDER";
const TYPE = "kyc.reminder_due";

/** Reminds a person to verify their identity, unless that is done or under way, or they were reminded in the last 20 hours. */
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
        and not exists (select 1 from notifications n where n.user_id = users.id and n.notification_type = ${KIND}
          and n.created_at > ${deps.now() - 20 * HOUR_MS})`,
    }),
};

/**
 * Asks for the reminders that are due 3 and 10 days after joining, then for those of people who were rejected a day ago
 * or more. Each is counted in its own row, so that a day that was missed is made up for by one reminder.
 */
export const remindUnverifiedPeople: Job = {
  name: "remind_unverified_people",
  everyMs: DAY_MS,
  offsetMs: MORNING_MS,
  planChunk: (deps, cursor, fence) => (cursor === "rejected" ? planRejected(deps, fence) : planNewcomers(deps, fence)),
};

function planNewcomers(deps: JobDeps, fence: SQL) {
  const now = deps.now();
  const joined = sql.raw("(select date_joined from users where users.id = profiles.user_id)");
  const stage = sql.join(
    REMINDER_DAYS.map((days) => sql`(${joined} <= ${now - days * DAY_MS})`),
    sql` + `,
  );
  const due = sql`select user_id from profiles where user_id in (select users.id from users where status = 'ACTIVE'
      and date_joined > ${now - LATEST_MS} and date_joined <= ${now - (REMINDER_DAYS[0] ?? 1) * DAY_MS})
    and not exists (select 1 from kyc where kyc.user_id = profiles.user_id and kyc.status in ('APPROVED', 'PENDING'))
    and kyc_reminders < ${stage} order by user_id limit ${CHUNK_SIZE}`;
  return {
    statements: {
      events: remind(deps, sql`from users where users.id in (${due}) and ${fence}`),
      changed: deps.db
        .update(profiles)
        .set({ kycReminders: sql`${stage}` })
        .where(sql`${profiles.userId} in (${due}) and ${fence}`)
        .returning({ one: sql`1` }),
    },
    next: (changed: number) => (changed < CHUNK_SIZE ? "rejected" : "newcomers"),
  };
}

function planRejected(deps: JobDeps, fence: SQL) {
  const now = deps.now();
  const due = sql`select user_id from kyc where status = 'REJECTED' and updated_at <= ${now - AFTER_REJECTION_MS}
    and updated_at > ${now - LATEST_MS} and reminded_version < version order by user_id limit ${CHUNK_SIZE}`;
  return {
    statements: {
      events: remind(deps, sql`from users where users.id in (${due}) and ${fence}`),
      changed: deps.db
        .update(kyc)
        .set({ remindedVersion: sql`version` })
        .where(sql`${kyc.userId} in (${due}) and ${fence}`)
        .returning({ one: sql`1` }),
    },
    next: (changed: number) => (changed < CHUNK_SIZE ? undefined : "rejected"),
  };
}

function remind(deps: JobDeps, from: SQL) {
  return recordEventForEach(deps, { type: TYPE, queue: "tasks" }, from);
}
