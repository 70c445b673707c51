import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";

export const users = sqliteTable(
  "users",
  {
    id: text("id").primaryKey(),
    username: text("username").notNull(),
    /** Username in NFKC and lower case; must be unique. */
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
    /** Why the status is not ACTIVE: signing in reactivates after `inactivity`, not after `staff` or `disputed`. */
    statusReason: text("status_reason", { enum: ["inactivity", "staff", "disputed"] }),
    role: text("role", { enum: ["user", "staff", "admin"] }).notNull(),
    socialProvider: text("social_provider", { enum: ["EMAIL", "PHONE", "GOOGLE", "APPLE"] }).notNull(),
    socialProfileData: text("social_profile_data", { mode: "json" }).$type<Record<string, unknown>>(),
    locale: text("locale", { enum: ["en", "ne"] }).notNull(),
    dateJoined: instant("date_joined").notNull(),
    /** Time of the last sign-in, or of a refresh more than an hour after it; null if the user never signed in. */
    lastLogin: instant("last_login"),
    /** Time of the last activity, to 15 minutes; null if the user never signed in. */
    lastActivityAt: instant("last_activity_at"),
    /** Number of unread `notifications`, maintained by triggers so that listing them need not count. */
    unreadNotifications: integer("unread_notifications").notNull().default(0),
    /**
     * Id of the newest notification when the user last marked all as read; null if never. One with an older id whose
     * batch commits only afterwards counts as read.
     */
    notificationsReadThrough: text("notifications_read_through"),
    /** Until when a member of staff may add a passkey without using another one; null if never, or once used. */
    passkeyEnrolmentUntil: instant("passkey_enrolment_until"),
    updatedAt: instant("updated_at").notNull(),
    /** Incremented with every change that projections must see. */
    version: integer("version").notNull(),
    /** Copy of `kyc.status`, maintained by triggers. */
    kycStatus: text("kyc_status", { enum: ["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"] })
      .notNull()
      .default("NOT_SUBMITTED"),
    /** Status bucket: the combination of filter values, 0 to 47; `statusBucketsOf` lists the buckets of a filter. */
    statusBucket: integer("status_bucket").generatedAlwaysAs(
      sql`case status when 'ACTIVE' then 0 when 'INACTIVE' then 16 else 32 end
        + case kyc_status when 'NOT_SUBMITTED' then 0 when 'PENDING' then 4 when 'APPROVED' then 8 else 12 end
        + email_verified * 2 + phone_verified`,
      { mode: "virtual" },
    ),
    /** `last_login`, or 0 if the user never signed in: a sort key that is never null. */
    lastLoginOrder: integer("last_login_order").generatedAlwaysAs(
      sql`case when last_login is null then 0 else last_login end`,
      { mode: "virtual" },
    ),
  },
  (table) => [
    uniqueIndex("users_username_key").on(table.usernameKey),
    // Partial, because a NULL in a full index is an entry that is written, and billed.
    uniqueIndex("users_email").on(table.email).where(sql`email is not null`),
    uniqueIndex("users_phone_number").on(table.phoneNumber).where(sql`phone_number is not null`),
    uniqueIndex("users_referral_code").on(table.referralCode),
    index("users_staff").on(table.role, table.id).where(sql`role <> 'user'`),
    index("users_joined").on(table.dateJoined, table.id),
    // One index per sort order of a filtered list: a page is merged from the buckets that match the filter. The id
    // breaks ties, so that a cursor works among users with the same time.
    index("users_bucket_joined").on(table.statusBucket, table.dateJoined, table.id),
    index("users_bucket_login").on(table.statusBucket, table.lastLoginOrder, table.id),
    index("users_bucket_username").on(table.statusBucket, table.usernameKey),
  ],
);

/**
 * One row with the number of users per status bucket, maintained by triggers in the transaction of each change. It is
 * an array so that counting for any filter reads one row.
 */
export const userCounts = sqliteTable("user_counts", {
  id: integer("id").primaryKey(),
  /** JSON array of 48 counts, indexed by bucket. */
  byStatusBucket: text("by_status_bucket", { mode: "json" }).$type<number[]>().notNull(),
  /**
   * Counts of the users with an id up to `recountedTo`, while `check_user_counts` recounts. Triggers keep them exact.
   */
  recount: text("recount", { mode: "json" }).$type<number[]>(),
  recountedTo: text("recounted_to"),
});

/** Foreign key to the user, deleted with them: for tables with a handful of rows per user. */
export const userId = () =>
  text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

/**
 * Links a row to its user in a table that may hold many rows per user. It is no foreign key, because deleting the user
 * would then delete all of those rows in one statement; `finish_account_deletion` deletes them in chunks instead. Every
 * statement that inserts such a row checks that the user exists.
 */
export const ownerId = () => text("user_id").notNull();

export const profiles = sqliteTable("profiles", {
  userId: userId().primaryKey(),
  id: text("id").notNull(),
  fullName: text("full_name"),
  /** `YYYY-MM-DD`. */
  dateOfBirth: text("date_of_birth"),
  address: text("address"),
  avatarUrl: text("avatar_url"),
  /** Number of onboarding reminders sent. */
  profileReminders: integer("profile_reminders").notNull().default(0),
  kycReminders: integer("kyc_reminders").notNull().default(0),
  /**
   * No further profile reminder is sent before this time, because one is pending or was sent within the last 20 hours;
   * null if none was ever due.
   */
  reminderHeldUntil: instant("reminder_held_until"),
  createdAt: instant("created_at").notNull(),
  updatedAt: instant("updated_at").notNull(),
});

export const referrals = sqliteTable(
  "referrals",
  {
    inviteeId: text("invitee_id")
      .primaryKey()
      .references(() => users.id, { onDelete: "cascade" }),
    /** Not a foreign key; see `ownerId`. */
    inviterId: text("inviter_id").notNull(),
    status: text("status", { enum: ["PENDING", "COMPLETED"] }).notNull(),
    createdAt: instant("created_at").notNull(),
    completedAt: instant("completed_at"),
  },
  (table) => [index("referrals_inviter").on(table.inviterId)],
);

/** Kinds of notifications, as the app knows them. */
export const NOTIFICATION_TYPES = [
  ...(["NEW_DEVICE", "LOCKOUT", "SESSION_ENDED", "IDENTIFIER_CHANGED", "ACCOUNT_LINKED", "ACCOUNT_UNLINKED"] as const),
  ...(["APPLE_MAIL_STOPPED", "APPLE_REVOKED"] as const),
  ...(["IDENTITY_RESTORED", "IDENTITY_HELD", "NUMBER_RELEASED", "DATA_EXPORTED"] as const),
  ...(["PASSKEY_ADDED", "PASSKEY_REMOVED", "PASSKEY_SUSPECT", "PASSKEYS_RESET", "STAFF_PASSKEYS_RESET"] as const),
  ...(["WELCOME", "PROFILE_REMINDER", "KYC_REMINDER", "KYC_APPROVED", "KYC_REJECTED"] as const),
  ...(["DEACTIVATED", "ACCOUNT_ACTIVATED", "ACCOUNT_DEACTIVATED", "ACCOUNT_BANNED"] as const),
] as const;
export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

/** Notifications in the app, in the user's language. */
export const notifications = sqliteTable(
  "notifications",
  {
    id: text("id").primaryKey(),
    userId: ownerId(),
    notificationType: text("notification_type", { enum: NOTIFICATION_TYPES }).notNull(),
    title: text("title").notNull(),
    message: text("message").notNull(),
    /** Ids for the app, as JSON. */
    data: text("data", { mode: "json" }).$type<Record<string, string>>(),
    readAt: instant("read_at"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [index("notifications_user").on(table.userId, table.id)],
);

/**
 * Number of device registrations per user in the current one-hour window; one row per user who ever registered a
 * device.
 */
export const deviceRegistrations = sqliteTable("device_registrations", {
  userId: userId().primaryKey(),
  windowEndsAt: instant("window_ends_at").notNull(),
  count: integer("count").notNull(),
  /** Invocation that counted the last registration. */
  countedBy: text("counted_by").notNull(),
});

export const devices = sqliteTable(
  "devices",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    /** Device id chosen by the app. */
    deviceId: text("device_id").notNull(),
    /** Session that last registered the device; push stops when the session ends. */
    sessionId: text("session_id").notNull(),
    /** Null once the push service reports it as invalid, or another user's device registers it. */
    fcmToken: text("fcm_token"),
    deviceType: text("device_type", { enum: ["ANDROID", "IOS", "WEB"] }).notNull(),
    deviceName: text("device_name"),
    appVersion: text("app_version"),
    osVersion: text("os_version"),
    isActive: flag("is_active").notNull(),
    lastUsedAt: instant("last_used_at").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("devices_device").on(table.userId, table.deviceId),
    uniqueIndex("devices_fcm_token").on(table.fcmToken).where(sql`fcm_token is not null`),
  ],
);
