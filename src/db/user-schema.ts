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

/** The column that ties a row to its user and goes with them. */
export const userId = () =>
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
