import { z } from "zod";
import { NOTIFICATION_TYPES } from "../db/user-schema.ts";

// Values that several responses share; the OpenAPI document names each of them once.

export const accountStatus = z.enum(["ACTIVE", "INACTIVE", "BANNED"]).meta({ id: "AccountStatus" });

/** The verification of a user's identity; NOT_SUBMITTED without documents. */
export const kycState = z.enum(["NOT_SUBMITTED", "PENDING", "APPROVED", "REJECTED"]).meta({ id: "KycState" });

/** The status of submitted documents. */
export const submissionStatus = z.enum(["PENDING", "APPROVED", "REJECTED"]).meta({ id: "KycSubmissionStatus" });

/** How the account was created; later sign-ins do not change it. */
export const socialProvider = z.enum(["EMAIL", "PHONE", "GOOGLE", "APPLE"]).meta({ id: "SocialProvider" });

export const userRole = z.enum(["user", "staff", "admin"]).meta({ id: "UserRole" });

export const notificationType = z.enum(NOTIFICATION_TYPES).meta({
  id: "NotificationType",
  description:
    "- NEW_DEVICE: a sign-in from a new network; LOCKOUT: too many wrong codes; SESSION_ENDED: a refresh token was used " +
    "twice; IDENTIFIER_CHANGED: email or phone number changed; ACCOUNT_LINKED, ACCOUNT_UNLINKED: " +
    "a Google or Apple account was linked or unlinked; IDENTITY_RESTORED, IDENTITY_HELD: a change of email or phone number " +
    "was disputed; NUMBER_RELEASED: the phone number went to another account; DATA_EXPORTED; PASSKEY_ADDED, PASSKEY_REMOVED; " +
    "PASSKEY_SUSPECT: a passkey may have been copied; PASSKEYS_RESET: staff removed all passkeys; STAFF_PASSKEYS_RESET, " +
    "to admins: the passkeys of a member of staff were removed; APPLE_MAIL_STOPPED: Apple forwards no email any more; " +
    "APPLE_REVOKED: sign-in with Apple was withdrawn.\n" +
    "- WELCOME: the first sign-in with Google or Apple; PROFILE_REMINDER, KYC_REMINDER: something is missing.\n" +
    "- KYC_APPROVED, KYC_REJECTED: the decision about the documents; `data` has `kyc_id` and `status`.\n" +
    "- DEACTIVATED: no sign-in for 180 days; ACCOUNT_ACTIVATED, ACCOUNT_DEACTIVATED, ACCOUNT_BANNED: changed by staff.\n\n" +
    "New types may be added: show `title` and `message` of an unknown type.",
});
