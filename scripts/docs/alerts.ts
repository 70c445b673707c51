import { type AlertName, alerts } from "../../src/platform/alerts.ts";

interface Help {
  /** What has happened, and how users are affected. */
  symptom: string;
  /** Where to look. */
  check: string;
  /** What to do. */
  action: string;
}

const CLOUDFLARE = "Cloudflare's status page, and the metrics of the binding in the dashboard.";
const BUDGET =
  "`npm run tasks -- budget --remote`: a few number ranges or networks far above the others indicate SMS pumping; many similar ones indicate real users.";

/** What to do about each alert. The compiler requires an entry for each name. */
const help: Readonly<Record<AlertName, Help>> = {
  binding_down: {
    symptom: "`GET /api/health` could not reach a binding.",
    check: `\`binding\` and \`reason\` of the line; ${CLOUDFLARE}`,
    action: "Wait for Cloudflare. If only one binding is down since a deployment, check its id in `wrangler.toml`.",
  },
  breaker_opened: {
    symptom:
      "Messages to five recipients in a row failed at a provider. It is not called for 30 seconds, then one message probes it.",
    check: "`delivery_try` lines of that `provider`, and the provider's status page.",
    action:
      "None while another provider delivers. If the provider is down for hours, remove its variables and deploy, then delete its secret, see [deployment](deploy.md#adding-and-removing-a-provider). To close the breaker by hand, delete its row in `provider_breakers`.",
  },
  bucket_failed: {
    symptom: "R2 did not respond. The caller got 503.",
    check: CLOUDFLARE,
    action: "Wait for Cloudflare; clients repeat the call.",
  },
  configuration_refused: {
    symptom: "The configuration is invalid. Every route returns 503.",
    check: "`reason` names the setting. `npm run doctor -- --env production` names all of them.",
    action:
      "Correct the setting and deploy, or roll back to the previous version. If a secret was deleted, set it again with `npx wrangler secret put NAME --env production`, which applies at once.",
  },
  database_failed: {
    symptom: "D1 failed or did not respond in time. The caller got 503, or a task is retried.",
    check: `A single line needs no action. For many, check ${CLOUDFLARE}`,
    action:
      "Wait for Cloudflare. If statements time out while D1 is healthy, look for a slow new statement (`npm run plans`).",
  },
  dead_letter: {
    symptom: "A message, an event or a job failed permanently.",
    check: "`npm run tasks -- dead --remote`: type, task and reason.",
    action:
      "Fix the cause, then run `npm run tasks -- replay ID --remote`, with `--payload` if the payload must be corrected.",
  },
  dead_letter_lost: {
    symptom: "A refused event of another service could not be stored as a dead letter. The sender got the refusal.",
    check: "`database_failed` at the same time.",
    action: "Ask the sender to send the event again once D1 works.",
  },
  delivery_malformed: {
    symptom: "A provider rejects the format of a message. The message was given up.",
    check: "`provider` and `reason`, which contains the provider's code.",
    action: "This is a bug: compare the request with the provider's documentation and fix the code.",
  },
  delivery_refused: {
    symptom:
      "A provider rejects the credentials or the sender, the quota is exceeded, or Firebase rejects the key of a platform.",
    check: "`provider` and `reason`, then the provider's console.",
    action:
      "Renew the credential or raise the quota. Set a new secret with `npx wrangler secret put NAME --env production`.",
  },
  delivery_skipped: {
    symptom: "A provider's breaker is open. The message goes to the next provider or waits.",
    check: "The `breaker_opened` line before it.",
    action: "As for `breaker_opened`.",
  },
  delivery_unknown: {
    symptom: "It is unknown whether a message arrived, and it may not be sent again.",
    check: "`delivery_try` lines with that `event_id`.",
    action:
      "None: the user requests another code. Many lines mean that a provider accepts messages without responding.",
  },
  document_number_lost: {
    symptom: "A document number was encrypted with a key that is no longer configured. Staff cannot see it.",
    check: "`key_id` and `has_key`.",
    action: "Add the old key to DATA_SECRETS again, at the end of the array, and deploy.",
  },
  email_budget_spent: {
    symptom: "Codes by e-mail are refused until midnight in Nepal. Raised once a day.",
    check: "Today's rows of `otp_challenges` by network: a few networks far above the others indicate an attack.",
    action: "Block those networks in the zone's firewall. If the users are real, raise EMAIL_DAILY_BUDGET and deploy.",
  },
  email_reserve_entered: {
    symptom: "70 % of the day's codes by e-mail are used. Raised once a day.",
    check: "As for `email_budget_spent`.",
    action: "As for `email_budget_spent`.",
  },
  job_failed: {
    symptom: "A run of a job failed or died. It is retried after 1, 2, 4 … 60 minutes.",
    check: "`job` and `reason`. A single line needs no action.",
    action:
      "Fix the cause. After a day of failures the job becomes a dead letter; `npm run tasks -- run NAME --remote` starts it again.",
  },
  message_failed: {
    symptom: "A message could not be stored as a dead letter. The queue delivers it again.",
    check: "`database_failed` at the same time.",
    action: "Wait for D1. The queue keeps the message.",
  },
  platform_event_contradicts: {
    symptom: "A service reported one change twice with different content. The first report stands.",
    check: "`source`, `event_id` and `type`.",
    action:
      "Ask the team of that service which report is correct. If it is the second, they must send a correcting event.",
  },
  publish_behind: {
    symptom: "A minute tick left due events in the outbox because its time or its calls were used up.",
    check: "`sent` and `calls` of the line, the `minute_tick` lines, and which event types fill `outbox`.",
    action: "None during a peak. If it lasts an hour, find out what records so many events.",
  },
  publish_failed: {
    symptom: "A queue did not accept events or codes. They stay in D1 and are sent later.",
    check: `\`queue\` and \`reason\`. For many, also ${CLOUDFLARE}`,
    action: "Wait for Cloudflare. A single event that is always refused becomes a dead letter after 12 attempts.",
  },
  request_failed: {
    symptom: "A route returned 500, or a browser sign-in ended with `server_error`.",
    check: "`request_id`, `reason` and `trace` of the line.",
    action: "This is a bug: reproduce it in a test, fix it and deploy. Roll back if it is frequent.",
  },
  sms_budget_spent: {
    symptom:
      "Codes by SMS are refused until midnight in Nepal. Users with a session are not affected. Raised once a day.",
    check: BUDGET,
    action:
      "In case of pumping, block the networks in the zone's firewall, and shorten SMS_COUNTRIES if the ranges are abroad. In case of real users, raise SMS_DAILY_BUDGET and deploy; it applies from the next call on. Users must request dropped codes again.",
  },
  sms_hour_spent: {
    symptom:
      "Numbers without an account used up their share (an eighth of the open budget) of this hour. Their messages are dropped until the hour ends.",
    check: BUDGET,
    action: "As for `sms_budget_spent`.",
  },
  sms_reserve_entered: {
    symptom:
      "70 % of the day's SMS calls are used. The rest is reserved for numbers with an account. Raised once a day.",
    check: BUDGET,
    action: "As for `sms_budget_spent`.",
  },
  social_client_refused: {
    symptom: "Google or Apple rejects the client id or secret. Sign-in through that provider fails.",
    check: "`provider` and `error`, then the provider's console.",
    action: "Renew the secret and set it with `npx wrangler secret put NAME --env production`.",
  },
  staff_views_limit: {
    symptom: "A member of staff has seen as many persons, cases, fields and files as STAFF_VIEWS_PER_HOUR allows.",
    check: "`viewer_id`, and `GET /api/staff/audit-logs?actor_id=…`: what they looked at.",
    action:
      "Ask them. If the account was taken over or misused, end its sessions and revoke its role; if the work needs it, " +
      "raise STAFF_VIEWS_PER_HOUR.",
  },
  tick_part_failed: {
    symptom: "One part of the minute tick failed. The next tick repeats it.",
    check: "`part` and `reason`; `database_failed` at the same time.",
    action: "None for a single line. If it continues, fix the cause.",
  },
  user_counts_drift: {
    symptom: "The nightly check corrected user counters.",
    check: "Whether the database was changed by hand.",
    action: "If it was not, this is a bug in a trigger in `migrations/users`.",
  },
  user_search_drift: {
    symptom: "The nightly check corrected search entries.",
    check: "Whether the search database or its queue was down the day before.",
    action: "A few after an outage are expected. If it occurs every day, the projection has a bug.",
  },
  webhook_gone: {
    symptom: "An endpoint returned 410. The message was dropped.",
    check: "`origin` of the endpoint.",
    action: "Ask the receiver; if it is gone permanently, set WEBHOOKS without it.",
  },
};

/** One section for each alert: symptom, check, action. */
export function alertSections(): string[] {
  const lines = Object.entries(alerts).flatMap(([name, level]) => {
    const { symptom, check, action } = help[name as AlertName];
    return [
      `### ${name}`,
      "",
      `Level ${level}. ${symptom}`,
      "",
      `- **Check**: ${check}`,
      `- **Action**: ${action}`,
      "",
    ];
  });
  return lines.slice(0, -1);
}
