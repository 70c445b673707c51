import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { kycState, submissionStatus } from "../user-enums.ts";
import type { KycRow } from "./kyc.store.ts";

/** A KYC for one viewer: the decrypted number, and links that work only while this viewer's session is live. */
export interface OpenKyc {
  row: KycRow;
  /** Null if it cannot be decrypted. */
  documentNumber: string | null;
  frontUrl: string;
  backUrl: string | null;
}

const link = z.string().meta({
  id: "DocumentLink",
  description: "Valid for five minutes and only while this session is live. Opens without a token.",
});

/** A KYC as its owner and its reviewers see it. */
export const kycView = z
  .object({
    id: z.string(),
    document_type: z.string(),
    document_number: z.string().nullable().meta({ description: "Null only if it cannot be decrypted any more." }),
    document_front_url: link,
    document_back_url: link.nullable(),
    status: submissionStatus,
    verified_at: z.iso.datetime().nullable(),
    rejection_reason: z.string().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: "Kyc" });

export function viewKyc({ row, documentNumber, frontUrl, backUrl }: OpenKyc): z.input<typeof kycView> {
  return {
    id: row.id,
    document_type: row.documentType,
    document_number: documentNumber,
    document_front_url: frontUrl,
    document_back_url: backUrl,
    status: row.status,
    verified_at: isoTime(row.verifiedAt),
    rejection_reason: row.rejectionReason,
    created_at: isoTime(row.createdAt),
    updated_at: isoTime(row.updatedAt),
  };
}

/** The status of a KYC. */
export const kycStatusView = z
  .object({
    status: kycState,
    submitted_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: "When it last entered the review, also if staff reopened it." }),
    verified_at: z.iso.datetime().nullable(),
    rejection_reason: z.string().nullable(),
  })
  .meta({ id: "KycStatus" });

export function viewKycStatus(row: KycRow | null): z.input<typeof kycStatusView> {
  return {
    status: row?.status ?? "NOT_SUBMITTED",
    submitted_at: isoTime(row?.submittedAt ?? null),
    verified_at: isoTime(row?.verifiedAt ?? null),
    rejection_reason: row?.rejectionReason ?? null,
  };
}
