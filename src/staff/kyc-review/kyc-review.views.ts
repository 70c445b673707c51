import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { kycView, type OpenKyc, viewKyc } from "../../users/kyc/kyc.views.ts";
import type { SubmissionRow } from "./submission.store.ts";

/** A submission in the review queue, opened for one reviewer; if it is masked, both links are null. */
export interface OpenSubmission extends Omit<OpenKyc, "frontUrl"> {
  submission: SubmissionRow;
  frontUrl: string | null;
}

/** A member of staff who reviews. */
export const reviewer = z.object({ id: z.string(), username: z.string() }).meta({ id: "Reviewer" });

/** A KYC in the review queue, with the user who submitted it. */
export const submissionView = kycView
  .extend({
    document_front_url: kycView.shape.document_back_url,
    version: z.number().int().meta({ description: "Changes with every submission. Send it with the decision." }),
    submitted_at: z.iso.datetime(),
    duplicate_of: z.string().nullable().meta({ description: "Id of another user with the same document number." }),
    full_name: z.string().nullable(),
    approvals: z.array(z.object({ viewer: reviewer.nullable(), approved_at: z.iso.datetime() })).meta({
      description: "Where two approvals are needed, the first one of this version; `viewer` is null for deleted users.",
    }),
    seen_by: z
      .object({ username: z.string(), viewed_at: z.iso.datetime() })
      .nullable()
      .meta({ description: "Another reviewer who opened a file in the last ten minutes." }),
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
  const { row, submission, frontUrl } = open;
  const { user, fullName, duplicateOf, seenBy, firstApprover } = submission;
  const viewer = firstApprover === null ? null : { id: row.firstApprovedBy ?? "", username: firstApprover };
  return {
    // `viewKyc` requires a front link, which a masked KYC lacks, so the next line sets it.
    ...viewKyc({ ...open, frontUrl: "" }),
    document_front_url: frontUrl,
    version: row.version,
    submitted_at: isoTime(row.submittedAt),
    duplicate_of: duplicateOf,
    full_name: fullName,
    approvals: row.firstApprovedAt === null ? [] : [{ viewer, approved_at: isoTime(row.firstApprovedAt) }],
    seen_by: seenBy?.username ? { username: seenBy.username, viewed_at: isoTime(seenBy.at) } : null,
    user: {
      id: row.userId,
      username: user.username,
      email: user.email,
      phone_number: user.phoneNumber,
      profile_picture: user.profilePicture,
    },
  };
}
