import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";
import { ownerId } from "./user-schema.ts";

/** How a person can prove that a session is theirs. */
export const PROOF_METHODS = ["PHONE", "EMAIL", "GOOGLE", "APPLE", "PASSKEY"] as const;
export type ProofMethod = (typeof PROOF_METHODS)[number];

/** How a session can be opened. */
export const SIGN_IN_METHODS = ["OTP_EMAIL", "OTP_PHONE", "GOOGLE", "APPLE", "PASSKEY"] as const;

export const sessions = sqliteTable(
  "sessions",
  {
    id: text("id").notNull(),
    userId: ownerId(),
    createdAt: instant("created_at").notNull(),
    lastUsedAt: instant("last_used_at").notNull(),
    /** Time of the last activity recorded: the sign-in, the last refresh or what `user.active` reported since. */
    activityAt: instant("activity_at"),
    /** Number of rotations. The valid refresh token carries this number. */
    counter: integer("counter").notNull(),
    /** Id of the key that signed the valid refresh token, so that the token can be reproduced byte for byte. */
    refreshKeyId: text("refresh_key_id").notNull(),
    rotatedAt: instant("rotated_at").notNull(),
    /** Invocation that made the last rotation. */
    rotatedBy: text("rotated_by").notNull(),
    /** Number of times the last rotation's answer was replayed. */
    replays: integer("replays").notNull(),
    idleTtlMs: integer("idle_ttl_ms").notNull(),
    idleExpiresAt: instant("idle_expires_at").notNull(),
    absoluteExpiresAt: instant("absolute_expires_at").notNull(),
    /**
     * When the session was ended; null if it was not. After `absoluteExpiresAt` the purge sets it for a session that
     * only expired, to the time at which it expired.
     */
    revokedAt: instant("revoked_at"),
    revokedReason: text("revoked_reason"),
    revokedBy: text("revoked_by"),
    ip: text("ip").notNull(),
    userAgent: text("user_agent"),
    deviceName: text("device_name"),
    method: text("method", { enum: SIGN_IN_METHODS }).notNull(),
    /** When the person last proved, after the sign-in, that the session is theirs; null if never. */
    provedAt: instant("proved_at"),
    /** How they proved it; null if never: then the sign-in is the proof. */
    provedBy: text("proved_by", { enum: PROOF_METHODS }),
    /** When a passkey last opened or proved the session; null if none did. */
    passkeyAt: instant("passkey_at"),
    /** Id of that passkey. */
    passkeyId: text("passkey_id"),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.id] }),
    // Statements name it (`indexed by`), because by the primary key SQLite would read a user's ended sessions too.
    index("sessions_live").on(table.userId, table.createdAt).where(sql`revoked_at is null`),
  ],
);

/**
 * One row per code sent. The send limits are counted from these rows. A verified code's row is also its verification
 * token, which is derived from `cid` with `secretId` and not stored.
 */
export const otpChallenges = sqliteTable(
  "otp_challenges",
  {
    /** Time of the request and 128 random bits, so that the codes since a time are a range of the key; see `newCid`. */
    cid: text("cid").primaryKey(),
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    /** Position of this code among those that its network requested in one window, from 1. */
    networkRank: integer("network_rank").notNull(),
    networkClass: text("network_class", { enum: ["familiar", "other"] }).notNull(),
    /**
     * Keyed hash of the mailbox behind an e-mail address, for limits. Null for a phone number and, until its account is
     * deleted, for an address that is the mailbox's own (see `mailboxOf`).
     */
    mailbox: text("mailbox"),
    /** HMAC of the code, bound to challenge and identifier; see `hashCode`. */
    codeHash: text("code_hash").notNull(),
    secretId: text("secret_id").notNull(),
    /** The code for its message, sealed; null once the message is settled, or the code is consumed or expired. */
    sealedCode: text("sealed_code"),
    /** Language of the message. */
    locale: text("locale", { enum: ["en", "ne"] }),
    /** The message says that the code changes how an account signs in. */
    isForChange: flag("is_for_change"),
    /** Claim that holds the message, or held it last. The request that recorded the code makes the first one. */
    claimedBy: text("claimed_by"),
    claimedUntil: instant("claimed_until"),
    /** Number of attempts to send the message with an unknown outcome; each may have reached the recipient. */
    sendAttempts: integer("send_attempts"),
    deliveredAt: instant("delivered_at"),
    /** Set if the recipient cannot be reached, the budget is spent or nothing is to be sent. */
    undeliverableAt: instant("undeliverable_at"),
    /** From then on the minute tick sends an unsettled message to the queue. */
    publishAt: instant("publish_at"),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    /** Attempts at this code from known networks; once it is verified, attempts with another body under its key. */
    attemptsFamiliar: integer("attempts_familiar").notNull(),
    /** As `attemptsFamiliar`, from all other networks. */
    attemptsOther: integer("attempts_other").notNull(),
    /** Invocation that last charged an attempt to this code. */
    chargedBy: text("charged_by"),
    consumedBy: text("consumed_by"),
    consumedAt: instant("consumed_at"),
    /** Network that verified this code; null for a code that was not verified, which has no verification token. */
    consumedNetwork: text("consumed_network"),
    /** Invocation that redeemed the verification token; null while it is unused. */
    usedBy: text("used_by"),
    usedAt: instant("used_at"),
    usedFor: text("used_for", {
      enum: ["REGISTER", "LOGIN", "CONSOLE", "REAUTHENTICATION", "PROOF", "IDENTITY", "DISPUTE"],
    }),
    /** Session that the token created or proved; null for the other uses. */
    sessionId: text("session_id"),
  },
  (table) => [
    index("otp_challenges_identifier").on(table.identifier, table.cid),
    index("otp_challenges_mailbox").on(table.mailbox, table.cid).where(sql`mailbox is not null`),
  ],
);

/** Failures and locks per identifier and network. */
export const otpNetworkGuards = sqliteTable(
  "otp_network_guards",
  {
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    /** JSON array of the failure times since the last lock, oldest first. */
    failures: text("failures").notNull(),
    lockCount: integer("lock_count").notNull(),
    lockedUntil: instant("locked_until").notNull(),
    lockedBy: text("locked_by"),
    lastGuessAt: instant("last_guess_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.identifier, table.network] }),
    index("otp_network_guards_locked").on(table.lockedUntil).where(sql`locked_until > 0`),
  ],
);

/**
 * Failures and locks per identifier of all known networks together (`familiar`) and of all unknown networks together
 * (`other`).
 */
export const otpClassGuards = sqliteTable(
  "otp_class_guards",
  {
    identifier: text("identifier").notNull(),
    networkClass: text("network_class", { enum: ["familiar", "other"] }).notNull(),
    failures: text("failures").notNull(),
    /** Number of consecutive failures, regardless of their age. */
    streak: integer("streak").notNull(),
    lockedUntil: instant("locked_until").notNull(),
    lockedBy: text("locked_by"),
    lastGuessAt: instant("last_guess_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.identifier, table.networkClass] }),
    index("otp_class_guards_locked").on(table.lockedUntil).where(sql`locked_until > 0`),
    // The hard lockouts; see `otpLimits.lock.hardLockoutAfter`.
    index("otp_class_guards_closed").on(table.lastGuessAt).where(sql`streak >= 100`),
  ],
);

/** Number of wrong attempts per network at any identifier, in a fixed window. */
export const networkGuessLimits = sqliteTable("network_guess_limits", {
  network: text("network").primaryKey(),
  windowStartedAt: instant("window_started_at").notNull(),
  guesses: integer("guesses").notNull(),
});

/** Known networks: those from which an identifier, or a user with Google or Apple, has signed in. */
export const familiarNetworks = sqliteTable(
  "familiar_networks",
  {
    /** The verified identifier; the user id for a sign-in with Google or Apple. */
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    lastSignInAt: instant("last_sign_in_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.identifier, table.network] })],
);

/**
 * Keyed hashes of the verified identifiers and provider accounts that have left an account. Kept permanently, so that a
 * returning person gets no second signup bonus or referral reward.
 */
export const formerIdentities = sqliteTable("former_identities", {
  identityHash: text("identity_hash").primaryKey(),
  createdAt: instant("created_at").notNull(),
});
