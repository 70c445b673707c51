import { z } from "zod";
import type { UserRow } from "./user.store.ts";

/** What a user sees of their own account. */
export const userView = z.object({
  id: z.string(),
  username: z.string(),
  profile_picture: z.string().nullable(),
  referral_code: z.string(),
  status: z.enum(["ACTIVE", "INACTIVE", "BANNED"]),
  date_joined: z.iso.datetime(),
  profile_complete: z.boolean(),
  kyc_status: z.enum(["PENDING", "APPROVED", "REJECTED", "NOT_SUBMITTED"]),
  social_provider: z.enum(["EMAIL", "PHONE", "GOOGLE", "APPLE"]),
});

export function viewUser(row: UserRow): z.input<typeof userView> {
  return {
    id: row.id,
    username: row.username,
    profile_picture: row.profilePicture,
    referral_code: row.referralCode,
    status: row.status,
    date_joined: new Date(row.dateJoined).toISOString(),
    profile_complete: row.profileComplete === 1,
    kyc_status: row.kycStatus,
    social_provider: row.socialProvider,
  };
}
