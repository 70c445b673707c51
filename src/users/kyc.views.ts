import { z } from "zod";
import type { OpenKyc } from "./kyc.service.ts";
import type { KycRow } from "./kyc.store.ts";
import type { OpenSubmission } from "./kyc-review.service.ts";

const status = z.enum(["PENDING", "APPROVED", "REJECTED"]);
const link = z.string().meta({ description: "Lives five minutes, and only for the session that asked." });

/** A KYC as its owner and its reviewer see it. */
export const kycView = z.object({
  id: z.string(),
  document_type: z.string(),
  document_number: z.string().nullable().meta({ description: "Null only where our key to it is lost." }),
  document_front_url: link,
  document_back_url: link.nullable(),
  status,
  verified_at: z.iso.datetime().nullable(),
  rejection_reason: z.string().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export function viewKyc({ row, documentNumber, frontUrl, backUrl }: OpenKyc): z.input<typeof kycView> {
  return {
    id: row.id,
    document_type: row.documentType,
    document_number: documentNumber,
    document_front_url: frontUrl,
    document_back_url: backUrl,
    status: row.status,
    verified_at: instant(row.verifiedAt),
    rejection_reason: row.rejectionReason,
    created_at: new Date(row.createdAt).toISOString(),
    updated_at: new Date(row.updatedAt).toISOString(),
  };
}

const instant = (milliseconds: number | null) => (milliseconds === null ? null : new Date(milliseconds).toISOString());

/** Where a KYC stands. */
export const kycStatusView = z.object({
  status: z.enum([...status.options, "NOT_SUBMITTED"]),
  submitted_at: z.iso.datetime().nullable(),
  verified_at: z.iso.datetime().nullable(),
  rejection_reason: z.string().nullable(),
});

export function viewKycStatus(row: KycRow | null): z.input<typeof kycStatusView> {
  return {
    status: row?.status ?? "NOT_SUBMITTED",
    submitted_at: instant(row?.submittedAt ?? null),
    verified_at: instant(row?.verifiedAt ?? null),
    rejection_reason: row?.rejectionReason ?? null,
  };
}

/** A KYC in the review queue, with whoever submitted it. */
export const submissionView = kycView.extend({
  version: z.number().int().meta({ description: "Changed by every submission; send it with the decision." }),
  submitted_at: z.iso.datetime(),
  duplicate_of: z.string().nullable().meta({ description: "Another user with that document number." }),
  user: z.object({
    id: z.string(),
    username: z.string(),
    email: z.string().nullable(),
    phone_number: z.string().nullable(),
    profile_picture: z.string().nullable(),
  }),
});

export function viewSubmission(open: OpenSubmission): z.input<typeof submissionView> {
  const { row, submission } = open;
  return {
    ...viewKyc(open),
    version: row.version,
    submitted_at: new Date(row.submittedAt).toISOString(),
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
