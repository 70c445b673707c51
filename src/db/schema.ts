import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

// Every instant is an integer: milliseconds since the epoch, UTC. Every id is a UUIDv7 string unless said otherwise.
const instant = (name: string) => integer(name);
const flag = (name: string) => integer(name, { mode: "boolean" });

export const users = sqliteTable(
  "users",
  {
    id: text("id").primaryKey(),
    username: text("username").notNull(),
    /** NFKC and lower case: what uniqueness looks at. */
    usernameKey: text("username_key").notNull(),
    /** Trimmed and lower case. */
    email: text("email"),
    /** E.164. */
    phoneNumber: text("phone_number"),
    emailVerified: flag("email_verified").notNull(),
    phoneVerified: flag("phone_verified").notNull(),
    profilePicture: text("profile_picture"),
    referralCode: text("referral_code").notNull(),
    status: text("status", { enum: ["ACTIVE", "INACTIVE", "BANNED"] }).notNull(),
    /** Why the status is not ACTIVE: `inactivity` ends with the next sign-in, `staff` does not. */
    statusReason: text("status_reason", { enum: ["inactivity", "staff"] }),
    role: text("role", { enum: ["user", "staff", "admin"] }).notNull(),
    socialProvider: text("social_provider", { enum: ["EMAIL", "PHONE", "GOOGLE", "APPLE"] }).notNull(),
    socialProfileData: text("social_profile_data", { mode: "json" }),
    locale: text("locale", { enum: ["en", "ne"] }).notNull(),
    dateJoined: instant("date_joined").notNull(),
    lastLogin: instant("last_login"),
    lastActivityAt: instant("last_activity_at"),
    updatedAt: instant("updated_at").notNull(),
    /** Grows with every change that projections must see. */
    version: integer("version").notNull(),
  },
  (table) => [
    uniqueIndex("users_username_key").on(table.usernameKey),
    uniqueIndex("users_email").on(table.email),
    uniqueIndex("users_phone_number").on(table.phoneNumber),
    uniqueIndex("users_referral_code").on(table.referralCode),
  ],
);

const userId = () =>
  text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

export const profiles = sqliteTable("profiles", {
  userId: userId().primaryKey(),
  id: text("id").notNull(),
  fullName: text("full_name"),
  /** `YYYY-MM-DD`. */
  dateOfBirth: text("date_of_birth"),
  address: text("address"),
  avatarUrl: text("avatar_url"),
  createdAt: instant("created_at").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

export const kyc = sqliteTable("kyc", {
  userId: userId().primaryKey(),
  id: text("id").notNull(),
  status: text("status", { enum: ["PENDING", "APPROVED", "REJECTED"] }).notNull(),
  rejectionReason: text("rejection_reason"),
  verifiedAt: instant("verified_at"),
  createdAt: instant("created_at").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

export const wallets = sqliteTable("wallets", {
  userId: userId().primaryKey(),
  balanceMinor: integer("balance_minor").notNull(),
  currency: text("currency").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

export const points = sqliteTable("points", {
  userId: userId().primaryKey(),
  currentPoints: integer("current_points").notNull(),
  totalPoints: integer("total_points").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

/** The ledger behind every change of `points`: one row per user, reason and reference. */
export const pointTransactions = sqliteTable(
  "point_transactions",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    delta: integer("delta").notNull(),
    reason: text("reason").notNull(),
    reference: text("reference").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [uniqueIndex("point_transactions_once").on(table.userId, table.reason, table.reference)],
);

export const referrals = sqliteTable(
  "referrals",
  {
    inviteeId: text("invitee_id")
      .primaryKey()
      .references(() => users.id, { onDelete: "cascade" }),
    inviterId: text("inviter_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    status: text("status", { enum: ["PENDING", "COMPLETED"] }).notNull(),
    createdAt: instant("created_at").notNull(),
    completedAt: instant("completed_at"),
  },
  (table) => [index("referrals_inviter").on(table.inviterId)],
);

export const sessions = sqliteTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    createdAt: instant("created_at").notNull(),
    lastUsedAt: instant("last_used_at").notNull(),
    /** Number of rotations so far: the live refresh token is the one that carries this number. */
    counter: integer("counter").notNull(),
    /** Key id that signed the live refresh token, so that it can be minted again byte for byte. */
    refreshKeyId: text("refresh_key_id").notNull(),
    rotatedAt: instant("rotated_at").notNull(),
    /** Attempt id of the invocation that made the last rotation. */
    rotatedBy: text("rotated_by").notNull(),
    /** How often the last rotation's answer was fetched again. */
    replays: integer("replays").notNull(),
    idleTtlMs: integer("idle_ttl_ms").notNull(),
    idleExpiresAt: instant("idle_expires_at").notNull(),
    absoluteExpiresAt: instant("absolute_expires_at").notNull(),
    revokedAt: instant("revoked_at"),
    revokedReason: text("revoked_reason"),
    revokedBy: text("revoked_by"),
    ip: text("ip").notNull(),
    userAgent: text("user_agent"),
    deviceName: text("device_name"),
    method: text("method", { enum: ["OTP_EMAIL", "OTP_PHONE", "GOOGLE", "APPLE"] }).notNull(),
  },
  (table) => [index("sessions_user").on(table.userId, table.createdAt)],
);

/** One row per code sent; also the ledger that the limits on sending are counted from. */
export const otpChallenges = sqliteTable(
  "otp_challenges",
  {
    /** 128 random bits, base64url. */
    cid: text("cid").primaryKey(),
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    networkClass: text("network_class", { enum: ["familiar", "other"] }).notNull(),
    /** The value that KV holds too; for the time until KV has it, and when KV is down. */
    codeHash: text("code_hash").notNull(),
    secretId: text("secret_id").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    triesFamiliar: integer("tries_familiar").notNull(),
    triesOther: integer("tries_other").notNull(),
    /** Attempt id of the last guess that paid for a try of this code. */
    chargedBy: text("charged_by"),
    consumedBy: text("consumed_by"),
    consumedAt: instant("consumed_at"),
  },
  (table) => [
    index("otp_challenges_identifier").on(table.identifier, table.createdAt),
    index("otp_challenges_created").on(table.createdAt),
  ],
);

/** Failures and locks of one network at one identifier. */
export const otpNetworkGuards = sqliteTable(
  "otp_network_guards",
  {
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    /** JSON array of the instants of the failures since the last lock, oldest first. */
    failures: text("failures").notNull(),
    lockCount: integer("lock_count").notNull(),
    lockedUntil: instant("locked_until").notNull(),
    lockedBy: text("locked_by"),
    lastGuessAt: instant("last_guess_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.identifier, table.network] })],
);

/** Failures and locks of all familiar, or all other, networks at one identifier. */
export const otpClassGuards = sqliteTable(
  "otp_class_guards",
  {
    identifier: text("identifier").notNull(),
    networkClass: text("network_class", { enum: ["familiar", "other"] }).notNull(),
    failures: text("failures").notNull(),
    /** Failures in a row, whatever their dates. */
    streak: integer("streak").notNull(),
    lockedUntil: instant("locked_until").notNull(),
    lockedBy: text("locked_by"),
    lastGuessAt: instant("last_guess_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.identifier, table.networkClass] })],
);

/** Guesses of one network at any identifier, in a fixed window. */
export const networkGuessLimits = sqliteTable("network_guess_limits", {
  network: text("network").primaryKey(),
  windowStartedAt: instant("window_started_at").notNull(),
  guesses: integer("guesses").notNull(),
});

/** Networks from which an identifier has signed in. */
export const familiarNetworks = sqliteTable(
  "familiar_networks",
  {
    identifier: text("identifier").notNull(),
    network: text("network").notNull(),
    lastSignInAt: instant("last_sign_in_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.identifier, table.network] })],
);

export const verificationTokens = sqliteTable(
  "verification_tokens",
  {
    /** 128 random bits, base64url; the token itself is derived from it under `secretId`. */
    id: text("id").primaryKey(),
    tokenHash: text("token_hash").notNull(),
    secretId: text("secret_id").notNull(),
    identifier: text("identifier").notNull(),
    challengeId: text("challenge_id").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    usedBy: text("used_by"),
    usedAt: instant("used_at"),
    usedFor: text("used_for", { enum: ["REGISTER", "LOGIN"] }),
    /** The session that the use made. */
    sessionId: text("session_id"),
  },
  (table) => [
    uniqueIndex("verification_tokens_hash").on(table.tokenHash),
    index("verification_tokens_expiry").on(table.expiresAt),
  ],
);

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
    /** Producer that carries the event; null while no consumer is registered, and the row stays unrelayed. */
    queue: text("queue"),
    createdAt: instant("created_at").notNull(),
    /** The payload is erased when this passes or the event is sent, whichever comes first. */
    eraseAt: instant("erase_at"),
    leasedUntil: instant("leased_until").notNull(),
    leasedBy: text("leased_by"),
    attempts: integer("attempts").notNull(),
    sentAt: instant("sent_at"),
  },
  (table) => [
    index("outbox_unsent").on(table.leasedUntil).where(sql`sent_at is null and queue is not null`),
    index("outbox_erasable").on(table.eraseAt).where(sql`erase_at is not null and payload is not null`),
    index("outbox_user").on(table.userId),
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
