import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import {
  besideErrors,
  cursorField,
  optionalText,
  pageSizeField,
  wholeNumber,
  withoutControls,
} from "../../platform/http/fields.ts";
import { tidy } from "../../platform/http/text.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { kycView, viewKyc } from "../../users/kyc/kyc.views.ts";
import { submissionStatus } from "../../users/user-enums.ts";
import { params } from "../users/user-detail.fields.ts";
import { listKycSubmissions, updateKycStatus } from "./kyc-review.service.ts";
import { submissionView, viewSubmission } from "./kyc-review.views.ts";

const tag = "Staff: KYC review";

export const getKycSubmissions = staffEndpoint(
  {
    method: "get",
    path: "/users/kyc/submissions",
    operationId: "listKycSubmissions",
    tag,
    summary: "List KYC submissions",
    description: "Lists submissions of one status, oldest first. Follow `next_cursor` until it is null.",
    query: z.object({
      status: submissionStatus.default("PENDING").meta({ description: "The status to list." }),
      page_size: pageSizeField,
      cursor: cursorField,
    }),
    data: z.object({ results: z.array(submissionView), next_cursor: z.string().nullable() }),
    message: { en: "The submissions.", ne: "पठाइएका कागजातहरू।" },
  },
  async (deps, { caller, query, origin }) => {
    const { results, nextCursor } = await listKycSubmissions(deps, caller, query, origin);
    return { data: { results: results.map(viewSubmission), next_cursor: nextCursor } };
  },
);

const decision = z
  .object({
    status: z.enum(["APPROVED", "REJECTED"]),
    rejection_reason: optionalText(withoutControls(z.string().max(255)), tidy).meta({
      description: "Shown to the user. Required if status is REJECTED.",
    }),
    version: wholeNumber(z.number().int().optional())
      .optional()
      .meta({ description: "The version that was reviewed. A stale version is refused." }),
  })
  .refine(({ status, rejection_reason }) => status !== "REJECTED" || rejection_reason !== undefined, {
    when: besideErrors,
    path: ["rejection_reason"],
    message: as("required_when_rejected"),
  });

export const patchUserKyc = staffEndpoint(
  {
    method: "patch",
    path: "/users/{id}/kyc",
    operationId: "decideKyc",
    tag,
    summary: "Approve or reject a KYC submission",
    description:
      "Only a pending submission can be decided. To approve it, the reviewer must have opened each of its files since " +
      "it was submitted.",
    params,
    example: { status: "REJECTED", rejection_reason: "The picture is blurred." },
    body: decision,
    data: kycView,
    message: { en: "Decision saved. The user will be notified.", ne: "निर्णय सुरक्षित भयो। प्रयोगकर्तालाई खबर गरिनेछ।" },
    errors: ["not_found", "conflict", "kyc_already_approved", "kyc_not_viewed", "kyc_version_stale"],
  },
  async (deps, { body, params, caller, client, origin }) => {
    const { status, rejection_reason, version } = body;
    const rejectionReason = status === "REJECTED" ? (rejection_reason ?? null) : null;
    const change = { userId: params.id, status, rejectionReason, version };
    return { data: viewKyc(await updateKycStatus(deps, client, caller, change, origin)) };
  },
);
