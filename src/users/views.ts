import { z } from "zod";
import { formatMinor } from "../platform/money.ts";
import { isoTime } from "../platform/time.ts";
import type { NotificationRow } from "./notification.store.ts";
import type { ProfileRow } from "./profile.store.ts";
import type { UsageRow } from "./usage.store.ts";
import type { UserRow } from "./user.store.ts";
import { accountStatus, kycState, notificationType, socialProvider, submissionStatus } from "./user-enums.ts";
import type { WalletRow } from "./wallet.store.ts";

/** A user's own account. */
export const userView = z
  .object({
    id: z.string(),
    username: z.string(),
    profile_picture: z.string().nullable(),
    referral_code: z.string(),
    status: accountStatus,
    date_joined: z.iso.datetime(),
    profile_complete: z.boolean(),
    kyc_status: kycState,
    social_provider: socialProvider,
  })
  .meta({ id: "Account" });

export function viewUser(row: UserRow): z.input<typeof userView> {
  return {
    id: row.id,
    username: row.username,
    profile_picture: row.profilePicture,
    referral_code: row.referralCode,
    status: row.status,
    date_joined: isoTime(row.dateJoined),
    profile_complete: row.profileComplete === 1,
    kyc_status: row.kycStatus,
    social_provider: row.socialProvider,
  };
}

/** A profile as its owner sees it. */
export const profileView = z
  .object({
    id: z.string(),
    full_name: z.string().nullable(),
    date_of_birth: z.iso.date().nullable(),
    address: z.string().nullable(),
    avatar_url: z.string().nullable(),
    is_profile_complete: z.boolean(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: "Profile" });

export function viewProfile(row: ProfileRow): z.input<typeof profileView> {
  return {
    id: row.id,
    full_name: row.fullName,
    date_of_birth: row.dateOfBirth,
    address: row.address,
    avatar_url: row.avatarUrl,
    is_profile_complete: row.fullName !== null && row.dateOfBirth !== null && row.address !== null,
    created_at: isoTime(row.createdAt),
    updated_at: isoTime(row.updatedAt),
  };
}

/** Ids and values for the app, by type. */
const notificationData = z
  .object({ kyc_id: z.string().optional(), status: submissionStatus.optional() })
  .meta({ id: "NotificationData", description: "`kyc_id` and `status` with KYC_APPROVED and KYC_REJECTED." });

/** A notification as its owner sees it. */
export const notificationView = z
  .object({
    id: z.string(),
    title: z.string(),
    message: z.string(),
    notification_type: notificationType,
    data: notificationData.nullable(),
    is_read: z.boolean(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "Notification" });

export function viewNotification(row: NotificationRow): z.input<typeof notificationView> {
  return {
    id: row.id,
    title: row.title,
    message: row.message,
    notification_type: row.notificationType,
    data: row.data,
    is_read: row.isRead,
    created_at: isoTime(row.createdAt),
  };
}

/** An amount of money as decimal text with two decimal places. */
const money = z
  .string()
  .regex(/^-?\d+\.\d{2}$/)
  .meta({ example: "1250.00" });

const points = z.object({ current_points: z.number().int(), total_points: z.number().int() }).meta({ id: "Points" });

/** A user's balance and points. */
export const walletView = z
  .object({
    balance: money,
    currency: z.string(),
    points,
    last_updated: z.iso.datetime(),
  })
  .meta({ id: "Wallet" });

export function viewWallet(row: WalletRow): z.input<typeof walletView> {
  return {
    balance: formatMinor(row.balanceMinor),
    currency: row.currency,
    points: { current_points: row.currentPoints, total_points: row.totalPoints },
    last_updated: isoTime(row.updatedAt),
  };
}

/** A user's usage totals. */
export const usageView = z
  .object({
    total_rentals: z.number().int(),
    total_spent: money,
    total_points_earned: z.number().int(),
    total_referrals: z.number().int(),
    timely_returns: z.number().int(),
    late_returns: z.number().int(),
    favorite_stations_count: z.number().int(),
    last_rental_date: z.iso.datetime().nullable(),
    member_since: z.iso.datetime(),
  })
  .meta({ id: "UsageStats" });

export function viewUsage(row: UsageRow): z.input<typeof usageView> {
  return {
    total_rentals: row.totalRentals,
    total_spent: formatMinor(row.totalSpentMinor),
    total_points_earned: row.totalPoints,
    total_referrals: row.totalReferrals,
    timely_returns: row.timelyReturns,
    late_returns: row.lateReturns,
    favorite_stations_count: row.favoriteStationsCount,
    last_rental_date: row.lastRentalAt === null ? null : isoTime(row.lastRentalAt),
    member_since: isoTime(row.memberSince),
  };
}
