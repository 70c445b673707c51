import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { accountStatus, kycState, userRole } from "../../users/user-enums.ts";
import type { ListedUser, UserSummary } from "./directory.store.ts";
import { emailHint, phoneHint } from "./hints.ts";
import { MATCHED_FIELDS } from "./search-match.ts";

/** A user in the directory. */
export const listedUserView = z
  .object({
    id: z.string(),
    username: z.string(),
    status: accountStatus,
    date_joined: z.iso.datetime(),
    matched: z
      .enum(MATCHED_FIELDS)
      .optional()
      .meta({ description: "The field by which the search found the user; absent without search." }),
    full_name: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "This and the fields below: with `expand=summary`." }),
    phone_hint: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "The first two and last three digits of the national number: `98•••••001`." }),
    email_hint: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "The first two characters and the domain: `as•••@example.com`." }),
    kyc_status: kycState.optional(),
    role: userRole.optional(),
    last_login: z.iso.datetime().nullable().optional(),
  })
  .meta({ id: "ListedUser" });

export function viewListedUser(user: ListedUser): z.input<typeof listedUserView> {
  const { id, username, status, dateJoined, matched, summary } = user;
  return {
    id,
    username,
    status,
    date_joined: isoTime(dateJoined),
    ...(matched ? { matched } : {}),
    ...(summary ? viewSummary(summary) : {}),
  };
}

const viewSummary = ({ fullName, email, phoneNumber, kycStatus, role, lastLogin }: UserSummary) => ({
  full_name: fullName,
  phone_hint: phoneHint(phoneNumber),
  email_hint: emailHint(email),
  kyc_status: kycStatus,
  role,
  last_login: isoTime(lastLogin),
});
