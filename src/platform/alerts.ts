import type { Deps } from "./deps.ts";
import type { LogFields } from "./log.ts";

/** All alerts with their log level. docs/operations/runbook.md says what to do about each. */
export const alerts = {
  binding_down: "error",
  breaker_opened: "error",
  bucket_failed: "error",
  configuration_refused: "error",
  database_failed: "error",
  dead_letter: "error",
  dead_letter_lost: "error",
  delivery_malformed: "warn",
  delivery_refused: "error",
  delivery_skipped: "warn",
  delivery_unknown: "error",
  document_number_lost: "error",
  email_budget_spent: "error",
  email_reserve_entered: "warn",
  job_failed: "error",
  message_failed: "error",
  platform_event_contradicts: "warn",
  publish_behind: "warn",
  publish_failed: "warn",
  request_failed: "error",
  sms_budget_spent: "error",
  sms_hour_spent: "warn",
  sms_reserve_entered: "warn",
  social_client_refused: "error",
  staff_views_limit: "warn",
  tick_part_failed: "error",
  user_counts_drift: "warn",
  user_search_drift: "warn",
  webhook_gone: "error",
} as const satisfies Record<string, "warn" | "error">;

export type AlertName = keyof typeof alerts;

/** Logs an alert: its name as `event`, `alert: true`, and fields without personal data. */
export function raiseAlert({ log }: Pick<Deps, "log">, name: AlertName, fields: LogFields = {}): void {
  log[alerts[name]](name, { alert: true, ...fields });
}
