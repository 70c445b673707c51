import { z } from "zod";
import type { DescribedWebhook } from "../platform/openapi/document.ts";
import { isoTime } from "../platform/time.ts";
import { accountStatus, kycState, notificationType, socialProvider, userRole } from "./user-enums.ts";
import type { UserState } from "./user-state.store.ts";

/** A user as other services receive it: no secrets, documents or sessions. */
const webhookUser = z
  .object({
    id: z.string(),
    username: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    email_verified: z.boolean(),
    phone_verified: z.boolean(),
    status: accountStatus,
    role: userRole,
    locale: z.enum(["en", "ne"]).meta({ description: "The language of messages to the user." }),
    social_provider: socialProvider,
    profile_picture: z.string().nullable(),
    full_name: z.string().nullable(),
    date_of_birth: z.iso.date().nullable(),
    address: z.string().nullable(),
    avatar_url: z.string().nullable(),
    profile_complete: z.boolean(),
    kyc_status: kycState,
    date_joined: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    version: z.number().int().meta({
      description: "Grows with every change. Ignore a message whose version is not higher than the one you have.",
    }),
  })
  .meta({ id: "WebhookUser" });

/** The user data that other services receive. */
export function viewUserState(row: UserState): z.input<typeof webhookUser> {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    phone_number: row.phoneNumber,
    email_verified: row.emailVerified,
    phone_verified: row.phoneVerified,
    status: row.status,
    role: row.role,
    locale: row.locale,
    social_provider: row.socialProvider,
    profile_picture: row.profilePicture,
    full_name: row.fullName,
    date_of_birth: row.dateOfBirth,
    address: row.address,
    avatar_url: row.avatarUrl,
    profile_complete: row.fullName !== null && row.dateOfBirth !== null && row.address !== null,
    kyc_status: row.kycStatus ?? "NOT_SUBMITTED",
    date_joined: isoTime(row.dateJoined),
    updated_at: isoTime(row.updatedAt),
    version: row.version,
  };
}

const message = (type: string, data: z.ZodType) =>
  z.object({
    type: z.literal(type),
    timestamp: z.iso.datetime().meta({ description: "When the change took place." }),
    data,
  });

/** The messages about users, for the OpenAPI document. */
export const userWebhooks: Readonly<Record<string, DescribedWebhook>> = {
  "user.created": {
    operationId: "onUserCreated",
    summary: "A user was created",
    description:
      "Sent as specified by Standard Webhooks, with the headers `webhook-id`, `webhook-timestamp` and " +
      "`webhook-signature`, at least once and in any order.",
    body: message("user.created", webhookUser),
  },
  "user.updated": {
    operationId: "onUserUpdated",
    summary: "A user has changed",
    description: "Sent like `user.created`. `data` is the user as it is when the message is sent.",
    body: message("user.updated", webhookUser),
  },
  "user.deleted": {
    operationId: "onUserDeleted",
    summary: "A user was deleted",
    description: "Sent like `user.created`. Keep the user deleted, whatever arrives later.",
    body: message("user.deleted", z.object({ id: z.string() })),
  },
  push: {
    operationId: "onPush",
    summary: "The data of a push notification",
    description:
      "Not a request, but the `data` of the Firebase message that the app receives with title and text. Open the " +
      "notification with `GET /api/users/notifications/{id}`. A push expires after 24 hours.",
    body: z.object({ notification_id: z.string(), notification_type: notificationType }).meta({ id: "PushData" }),
    isAnswered: false,
  },
};
