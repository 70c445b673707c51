import { z } from "zod";
import { isoTime } from "../../platform/time.ts";
import { submissionStatus } from "../../users/user-enums.ts";
import type { CaseRows } from "./kyc-case.store.ts";
import { type OpenSubmission, reviewer, submissionView, viewSubmission } from "./kyc-review.views.ts";

/** A submission and what a reviewer compares it with, decrypted for one reviewer. */
export interface OpenCase extends OpenSubmission, CaseRows {
  submission: CaseRows["submission"];
  approvalsNeeded: number;
}

/** The response about one submission. */
export const caseView = submissionView
  .extend({
    profile: z.object({
      full_name: z.string().nullable(),
      date_of_birth: z.iso.date().nullable(),
      address: z.string().nullable(),
    }),
    front_type: z
      .string()
      .nullable()
      .meta({ description: "Media type of the front; a browser cannot show a PDF as an image." }),
    back_type: z.string().nullable(),
    duplicates: z
      .array(
        z.object({ id: z.string(), username: z.string(), status: submissionStatus, submitted_at: z.iso.datetime() }),
      )
      .meta({ description: "Other users with the same document number, at most five, the oldest submission first." }),
    views: z
      .array(z.object({ side: z.enum(["front", "back"]), viewer: reviewer.nullable(), viewed_at: z.iso.datetime() }))
      .meta({
        description:
          "Each reviewer's last view of each file, the newest 20, newest first; `viewer` is null for deleted users.",
      }),
    reopened: z
      .object({ viewer: reviewer.nullable(), reopened_at: z.iso.datetime(), reason: z.string().nullable() })
      .nullable()
      .meta({ description: "Who reopened the submission, while it waits for a new decision." }),
    approvals_needed: z.number().int(),
  })
  .meta({ id: "KycCase", base: "KycSubmission" });

export function viewCase(open: OpenCase): z.input<typeof caseView> {
  const { row, profile, files, duplicates, views, reopening } = open;
  const typeOf = (id: string | null) => files.find((file) => file.id === id)?.contentType ?? null;
  return {
    ...viewSubmission(open),
    profile: {
      full_name: profile?.fullName ?? null,
      date_of_birth: profile?.dateOfBirth ?? null,
      address: profile?.address ?? null,
    },
    front_type: typeOf(row.frontDocumentId),
    back_type: typeOf(row.backDocumentId),
    duplicates: duplicates.map(({ id, username, status, submittedAt }) => ({
      id,
      username,
      status,
      submitted_at: isoTime(submittedAt),
    })),
    views: views.map(({ documentId, viewerId, viewer, viewedAt }) => ({
      side: documentId === row.frontDocumentId ? "front" : "back",
      viewer: viewer === null ? null : { id: viewerId, username: viewer },
      viewed_at: isoTime(viewedAt),
    })),
    reopened: reopening
      ? {
          viewer:
            reopening.viewerId === null || reopening.viewer === null
              ? null
              : { id: reopening.viewerId, username: reopening.viewer },
          reopened_at: isoTime(reopening.at),
          reason: reopening.reason,
        }
      : null,
    approvals_needed: open.approvalsNeeded,
  };
}
