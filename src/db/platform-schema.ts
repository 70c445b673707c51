import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";

/** Request and result that an `Idempotency-Key` is bound to. Both hashes are keyed; no token is stored. */
export const idempotencyKeys = sqliteTable("idempotency_keys", {
  keyHash: text("key_hash").primaryKey(),
  bodyHash: text("body_hash").notNull(),
  /** Id of what the first call created: challenge, verification token, session or KYC. */
  resultId: text("result_id").notNull(),
  /** `resend_in` in seconds for otp/request; the session's counter for refresh; null for the others. */
  resultNumber: integer("result_number"),
  expiresAt: instant("expires_at").notNull(),
});

/** What an audit entry can be about. */
export const auditedEntities = [
  ...(["user", "user_field", "profile", "kyc", "kyc_document", "note", "export"] as const),
  ...(["session", "device", "social_account", "passkey", "sign_in_locks", "audit_log", "dead_letter"] as const),
] as const;
export type AuditedEntity = (typeof auditedEntities)[number];

export const auditLogs = sqliteTable(
  "audit_logs",
  {
    /** Unique among the entries of its user. */
    id: text("id").notNull(),
    /** The user whose data the entry concerns; kept after the account is deleted. */
    userId: text("user_id").notNull(),
    action: text("action", { enum: ["CREATE", "UPDATE", "DELETE", "LOGIN", "LOGOUT", "VIEW"] }).notNull(),
    entityType: text("entity_type", { enum: auditedEntities }).notNull(),
    entityId: text("entity_id").notNull(),
    oldValues: text("old_values", { mode: "json" }).$type<Record<string, unknown>>(),
    newValues: text("new_values", { mode: "json" }).$type<Record<string, unknown>>(),
    actorId: text("actor_id"),
    byStaff: flag("by_staff").notNull(),
    ip: text("ip"),
    userAgent: text("user_agent"),
    sessionId: text("session_id"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    // A user's entries lie side by side, so they need no further index; the daily purge reads the whole table.
    primaryKey({ columns: [table.userId, table.id] }),
    // What staff have seen and done. The action is part of it, so that counting their views reads the index alone.
    index("audit_logs_staff").on(table.actorId, table.id, table.action).where(sql`by_staff = 1`),
  ],
);

/**
 * Events that no queue has accepted yet, in their sending order. A row is deleted once the event is sent or becomes a
 * dead letter, so the table stays small and needs no other index. Messages with codes wait in `otp_challenges` instead.
 */
export const outbox = sqliteTable(
  "outbox",
  {
    /** Sending order, 0 first; see `urgencyOf`. */
    urgency: integer("urgency").notNull().default(1),
    id: text("id").notNull(),
    type: text("type").notNull(),
    userId: text("user_id"),
    /** JSON text. */
    payload: text("payload").notNull(),
    /** Queue that the event is sent to. */
    queue: text("queue").notNull(),
    createdAt: instant("created_at").notNull(),
    leasedUntil: instant("leased_until").notNull(),
    leasedBy: text("leased_by"),
    attempts: integer("attempts").notNull(),
  },
  (table) => [primaryKey({ columns: [table.urgency, table.id] })],
);

/**
 * Messages that were processed. The row is written in the same batch as the effect, so that a redelivered message
 * changes nothing.
 */
export const processedEvents = sqliteTable(
  "processed_events",
  {
    /** Name of the task, or of the service that sent the event. */
    consumer: text("consumer").notNull(),
    eventId: text("event_id").notNull(),
    /** Invocation that processed the message. */
    processedBy: text("processed_by").notNull(),
    processedAt: instant("processed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.consumer, table.eventId] })],
);

/**
 * One row per outgoing message other than a code, claimed before its provider is called. The delivery of a code is
 * recorded in its row of `otp_challenges`.
 */
export const deliveries = sqliteTable("deliveries", {
  eventId: text("event_id").primaryKey(),
  claimedBy: text("claimed_by").notNull(),
  claimedUntil: instant("claimed_until").notNull(),
  /** Number of attempts with an unknown outcome; each may have reached the recipient. */
  attempts: integer("attempts").notNull(),
  deliveredAt: instant("delivered_at"),
  /** Set if the recipient cannot be reached or the budget is spent; the message is not retried. */
  undeliverableAt: instant("undeliverable_at"),
});

/** Circuit breaker per provider, shared by all isolates. */
export const providerBreakers = sqliteTable("provider_breakers", {
  provider: text("provider").primaryKey(),
  /** Number of consecutive recipients whose messages failed; 0 after a success. */
  failures: integer("failures").notNull(),
  /** Those recipients, newest last, as a JSON array of short hashes that many people share. */
  failedRecipients: text("failed_recipients").notNull().default("[]"),
  /** Recipient of the message that probes an open breaker. */
  probedBy: text("probed_by"),
  /** No calls until this time, then one probe; null while the breaker is closed. */
  openedUntil: instant("opened_until"),
  updatedAt: instant("updated_at").notNull(),
});

/** Messages stored instead of sent, in development and tests. Empty in production. */
export const localOutbox = sqliteTable(
  "local_outbox",
  {
    id: text("id").primaryKey(),
    channel: text("channel", { enum: ["sms", "email", "push"] }).notNull(),
    recipient: text("recipient").notNull(),
    text: text("text").notNull(),
    code: text("code"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [index("local_outbox_recipient").on(table.recipient, table.id)],
);

/**
 * Messages that could not be processed, events that no queue accepted, and jobs that failed for a day, each with the
 * reason. An admin or the operator may replay them.
 */
export const deadLetters = sqliteTable(
  "dead_letters",
  {
    id: text("id").primaryKey(),
    queue: text("queue").notNull(),
    eventId: text("event_id"),
    type: text("type"),
    userId: text("user_id"),
    /** JSON text; null if it was too large, if its message sends a code, and once its user's account is deleted. */
    payload: text("payload"),
    reason: text("reason").notNull(),
    /** Stack frames of the last failure, without the error message. */
    trace: text("trace"),
    attempts: integer("attempts").notNull(),
    createdAt: instant("created_at").notNull(),
    replayedAt: instant("replayed_at"),
    /** When staff decided that it will not be replayed. */
    discardedAt: instant("discarded_at"),
  },
  (table) => [
    index("dead_letters_created").on(table.createdAt, table.id),
    index("dead_letters_user").on(table.userId, table.id),
    index("dead_letters_waiting")
      .on(table.createdAt, table.id)
      .where(sql`replayed_at is null and discarded_at is null`),
    index("dead_letters_waiting_type")
      .on(table.type, table.createdAt, table.id)
      .where(sql`replayed_at is null and discarded_at is null`),
  ],
);

/** Figures of each day and metric, by hour; see `count_hours`. */
export const dailyCounts = sqliteTable(
  "daily_counts",
  {
    /** `YYYY-MM-DD` in Asia/Kathmandu. */
    day: text("day").notNull(),
    metric: text("metric").notNull(),
    /** JSON array of 24 numbers, one for each hour in Asia/Kathmandu; null for an hour that was not counted. */
    byHour: text("by_hour", { mode: "json" }).$type<(number | null)[]>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.day, table.metric] })],
);

/** Runs of periodic jobs: one row per job and period. */
/** Why a run was closed before it finished: by a newer run of the job, or because it kept failing. */
export type RunClosing = "superseded" | "failed";

export const jobRuns = sqliteTable(
  "job_runs",
  {
    name: text("name").notNull(),
    periodStartedAt: instant("period_started_at").notNull(),
    /** Position of the next chunk; null before the first. */
    cursor: text("cursor"),
    chunks: integer("chunks").notNull(),
    processed: integer("processed").notNull(),
    leasedUntil: instant("leased_until").notNull(),
    /** Invocation that holds the lease; if the run was closed unfinished, the reason (`RunClosing`). */
    leasedBy: text("leased_by"),
    finishedAt: instant("finished_at"),
  },
  (table) => [
    primaryKey({ columns: [table.name, table.periodStartedAt] }),
    index("job_runs_open").on(table.leasedUntil).where(sql`finished_at is null`),
  ],
);

/** Position at which a job that scans a large store continues in its next run: one row per job. */
export const jobCursors = sqliteTable("job_cursors", {
  name: text("name").primaryKey(),
  /** Position at which the last run ended; empty to start over. */
  cursor: text("cursor").notNull(),
});

/** Failing jobs: one row from the first failure until a run of the job finishes or the job becomes a dead letter. */
export const jobFailures = sqliteTable("job_failures", {
  name: text("name").primaryKey(),
  /**
   * Start of the current series of failures. The series ends when a run finishes or two hours pass without a failure.
   */
  failingSince: instant("failing_since").notNull(),
  failedAt: instant("failed_at").notNull(),
  /** Number of failures in the series, which determines the delay before the next attempt. */
  failures: integer("failures").notNull(),
  /** Reason for the last failure, without row values. */
  reason: text("reason").notNull(),
});
