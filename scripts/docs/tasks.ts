import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { tasks } from "../../src/tasks/engine/registry.ts";
import { code, describeEach, table } from "./markdown.ts";

/** What starts each task and job, and what it does. */
const descriptions: Readonly<Record<string, [trigger: string, effect: string]>> = {
  deliver_otp: ["queue `otp`", "opens the sealed code and hands it to a provider; drops a code that has expired"],
  deliver_push: [
    "queue `tasks`",
    "sends a notification to the devices whose session is live; forgets a push token that the provider calls dead",
  ],
  deliver_webhook: ["queue `tasks`", "tells one endpoint about one change: 8 attempts over 24 hours"],
  finish_account_deletion: [
    "queue `tasks`",
    "erases what a deleted account left: first records the deletion for a later restore, then deletes files in R2, codes and denials in KV, and the history (audit values, outbox, notifications, sessions, rentals, favourites, referrals, payloads of dead letters, the user id in ledger rows), at most 400 rows a batch and 60 statements a message; then it queues itself again. If a restore has brought the user back, it only records the deletion",
  ],
  generate_user_analytics_report: [
    "queue `tasks`, requested by staff",
    "writes usage, wallet and points of a user as one row that is kept for an hour",
  ],
  notify_kyc_status: [
    "queue `tasks`, from a decision",
    "sends a notification and a push, unless the person has submitted again",
  ],
  notify_security_events: [
    "queue `tasks`",
    "writes one notification for a new device (a sign-in from a network that the user has not signed in from for 90 days), a lock-out, a reused refresh token, a link, an unlink or a changed identifier; for a changed identifier the old one gets a message too",
  ],
  reapply_account_deletion: [
    "queue `tasks`, from `reapply_account_deletions`",
    "deletes a recorded account again that a restore brought back",
  ],
  record_platform_event: ["queue `platform-events`", "applies an event of another service, once"],
  revoke_social_token: [
    "queue `tasks`, after an unlink or a deletion",
    "tells Apple that its refresh token is revoked, and repeats until Apple confirms",
  ],
  run_due_job: ["queue `tasks`", "runs a job of the ledger, in chunks"],
  send_kyc_verification_reminder: [
    "queue `tasks`",
    "sends a notification and a push, unless the KYC is APPROVED or PENDING, or the last reminder is less than 20 hours old",
  ],
  send_profile_completion_reminder: [
    "queue `tasks`",
    "sends a notification and a push, unless the profile is complete or the last reminder is less than 20 hours old",
  ],
  send_social_auth_welcome_message: ["queue `tasks`, on sign-up by Google or Apple", "writes one notification"],
  sync_user_data_with_external_services: [
    "queue `tasks`, on every change of a user",
    "queues one message for each endpoint of WEBHOOKS; without endpoints it does nothing",
  ],
  update_user_last_activity: [
    "queue `tasks`, from requests whose access token was issued at least 15 minutes ago, such as a late sign-out",
    "stores the last activity, which sign-in and refresh otherwise store themselves, at most once in 15 minutes and session",
  ],
  update_user_search: [
    "queue `search`, on every change of a user",
    "brings the search entries of a whole batch of users up to date",
  ],
  purge_expired_rows: [
    "hourly",
    "deletes rows whose retention has ended, see [configuration](configuration.md#retention)",
  ],
  purge_expired_sessions: [
    "daily",
    "walks through the large tables whose rows are kept for weeks, such as sessions and known networks, and deletes those whose retention has ended",
  ],
  cleanup_expired_audit_logs: ["daily", "deletes audit rows older than 365 days"],
  deactivate_inactive_users: [
    "daily",
    "makes users without a sign-in for 180 days INACTIVE, each with an audit row, a notification and an event",
  ],
  remind_incomplete_profiles: [
    "daily, 10:00 in Nepal",
    "requests reminders 1, 3 and 7 days after joining; one reminder makes up for missed days, and a pending one counts for the day",
  ],
  cleanup_unlinked_social_accounts: [
    "daily",
    "deletes the used states of browser flows that are over; a social link cannot lose its user, since both are deleted together",
  ],
  remind_unverified_people: [
    "daily, 10:00 in Nepal",
    "requests reminders 3 and 10 days after joining, and one a day after each rejection",
  ],
  sweep_kyc_uploads: [
    "hourly",
    "removes replaced files, files that no submission named within an hour, and objects older than an hour that no row names; looks at 20,000 objects a run, in turn",
  ],
  check_user_search: [
    "daily, 02:15 in Nepal",
    "compares every search entry with the primary database, repairs and reports differences",
  ],
  check_user_counts: [
    "daily, 02:45 in Nepal; by hand",
    "recounts the users of each filter, replaces counters that differ and reports them; stays exact while people sign up",
  ],
  rebuild_user_search: ["by hand", "writes every search entry again; continues where it was interrupted"],
  reapply_account_deletions: [
    "by hand",
    "after a restore of the primary database: requests the deletion of every recorded account that is back",
  ],
};

export function taskTable(): string[] {
  const names = [...tasks, ...jobs].map(({ name }) => name);
  const rows = describeEach("tasks", names, descriptions);
  return table(
    ["Task or job", "Trigger", "What it does"],
    rows.map(([name, [trigger, effect]]) => [code(name), trigger, effect]),
  );
}
