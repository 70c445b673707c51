import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { kycView, type OpenKyc, viewKyc } from "../../users/kyc/kyc.views.ts";
import type { SubmissionRow } from "./kyc-review.store.ts";

/** A submission in the review queue, opened for one reviewer. */
export interface OpenSubmission extends OpenKyc {
  submission: SubmissionRow;
}

/** A KYC in the review queue, with the user who submitted it. */
export const submissionView = kycView
  .extend({
    version: z.number().int().meta({ description: "Changes with every submission. Send it with the decision." }),
    submitted_at: z.iso.datetime(),
    duplicate_of: z.string().nullable().meta({ description: "Id of another user with the same document number." }),
    user: z.object({
      id: z.string(),
      username: z.string(),
      email: z.string().nullable(),
      phone_number: z.string().nullable(),
      profile_picture: z.string().nullable(),
    }),
  })
  .meta({ id: "KycSubmission" });

export function viewSubmission(open: OpenSubmission): z.input<typeof submissionView> {
  const { row, submission } = open;
  return {
    ...viewKyc(open),
    version: row.version,
    submitted_at: isoTime(row.submittedAt),
    duplicate_of: submission.duplicateOf,
    user: {
      id: row.userId,
      username: submission.user.username,
      email: submission.user.email,
      phone_number: submission.user.phoneNumber,
      profile_picture: submission.user.profilePicture,
    },
  };
}
