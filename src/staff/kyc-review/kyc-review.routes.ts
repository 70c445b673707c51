import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import {
  besideErrors,
  cursorField,
  optionalFlag,
  optionalText,
  pageSizeField,
  wholeNumber,
  withoutControls,
} from "../../platform/http/fields.ts";
import { tidy } from "../../platform/http/text.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { kycView, viewKyc } from "../../users/kyc/kyc.views.ts";
import { type KycReasonCode, kycReasons } from "../../users/kyc/kyc-reasons.ts";
import { submissionStatus } from "../../users/user-enums.ts";
import { optionalReason, params } from "../users/user-detail.fields.ts";
import { listKycSubmissions, needsColleague, updateKycStatus } from "./kyc-review.service.ts";
import { submissionView, viewSubmission } from "./kyc-review.views.ts";

const tag = "Staff: KYC review";

export const getKycSubmissions = staffEndpoint(
  {
    method: "get",
    path: "/users/kyc/submissions",
    hasEffect: true,
    operationId: "listKycSubmissions",
    tag,
    summary: "List KYC submissions",
    description:
      "Lists submissions of one status, oldest first. Without `mask`, a view of " +
      "each submission is recorded in its user's audit log, and a page ends early where the caller's views end.",
    query: z.object({
      status: submissionStatus.default("PENDING").meta({ description: "The status to list." }),
      mask: optionalFlag.meta({
        description:
          "Whether to mask document numbers and to leave out identifiers and links; then no view is recorded.",
      }),
      page_size: pageSizeField,
      cursor: cursorField,
    }),
    data: z.object({
      results: z.array(submissionView),
      total_count: z.number().int().meta({ description: "Number of submissions of the status." }),
      next_cursor: z.string().nullable(),
    }),
    message: { en: "The submissions.", ne: "पठाइएका कागजातहरू।" },
    errors: ["rate_limit_exceeded"],
  },
  async (deps, { caller, client, query, origin }) => {
    const { results, nextCursor, total } = await listKycSubmissions(deps, client, caller, query, origin);
    return { data: { results: results.map(viewSubmission), total_count: total, next_cursor: nextCursor } };
  },
);

const codes = kycReasons.map(({ code }) => code) as [KycReasonCode, ...KycReasonCode[]];

const decision = z
  .object({
    status: submissionStatus.meta({
      description: "PENDING takes a decision back: the submission is in the queue again.",
    }),
    rejection_code: z
      .enum(codes)
      .meta({ id: "KycRejectionCode" })
      .nullish()
      .meta({ description: "A standard reason, shown to the user in their language." }),
    rejection_reason: optionalText(withoutControls(z.string().max(255)), tidy).meta({
      description: "Shown to the user, after the standard reason. REJECTED requires one of the two.",
    }),
    reason: optionalReason.meta({ description: "Kept in the audit log. Required if status is PENDING." }),
    version: wholeNumber(z.number().int().optional())
      .optional()
      .meta({ description: "The version that was reviewed. A stale version is refused." }),
  })
  .refine(
    ({ status, rejection_code, rejection_reason }) =>
      status !== "REJECTED" || (rejection_reason ?? rejection_code ?? undefined) !== undefined,
    { when: besideErrors, path: ["rejection_reason"], message: as("required_when_rejected") },
  )
  .refine(({ status, reason }) => status !== "PENDING" || reason !== undefined, {
    when: besideErrors,
    path: ["reason"],
    message: as("required"),
  });

const taken = { en: "The decision is taken back.", ne: "निर्णय फिर्ता लिइयो।" };

export const patchUserKyc = staffEndpoint(
  {
    method: "patch",
    path: "/users/{id}/kyc",
    operationId: "decideKyc",
    tag,
    summary: "Approve or reject a KYC submission, or take the decision back",
    description:
      "Only a pending submission can be approved or rejected. To approve it, the reviewer must have opened each of its " +
      "files since it was submitted; where KYC_APPROVALS is 2, the first approval leaves it pending until another " +
      "reviewer approves it, too.",
    params,
    example: { status: "REJECTED", rejection_code: "UNREADABLE" },
    body: decision,
    data: kycView,
    message: { en: "Decision saved. The user will be notified.", ne: "निर्णय सुरक्षित भयो। प्रयोगकर्तालाई खबर गरिनेछ।" },
    errors: ["not_found", "conflict", "kyc_already_approved", "kyc_not_viewed", "kyc_version_stale"],
  },
  async (deps, { body, params, caller, client, origin }) => {
    const change = { userId: params.id, version: body.version, ...readDecision(body) };
    const kyc = await updateKycStatus(deps, client, caller, change, origin);
    const message = kyc.row.status !== "PENDING" ? undefined : body.status === "PENDING" ? taken : needsColleague;
    return { data: viewKyc(kyc), ...(message ? { message } : {}) };
  },
);

function readDecision({ status, rejection_code: code, rejection_reason: own, reason = "" }: z.output<typeof decision>) {
  if (status === "PENDING") return { status, reason };
  if (status === "APPROVED") return { status };
  return { status, standard: kycReasons.find((each) => each.code === code), own };
}
