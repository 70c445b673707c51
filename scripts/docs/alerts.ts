import { type AlertName, alerts } from "../../src/platform/alerts.ts";

interface Help {
  /** What has happened, and what people notice. */
  symptom: string;
  /** Where to look. */
  check: string;
  /** What to do. */
  action: string;
}

const CLOUDFLARE = "Cloudflare's status page, and the metrics of the binding in the dashboard.";
const BUDGET =
  "`npm run tasks -- budget --remote`: ranges or networks far above the others are pumping; many even ones are people.";

/** What to do about each alert. The compiler demands one entry for each name. */
const help: Readonly<Record<AlertName, Help>> = {
  binding_down: {
    symptom: "`GET /api/health` could not reach a binding.",
    check: `\`binding\` and \`reason\` of the line; ${CLOUDFLARE}`,
    action:
      "Wait for the platform. If one binding alone is down since a deployment, compare its id in `wrangler.toml`.",
  },
  breaker_opened: {
    symptom:
      "A provider failed for five recipients in a row. It is left alone for 30 seconds, then one message tries it.",
    check: "`delivery_try` lines of that `provider`, and the provider's status page.",
    action:
      "None while the other provider delivers. If the provider is broken for hours, remove its settings and deploy. To close the breaker by hand delete its row of `provider_breakers`.",
  },
  bucket_failed: {
    symptom: "R2 did not answer. The caller got 503.",
    check: CLOUDFLARE,
    action: "Wait for the platform; clients repeat the call.",
  },
  configuration_refused: {
    symptom: "The configuration is unfit. Every route answers 503.",
    check: "`reason` names the setting. `npm run doctor -- --env production` names all of them.",
    action: "Correct the setting and deploy, or roll back to the previous version.",
  },
  database_failed: {
    symptom: "D1 failed or did not answer in time. The caller got 503; a task is retried.",
    check: `One line is chance. For many: ${CLOUDFLARE}`,
    action:
      "Wait for the platform. If statements time out while D1 is healthy, look for a new slow statement (`npm run plans`).",
  },
  dead_letter: {
    symptom: "A message, an event or a run of a job was given up.",
    check: "`npm run tasks -- dead --remote`: type, task and reason.",
    action:
      "Remove the reason, then `npm run tasks -- replay ID --remote`, with `--payload` if the payload must be corrected.",
  },
  dead_letter_lost: {
    symptom: "A refused event of another service could not be stored. Its sender was told.",
    check: "`database_failed` at the same time.",
    action: "Ask the sender to send the event again once D1 answers.",
  },
  delivery_malformed: {
    symptom: "A provider rejects the form of a message. The message was given up.",
    check: "`provider` and `reason`, which holds the provider's code.",
    action: "This is a defect: compare the request with the provider's documentation and correct the code.",
  },
  delivery_refused: {
    symptom: "A provider rejects our credentials, sender, quota, or a platform's key at Firebase.",
    check: "`provider` and `reason`, then the provider's console.",
    action: "Renew the credential or raise the quota. Set a new secret with `wrangler secret put`.",
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
      "None: the person requests another code. Many lines mean that a provider accepts messages without answering.",
  },
  document_number_lost: {
    symptom: "A document number was sealed with a key that is no longer configured. Staff see no number.",
    check: "`key_id` and `has_key`.",
    action: "Add the old key to DATA_SECRETS again, at the end of the array, and deploy.",
  },
  email_budget_spent: {
    symptom: "Sign-in by e-mail is closed until midnight in Nepal. Raised once a day.",
    check: "`otp_challenges` of today by network: a few networks far above the others are an attack.",
    action: "Block those networks in the zone's firewall. If they are people, raise EMAIL_DAILY_BUDGET and deploy.",
  },
  email_reserve_entered: {
    symptom: "70 % of the day's codes by e-mail are used. Raised once a day.",
    check: "As for `email_budget_spent`.",
    action: "As for `email_budget_spent`.",
  },
  job_failed: {
    symptom: "A run of a job failed or died. It is retried after 1, 2, 4 … 60 minutes.",
    check: "`job` and `reason`. One line is chance.",
    action:
      "Correct the reason. After a day of failures the job becomes a dead letter; `npm run tasks -- run NAME --remote` starts it again.",
  },
  message_failed: {
    symptom: "A message could not even be stored as a dead letter. The queue delivers it again.",
    check: "`database_failed` at the same time.",
    action: "Wait for D1. The queue keeps the message.",
  },
  platform_event_contradicts: {
    symptom: "A service reported one change twice with different content. The first report stands.",
    check: "`source`, `event_id` and `type`.",
    action: "Ask the team of that service which report is right; if it is the second, they send a correcting event.",
  },
  publish_behind: {
    symptom: "A minute tick left due events in the outbox because its time or its calls were used up.",
    check: "`sent` and `calls` of the line, the `minute_tick` lines, and which event types fill `outbox`.",
    action: "None for a peak. If it lasts an hour, find what records so many events.",
  },
  publish_failed: {
    symptom: "A queue did not take events. They stay in the outbox and are sent later.",
    check: `\`queue\` and \`reason\`. For many: ${CLOUDFLARE}`,
    action: "Wait for the platform. A single event that is always refused becomes a dead letter after 12 attempts.",
  },
  request_failed: {
    symptom: "A route answered 500, or a browser sign-in ended with `server_error`.",
    check: "`request_id`, `reason` and `trace` of the line.",
    action: "This is a defect: reproduce it in a test, correct it, deploy. Roll back if it is frequent.",
  },
  sms_budget_spent: {
    symptom:
      "Sign-in by phone is closed until midnight in Nepal. People with a session notice nothing. Raised once a day.",
    check: BUDGET,
    action:
      "Pumping: block the networks in the zone's firewall, narrow SMS_COUNTRIES if the ranges are abroad. People: raise SMS_DAILY_BUDGET and deploy; it holds from the next call on. Dropped codes must be requested again.",
  },
  sms_hour_spent: {
    symptom:
      "Numbers without an account used their eighth of the day's open part within one hour. Their messages are dropped until the hour ends.",
    check: BUDGET,
    action: "As for `sms_budget_spent`.",
  },
  sms_reserve_entered: {
    symptom:
      "70 % of the day's SMS calls are used. The rest is for numbers that belong to an account. Raised once a day.",
    check: BUDGET,
    action: "As for `sms_budget_spent`.",
  },
  social_client_refused: {
    symptom: "Google or Apple rejects our client id or secret. Sign-in by that provider fails.",
    check: "`provider` and `error`, then the provider's console.",
    action: "Renew the secret, set it with `wrangler secret put`, and deploy.",
  },
  tick_part_failed: {
    symptom: "One part of the minute tick failed. The next tick repeats it.",
    check: "`part` and `reason`; `database_failed` at the same time.",
    action: "None for a single line. If it lasts, treat the reason.",
  },
  user_counts_drift: {
    symptom: "The nightly check replaced wrong counters of users.",
    check: "Whether somebody wrote to the database by hand.",
    action: "If nobody did, this is a defect of a trigger in `migrations/users`.",
  },
  user_search_drift: {
    symptom: "The nightly check repaired search entries.",
    check: "Whether the search database or its queue was down the day before.",
    action: "A few after an outage are expected. Every day: a defect in the projection.",
  },
  webhook_gone: {
    symptom: "An endpoint answered 410. The message was dropped.",
    check: "`origin` of the endpoint.",
    action: "Ask the receiver; if it is gone for good, remove it from WEBHOOKS and deploy.",
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
