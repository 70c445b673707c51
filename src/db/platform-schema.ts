import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";

/** What an `Idempotency-Key` is bound to. Both hashes are keyed; no token is stored. */
export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    keyHash: text("key_hash").primaryKey(),
    bodyHash: text("body_hash").notNull(),
    /** Id of what the first call made: challenge, verification token or session. */
    resultId: text("result_id").notNull(),
    /** otp/request: `resend_in` in seconds; refresh: the session's counter. */
    resultNumber: integer("result_number"),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [index("idempotency_keys_expiry").on(table.expiresAt)],
);

export const auditLogs = sqliteTable(
  "audit_logs",
  {
    id: text("id").primaryKey(),
    /** The person whose data the row is about; outlives the account. */
    userId: text("user_id").notNull(),
    action: text("action", { enum: ["CREATE", "UPDATE", "DELETE", "LOGIN", "LOGOUT", "VIEW"] }).notNull(),
    entityType: text("entity_type").notNull(),
    entityId: text("entity_id").notNull(),
    oldValues: text("old_values", { mode: "json" }),
    newValues: text("new_values", { mode: "json" }),
    actorId: text("actor_id"),
    byStaff: flag("by_staff").notNull(),
    ip: text("ip"),
    userAgent: text("user_agent"),
    sessionId: text("session_id"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [index("audit_logs_user").on(table.userId, table.id), index("audit_logs_created").on(table.createdAt)],
);

export const outbox = sqliteTable(
  "outbox",
  {
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    userId: text("user_id"),
    /** JSON text; null once erased. */
    payload: text("payload"),
    /** Queue that carries the event; null once the payload was erased unsent, which closes the row to the relay. */
    queue: text("queue"),
    createdAt: instant("created_at").notNull(),
    /** The payload is erased when this passes or the event is sent, whichever comes first. */
    eraseAt: instant("erase_at"),
    leasedUntil: instant("leased_until").notNull(),
    leasedBy: text("leased_by"),
    attempts: integer("attempts").notNull(),
    sentAt: instant("sent_at"),
    /**
     * The order in which waiting events leave, 0 first: sign-in codes; deletions, revocations and security warnings; what
     * people change; reminders, which jobs record by the thousand. A new bulk type belongs to the last class.
     */
    urgency: integer("urgency").generatedAlwaysAs(
      sql`case when queue = 'otp' then 0
        when type in ('user.deleted', 'account.deleted', 'social.revocation_due') then 1
        when type in ('auth.refresh_reuse', 'auth.lockout', 'auth.new_device', 'user.identifier_changed') then 1
        when type in ('profile.reminder_due', 'kyc.reminder_due') then 3 else 2 end`,
      { mode: "virtual" },
    ),
  },
  (table) => [
    index("outbox_unsent")
      .on(table.urgency, table.leasedUntil)
      .where(sql`sent_at is null and queue is not null and payload is not null`),
    index("outbox_erasable").on(table.eraseAt).where(sql`erase_at is not null and payload is not null`),
    index("outbox_user").on(table.userId),
    index("outbox_sent").on(table.sentAt).where(sql`sent_at is not null`),
    index("outbox_erased").on(table.createdAt).where(sql`sent_at is null and payload is null`),
  ],
);

/** Messages whose effect stands: a row in the effect's own batch, so that a message that comes again changes nothing. */
export const processedEvents = sqliteTable(
  "processed_events",
  {
    /** The task, or the service that sent the event. */
    consumer: text("consumer").notNull(),
    eventId: text("event_id").notNull(),
    /** Attempt id of the try that took effect. */
    processedBy: text("processed_by").notNull(),
    processedAt: instant("processed_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.consumer, table.eventId] }),
    index("processed_events_time").on(table.processedAt),
  ],
);

/** One row per message to a person: claimed before its provider is called. */
export const deliveries = sqliteTable("deliveries", {
  eventId: text("event_id").primaryKey(),
  claimedBy: text("claimed_by").notNull(),
  claimedUntil: instant("claimed_until").notNull(),
  /** Claims whose outcome nobody recorded; each may have reached the person. */
  attempts: integer("attempts").notNull(),
  deliveredAt: instant("delivered_at"),
  /** Set when a provider says that the recipient cannot be reached, or no budget is left: it is not tried again. */
  undeliverableAt: instant("undeliverable_at"),
});

/** How each provider fares: its circuit breaker, shared by every isolate. */
export const providerBreakers = sqliteTable("provider_breakers", {
  provider: text("provider").primaryKey(),
  /** Recipients in a row whose messages failed; 0 after a success. */
  failures: integer("failures").notNull(),
  /** Those recipients, the newest last, as a JSON list of short hashes that many people share. */
  failedRecipients: text("failed_recipients").notNull().default("[]"),
  /** The recipient whose message tries an open breaker. */
  probedBy: text("probed_by"),
  /** No call before this, and then one; null while the provider works. */
  openedUntil: instant("opened_until"),
  updatedAt: instant("updated_at").notNull(),
});

/** Where messages land in development and tests. Empty in production. */
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

/** Messages that no try could serve, with the reason; replayed by hand. */
export const deadLetters = sqliteTable(
  "dead_letters",
  {
    id: text("id").primaryKey(),
    queue: text("queue").notNull(),
    eventId: text("event_id"),
    type: text("type"),
    userId: text("user_id"),
    /** JSON text; null where the message carried a sealed code. */
    payload: text("payload"),
    reason: text("reason").notNull(),
    /** Where the last try failed: stack frames without the error's own words. */
    trace: text("trace"),
    attempts: integer("attempts").notNull(),
    createdAt: instant("created_at").notNull(),
    replayedAt: instant("replayed_at"),
  },
  (table) => [index("dead_letters_created").on(table.createdAt), index("dead_letters_user").on(table.userId, table.id)],
);

/** What is due of the periodic work: a row a job and period. */
export const jobRuns = sqliteTable(
  "job_runs",
  {
    name: text("name").notNull(),
    periodStartedAt: instant("period_started_at").notNull(),
    /** Where the next chunk begins; null before the first. */
    cursor: text("cursor"),
    chunks: integer("chunks").notNull(),
    processed: integer("processed").notNull(),
    leasedUntil: instant("leased_until").notNull(),
    /** The invocation that works on the run; of a run that was closed unfinished the reason, a `RunClosing`. */
    leasedBy: text("leased_by"),
    finishedAt: instant("finished_at"),
  },
  (table) => [
    primaryKey({ columns: [table.name, table.periodStartedAt] }),
    index("job_runs_open").on(table.leasedUntil).where(sql`finished_at is null`),
    index("job_runs_finished").on(table.finishedAt).where(sql`finished_at is not null`),
  ],
);

/** Where a job that walks something endless goes on at its next run: a row a job. */
export const jobCursors = sqliteTable("job_cursors", {
  name: text("name").primaryKey(),
  /** What the last run ended with; empty to begin anew. */
  cursor: text("cursor").notNull(),
});

/** Jobs that fail: a row from the first failure until a run of the job finishes. */
export const jobFailures = sqliteTable("job_failures", {
  name: text("name").primaryKey(),
  /** The first failure after which no run finished and no two hours passed without another failure. */
  failingSince: instant("failing_since").notNull(),
  failedAt: instant("failed_at").notNull(),
  /** Failures since then, from which the delay before the next attempt grows. */
  failures: integer("failures").notNull(),
  /** What went wrong the last time, without values of rows. */
  reason: text("reason").notNull(),
});
