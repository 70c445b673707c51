import { z } from "zod";
import { formatMinor } from "../../platform/money.ts";
import { isoTime } from "../../platform/time.ts";
import type { OpenKyc } from "../../users/kyc/kyc.views.ts";
import { kycView, viewKyc } from "../../users/kyc/kyc.views.ts";
import { userRole } from "../../users/user-enums.ts";
import { profileView, usageView, userView, viewProfile, walletView } from "../../users/views.ts";
import type { UserDetail } from "./user-detail.store.ts";

/** Number of characters that a masked text shows. */
const SHOWN = 3;

/** The first characters and a star for each further one; null stays null. */
export function mask(text: string | null): string | null {
  if (text === null) return null;
  const characters = [...text];
  return characters.slice(0, SHOWN).join("") + "*".repeat(Math.max(0, characters.length - SHOWN));
}

/** Fields of a user's detail that `?mask` leaves out and `POST …/reveal` shows. */
export const HIDDEN_FIELDS = ["email", "phone_number", "social_profile_data", "date_of_birth", "address"] as const;

export const hiddenField = z.enum(HIDDEN_FIELDS).meta({ id: "HiddenField" });
export type HiddenField = (typeof HIDDEN_FIELDS)[number];

/** A user's detail as staff see it. */
export const userDetailView = z
  .object({
    ...userView.pick({ id: true, username: true, profile_picture: true, referral_code: true, status: true }).shape,
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    email_verified: z.boolean(),
    phone_verified: z.boolean(),
    date_joined: z.iso.datetime(),
    last_login: z.iso.datetime().nullable().meta({ description: "Null for a user who has never signed in." }),
    profile: profileView.nullable(),
    kyc: kycView
      .nullable()
      .meta({ description: "Its `document_number` is masked; the review queue shows it in full." }),
    points: walletView.shape.points,
    wallet_balance: walletView.pick({ balance: true, currency: true }),
    masked_phone: z.string().nullable(),
    masked_email: z.string().nullable(),
    social_provider: userView.shape.social_provider,
    social_profile_data: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: "The provider's claims about the person when the account was last linked." }),
    role: userRole,
    status_reason: z
      .enum(["inactivity", "staff", "disputed"])
      .nullable()
      .meta({ description: "Why the status is not ACTIVE; only `inactivity` ends at the next sign-in." }),
    locale: z.enum(["en", "ne"]),
    last_activity_at: z.iso.datetime().nullable().meta({ description: "Up to 15 minutes late." }),
    hidden: z
      .array(hiddenField)
      .optional()
      .meta({
        description:
          "With `mask`, and after an act once the caller's views are used up: the fields that have a value and are null " +
          "here.",
      }),
  })
  .meta({ id: "UserDetail" });

/** @param openKyc the user's KYC, opened for the viewer; null if nothing was submitted. */
export function viewUserDetail(
  { user, profile, wallet }: UserDetail,
  openKyc: OpenKyc | null,
): z.input<typeof userDetailView> {
  return {
    id: user.id,
    username: user.username,
    profile_picture: user.profilePicture,
    referral_code: user.referralCode,
    status: user.status,
    email: user.email,
    phone_number: user.phoneNumber,
    email_verified: user.emailVerified,
    phone_verified: user.phoneVerified,
    date_joined: isoTime(user.dateJoined),
    last_login: isoTime(user.lastLogin),
    profile: profile ? viewProfile(profile) : null,
    kyc: openKyc && { ...viewKyc(openKyc), document_number: mask(openKyc.documentNumber) },
    points: { current_points: wallet.currentPoints, total_points: wallet.totalPoints },
    wallet_balance: { balance: formatMinor(wallet.balanceMinor), currency: wallet.currency },
    masked_phone: mask(user.phoneNumber),
    masked_email: mask(user.email),
    social_provider: user.socialProvider,
    social_profile_data: user.socialProfileData ?? null,
    role: user.role,
    status_reason: user.statusReason,
    locale: user.locale,
    last_activity_at: isoTime(user.lastActivityAt),
  };
}

/** The detail with the hidden fields null, and named in `hidden`. */
export function maskDetail(detail: z.input<typeof userDetailView>): z.input<typeof userDetailView> {
  const { email, phone_number, social_profile_data, profile } = detail;
  const values = { email, phone_number, social_profile_data, ...hiddenProfileValues(profile) };
  return {
    ...detail,
    email: null,
    phone_number: null,
    social_profile_data: null,
    profile: profile && { ...profile, date_of_birth: null, address: null },
    hidden: HIDDEN_FIELDS.filter((field) => values[field] !== null),
  };
}

const hiddenProfileValues = (profile: z.input<typeof profileView> | null) => ({
  date_of_birth: profile?.date_of_birth ?? null,
  address: profile?.address ?? null,
});

/** The response with the revealed fields. */
export const revealedView = z
  .object({
    email: z.string().nullable().optional(),
    phone_number: z.string().nullable().optional(),
    social_profile_data: z.record(z.string(), z.unknown()).nullable().optional(),
    date_of_birth: z.iso.date().nullable().optional(),
    address: z.string().nullable().optional(),
  })
  .meta({ id: "RevealedFields", description: "The fields that were asked for; null where the user has none." });

/** A user's analytics report. */
export const reportView = z
  .object({
    user_id: z.string(),
    usage: usageView,
    wallet: walletView.omit({ points: true }),
    points: walletView.shape.points,
    generated_at: z.iso.datetime(),
  })
  .meta({ id: "AnalyticsReport" });
