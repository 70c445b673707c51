import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { REPEAT_WINDOW_MS } from "../auth/account/account.service.ts";
import { RECYCLED_AFTER_DAYS } from "../auth/account/account-settings.ts";
import { UNDO_WINDOW_MS } from "../auth/identity/identity-limits.ts";
import { firstCidAt } from "../auth/otp/cid.ts";
import { otpLimits } from "../auth/otp/otp-limits.ts";
import { identityChanges, passkeyUses } from "../db/identity-schema.ts";
import { kycUploads } from "../db/kyc-schema.ts";
import { analyticsReports } from "../db/ledger-schema.ts";
import {
  auditLogs,
  dailyCounts,
  deadLetters,
  deliveries,
  idempotencyKeys,
  jobRuns,
  localOutbox,
  processedEvents,
} from "../db/platform-schema.ts";
import { emailBudgetDays, smsBudgetDays, smsSendLimits } from "../db/send-schema.ts";
import {
  familiarNetworks,
  networkGuessLimits,
  otpChallenges,
  otpClassGuards,
  otpNetworkGuards,
  sessions,
} from "../db/sign-in-schema.ts";
import { socialProofs, socialStates } from "../db/social-schema.ts";
import { devices, notifications } from "../db/user-schema.ts";
import { dayOf } from "../nepal.ts";
import { IDEMPOTENCY_TTL_MS } from "../platform/data/idempotency.ts";
import { EVENT_KEPT_MS } from "../platform/data/outbox.ts";
import { DAY_MS, HOUR_MS } from "../platform/time.ts";
import { firstIdAt } from "../platform/uuid.ts";
import { LIFE_MS } from "../sessions/session-open.store.ts";
import { uploadLimit } from "../users/kyc/kyc-upload.store.ts";

/** Jobs that delete rows by age. */
export type PurgeJob =
  | "purge_expired_rows"
  | "purge_expired_sessions"
  | "cleanup_expired_audit_logs"
  | "cleanup_unlinked_social_accounts";

/** A rule by which a job deletes rows of one table by age. */
export interface PurgeRule {
  table: SQLiteTable;
  /** Column from which the age is counted. */
  since: SQLiteColumn;
  /**
   * `key`: `since` leads the primary key or an index, so that only due rows are read. `scan`: every run reads the whole
   * table in the order of its key, because an index would cost more: it is written with each row, and writing a row
   * costs as much as reading it a thousand times.
   */
  find: "key" | "scan";
  /** How long a row is kept, in milliseconds. */
  keptMs: number;
  by: PurgeJob;
  /** The rule applies only to rows that meet this condition. */
  among?: SQL;
  /** Converts a time to the format of `since`; absent if the column holds milliseconds since the epoch. */
  write?: (instant: number) => string;
  /** Updates the row instead of deleting it; another rule deletes it later. `among` must no longer hold afterwards. */
  becomes?: { set: Record<string, SQL | string | null>; meaning: string };
  /** Reason for the period, unless it is obvious. */
  reason?: string;
}

const BUDGET_DAYS_KEPT_MS = 90 * DAY_MS;
/** Counters of attempts are kept for more than one window, so that a purge never shortens one. */
const ATTEMPT_WINDOWS_KEPT = 6;

const byKey = { by: "purge_expired_rows", find: "key" } as const;
const scanned = { by: "purge_expired_rows", find: "scan" } as const;
const scannedDaily = { by: "purge_expired_sessions", find: "scan" } as const;

/** All rules that delete rows by age, in the order in which a job applies them. */
export const purgeRules: readonly PurgeRule[] = [
  {
    ...byKey,
    table: otpChallenges,
    since: otpChallenges.cid,
    keptMs: IDEMPOTENCY_TTL_MS + otpLimits.ttlMs + otpLimits.verificationTokenTtlMs,
    write: firstCidAt,
    reason: "a sign-in repeated with its key reads the verification token for a day; a day's codes are counted",
  },
  {
    ...scanned,
    table: otpChallenges,
    since: otpChallenges.createdAt,
    keptMs: otpLimits.ttlMs,
    among: sql`sealed_code is not null`,
    becomes: { set: { sealedCode: null }, meaning: "without its sealed code" },
    reason: "the minute tick erases the code when it expires; this job finds what a failing tick left",
  },
  {
    ...scannedDaily,
    table: otpNetworkGuards,
    since: otpNetworkGuards.lastGuessAt,
    keptMs: otpLimits.lock.resetAfterMs,
    reason: "a week without an attempt ends every lock",
  },
  {
    ...scannedDaily,
    table: otpClassGuards,
    since: otpClassGuards.lastGuessAt,
    keptMs: otpLimits.lock.resetAfterMs,
    reason: "as above",
  },
  {
    ...scanned,
    table: networkGuessLimits,
    since: networkGuessLimits.windowStartedAt,
    keptMs: ATTEMPT_WINDOWS_KEPT * otpLimits.attemptsPerNetwork.windowMs,
  },
  { ...scanned, table: smsSendLimits, since: smsSendLimits.windowEndsAt, keptMs: 0 },
  { ...byKey, table: smsBudgetDays, since: smsBudgetDays.day, keptMs: BUDGET_DAYS_KEPT_MS, write: dayOf },
  { ...byKey, table: emailBudgetDays, since: emailBudgetDays.day, keptMs: BUDGET_DAYS_KEPT_MS, write: dayOf },
  { ...scannedDaily, table: familiarNetworks, since: familiarNetworks.lastSignInAt, keptMs: otpLimits.knownNetworkMs },
  {
    ...scanned,
    table: socialProofs,
    since: socialProofs.expiresAt,
    keptMs: REPEAT_WINDOW_MS,
    reason: "a code used in its last second can be repeated for this time",
  },
  {
    ...scanned,
    table: passkeyUses,
    since: passkeyUses.usedAt,
    keptMs: IDEMPOTENCY_TTL_MS,
    reason: "a sign-in can be repeated with its Idempotency-Key for this time",
  },
  {
    ...byKey,
    table: identityChanges,
    since: identityChanges.id,
    keptMs: UNDO_WINDOW_MS,
    write: firstIdAt,
    reason: "the change can be undone until then",
  },
  {
    ...scanned,
    table: kycUploads,
    since: kycUploads.createdAt,
    keptMs: uploadLimit.windowMs,
    reason: "a day's uploads are counted from these",
  },
  { ...scanned, table: idempotencyKeys, since: idempotencyKeys.expiresAt, keptMs: 0 },
  {
    ...scannedDaily,
    table: sessions,
    since: sessions.absoluteExpiresAt,
    keptMs: 0,
    among: sql`revoked_at is null`,
    // Marking a session as ended moves it out of the index of live sessions, which sign-ins read.
    becomes: {
      set: { revokedAt: sql`min(idle_expires_at, absolute_expires_at)`, revokedReason: "expired" },
      meaning: "marked as ended",
    },
  },
  {
    ...scannedDaily,
    table: sessions,
    since: sessions.revokedAt,
    keptMs: 30 * DAY_MS,
    among: sql`revoked_at is not null and revoked_reason is not 'refresh_reuse'`,
  },
  {
    ...scannedDaily,
    table: sessions,
    since: sessions.revokedAt,
    keptMs: RECYCLED_AFTER_DAYS.max * DAY_MS + LIFE_MS.user.absolute,
    among: sql`revoked_reason = 'refresh_reuse'`,
    reason: "a refresh token that was reused must not prove an account that has slept since",
  },
  {
    ...scannedDaily,
    table: processedEvents,
    since: processedEvents.processedAt,
    keptMs: EVENT_KEPT_MS,
    reason: "no queue keeps a message for longer",
  },
  { ...byKey, table: deliveries, since: deliveries.eventId, keptMs: EVENT_KEPT_MS, write: firstIdAt },
  { ...byKey, table: localOutbox, since: localOutbox.id, keptMs: EVENT_KEPT_MS, write: firstIdAt },
  { ...byKey, table: notifications, since: notifications.id, keptMs: 180 * DAY_MS, write: firstIdAt },
  {
    ...byKey,
    table: deadLetters,
    since: deadLetters.createdAt,
    keptMs: 90 * DAY_MS,
    among: sql`replayed_at is null and discarded_at is null`,
  },
  {
    ...scannedDaily,
    table: deadLetters,
    since: deadLetters.replayedAt,
    keptMs: 30 * DAY_MS,
    among: sql`replayed_at is not null`,
  },
  {
    ...scannedDaily,
    table: deadLetters,
    since: deadLetters.discardedAt,
    keptMs: 30 * DAY_MS,
    among: sql`discarded_at is not null`,
  },
  { ...byKey, table: dailyCounts, since: dailyCounts.day, keptMs: 400 * DAY_MS, write: dayOf },
  {
    ...scannedDaily,
    table: devices,
    since: devices.sessionId,
    keptMs: LIFE_MS.user.absolute,
    write: firstIdAt,
    reason:
      "the id contains the time of the sign-in; the session has ended by then, and a device gets pushes only during its session",
  },
  { ...scanned, table: analyticsReports, since: analyticsReports.expiresAt, keptMs: 0 },
  {
    ...scannedDaily,
    table: jobRuns,
    since: jobRuns.finishedAt,
    keptMs: 30 * DAY_MS,
    among: sql`finished_at is not null`,
  },
  {
    by: "cleanup_expired_audit_logs",
    find: "scan",
    table: auditLogs,
    since: auditLogs.id,
    keptMs: 365 * DAY_MS,
    write: firstIdAt,
  },
  {
    by: "cleanup_unlinked_social_accounts",
    find: "scan",
    table: socialStates,
    since: socialStates.expiresAt,
    keptMs: HOUR_MS,
  },
];

/** Rows to which the rule applies at `now`. */
export function isDue({ since, keptMs, among, write }: PurgeRule, now: number): SQL {
  const instant = now - keptMs;
  const range = sql`${since} < ${write ? write(instant) : instant}`;
  return among ? sql`${among} and ${range}` : range;
}
