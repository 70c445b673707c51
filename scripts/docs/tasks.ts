import { jobs } from "../../src/tasks/engine/job-registry.ts";
import { tasks } from "../../src/tasks/engine/registry.ts";
import { code, describeEach, table } from "./markdown.ts";

/** What starts each task and job, and what it does. */
const descriptions: Readonly<Record<string, [trigger: string, effect: string]>> = {
  deliver_otp: [
    "queue `otp`",
    "passes a code to a provider if its request could not; drops a code that has expired or was used",
  ],
  deliver_push: [
    "queue `tasks`",
    "sends a notification to the devices whose session is live; deletes a push token that the provider reports as unregistered",
  ],
  deliver_webhook: ["queue `tasks`", "reports one change to one endpoint, in up to 8 attempts over 24 hours"],
  finish_account_deletion: [
    "queue `tasks`",
    "erases the remaining data of a deleted account: first records the deletion for a later restore, then deletes files in R2, codes and denylist entries in KV, and the history (audit values, notifications, sessions, rentals, favourites, referrals, payloads of dead letters, the user id in ledger rows), at most 400 rows per batch and 60 statements per message; then it sends another message to itself. If a restore has brought the user back, it only records the deletion",
  ],
  generate_user_analytics_report: [
    "queue `tasks`, requested by staff",
    "stores usage, wallet and points of a user in a row that is kept for an hour",
  ],
  notify_kyc_status: ["queue `tasks`, from a decision", "sends a notification and a push, if the decision still holds"],
  notify_security_events: [
    "queue `tasks`",
    "writes one notification for each security event, such as a new device (a sign-in from a network that the user has not signed in from for 90 days), a lockout, a new passkey or a changed identifier; after a change, the old identifier gets a message too",
  ],
  reapply_account_deletion: [
    "queue `tasks`, from `reapply_account_deletions`",
    "deletes an account again that a restore brought back",
  ],
  record_platform_event: ["queue `platform-events`", "applies an event of another service, once"],
  revoke_social_token: [
    "queue `tasks`, after an unlink or a deletion",
    "revokes Apple's refresh token, in at most 12 attempts",
  ],
  run_due_job: ["queue `tasks`", "runs a due job in chunks"],
  send_kyc_verification_reminder: [
    "queue `tasks`",
    "sends a notification and a push, unless the user is not active, the KYC is APPROVED or PENDING, or the last reminder is less than 20 hours old",
  ],
  send_profile_completion_reminder: [
    "queue `tasks`",
    "sends a notification and a push, unless the user is not active, the profile is complete or the last reminder is less than 20 hours old",
  ],
  send_security_message: [
    "queue `tasks`, after a security event of identifiers or passkeys",
    "sends a message about the account's security to one of its verified addresses",
  ],
  send_social_auth_welcome_message: [
    "queue `tasks`, after a sign-up through Google or Apple",
    "writes a welcome notification",
  ],
  sync_user_data_with_external_services: [
    "queue `tasks`, on every change of a user",
    "sends one message per endpoint in WEBHOOKS; does nothing without endpoints",
  ],
  update_user_last_activity: [
    "queue `tasks`, from requests whose access token was issued at least 15 minutes ago, such as a late sign-out",
    "records the last activity, which otherwise sign-in and refresh record themselves, at most once per session in 15 minutes",
  ],
  update_user_search: [
    "queue `search`, on every change of a user",
    "updates the search entries of all users in a batch",
  ],
  purge_expired_rows: [
    "hourly",
    "deletes rows whose retention period has ended, see [configuration](configuration.md#retention)",
  ],
  purge_expired_sessions: [
    "daily",
    "scans the large tables whose rows are kept for weeks, such as sessions and known networks: deletes expired rows, and marks expired sessions as ended",
  ],
  cleanup_expired_audit_logs: ["daily", "deletes audit rows older than 365 days"],
  deactivate_inactive_users: [
    "daily",
    "sets users without a sign-in for 180 days to INACTIVE, each with an audit row, a notification and an event",
  ],
  remind_incomplete_profiles: [
    "daily, 10:00 in Nepal",
    "requests reminders 1, 3 and 7 days after joining; missed days are made up for by one reminder, and a pending one counts for the day",
  ],
  cleanup_unlinked_social_accounts: [
    "daily",
    "deletes the states of expired browser flows; social accounts are deleted with their user, so none is left without one",
  ],
  remind_unverified_people: [
    "daily, 10:00 in Nepal",
    "requests reminders 3 and 10 days after joining, and one a day after each rejection",
  ],
  sweep_kyc_uploads: [
    "hourly",
    "removes replaced files, files that no submission referenced within an hour, and objects older than an hour without a row; scans 20,000 objects per run, continuing where the last run stopped",
  ],
  count_hours: [
    "hourly",
    "stores the service's figures of each hour in Kathmandu: sign-ups, sign-ins, codes, KYC, dead letters; up to 23 missed hours are made up for",
  ],
  check_user_search: [
    "daily, 02:15 in Nepal",
    "compares every search entry with the primary database, and corrects and reports differences",
  ],
  check_user_counts: [
    "daily, 02:45 in Nepal",
    "recounts the users of each filter, and corrects and reports counters that differ; exact even while users sign up",
  ],
  rebuild_user_search: ["by hand", "rewrites every search entry; continues after an interruption"],
  reapply_account_deletions: [
    "by hand",
    "after a restore of the primary database: requests the deletion of every recorded account that the restore brought back",
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
