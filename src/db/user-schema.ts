import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { flag, instant } from "./columns.ts";

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
    /** Unread rows of `notifications`, kept by triggers: a list then reads no history to count them. */
    unreadNotifications: integer("unread_notifications").notNull().default(0),
    updatedAt: instant("updated_at").notNull(),
    /** Grows with every change that projections must see. */
    version: integer("version").notNull(),
    /** As in `kyc`, which triggers keep it equal to. */
    kycStatus: text("kyc_status", { enum: ["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"] })
      .notNull()
      .default("NOT_SUBMITTED"),
    /** The combination of what lists are filtered by, 0 to 47: `statusBucketsOf` names those of a filter. */
    facet: integer("facet").generatedAlwaysAs(
      sql`case status when 'ACTIVE' then 0 when 'INACTIVE' then 16 else 32 end
        + case kyc_status when 'NOT_SUBMITTED' then 0 when 'PENDING' then 4 when 'APPROVED' then 8 else 12 end
        + email_verified * 2 + phone_verified`,
      { mode: "virtual" },
    ),
    /** `last_login`, 0 for never: a sort key that is never null. */
    lastLoginOrder: integer("last_login_order").generatedAlwaysAs(
      sql`case when last_login is null then 0 else last_login end`,
      { mode: "virtual" },
    ),
  },
  (table) => [
    uniqueIndex("users_username_key").on(table.usernameKey),
    uniqueIndex("users_email").on(table.email),
    uniqueIndex("users_phone_number").on(table.phoneNumber),
    uniqueIndex("users_referral_code").on(table.referralCode),
    index("users_staff").on(table.role, table.id).where(sql`role <> 'user'`),
    index("users_joined").on(table.dateJoined, table.id),
    // Each order of a filtered list: whatever the filter, a page is merged from the facets that it lets through. The id
    // settles ties, so that a cursor goes on behind one user of many who share an instant.
    index("users_facet_joined").on(table.facet, table.dateJoined, table.id),
    index("users_facet_login").on(table.facet, table.lastLoginOrder, table.id),
    index("users_facet_username").on(table.facet, table.usernameKey),
    // A CASE, since drizzle-kit cuts an expression at its commas.
    index("users_dormant")
      .on(sql`case when last_login is null then date_joined else last_login end`)
      .where(sql`status = 'ACTIVE'`),
  ],
);

/**
 * One row: how many users each facet has, kept by triggers in the transaction of each change. An array, since a list of any
 * filter then reads one row for its count.
 */
export const userCounts = sqliteTable("user_counts", {
  id: integer("id").primaryKey(),
  /** JSON array of 48 numbers, by facet. */
  byFacet: text("by_facet", { mode: "json" }).$type<number[]>().notNull(),
  /** While `check_user_counts` counts again: the numbers of users whose id is at most `recountedTo`. Triggers keep it exact. */
  recount: text("recount", { mode: "json" }).$type<number[]>(),
  recountedTo: text("recounted_to"),
});

/** Ties a row to its user and is deleted with them: for tables with a handful of rows per user. */
export const userId = () =>
  text("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

/**
 * Ties a row to its user in a table that may hold many rows per user. It has no foreign key, because deleting the user
 * would then delete all of those rows in one statement; `finish_account_deletion` erases them in chunks instead. Every
 * statement that inserts such a row requires the row of `users`.
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
  /** Reminders sent so far, of those that follow joining. */
  profileReminders: integer("profile_reminders").notNull().default(0),
  kycReminders: integer("kyc_reminders").notNull().default(0),
  /** Until when no further profile reminder is asked for: one is on its way, or came within 20 hours. Null: never asked. */
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
    /** Without a foreign key, as `ownerId`. */
    inviterId: text("inviter_id").notNull(),
    status: text("status", { enum: ["PENDING", "COMPLETED"] }).notNull(),
    createdAt: instant("created_at").notNull(),
    completedAt: instant("completed_at"),
  },
  (table) => [index("referrals_inviter").on(table.inviterId)],
);

/** What the app shows a person; written in their language. */
export const notifications = sqliteTable(
  "notifications",
  {
    id: text("id").primaryKey(),
    userId: ownerId(),
    notificationType: text("notification_type").notNull(),
    title: text("title").notNull(),
    message: text("message").notNull(),
    /** Ids for the app, JSON. */
    data: text("data", { mode: "json" }).$type<Record<string, string>>(),
    readAt: instant("read_at"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    index("notifications_user").on(table.userId, table.id),
    index("notifications_created").on(table.createdAt),
  ],
);

/** Where a person's push notifications go. */
/** Registrations of a user's devices in their running window of an hour; a row for each user who ever registered one. */
export const deviceRegistrations = sqliteTable("device_registrations", {
  userId: userId().primaryKey(),
  windowEndsAt: instant("window_ends_at").notNull(),
  count: integer("count").notNull(),
  /** The invocation that counted the last one. */
  countedBy: text("counted_by").notNull(),
});

export const devices = sqliteTable(
  "devices",
  {
    id: text("id").primaryKey(),
    userId: userId(),
    /** The app's own name for the device. */
    deviceId: text("device_id").notNull(),
    /** The session that registered it last: push stops with it. */
    sessionId: text("session_id").notNull(),
    /** Null once the push service says that it is dead, or another user's device has it. */
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
    uniqueIndex("devices_fcm_token").on(table.fcmToken),
  ],
);
