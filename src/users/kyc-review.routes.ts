import { z } from "zod";
import { cursorField, optionalText, pageSizeField, textError, tidy, withoutControls } from "../platform/fields.ts";
import { staffEndpoint } from "../sessions/guard.ts";
import { kycView, submissionView, viewKyc, viewSubmission } from "./kyc.views.ts";
import { listKycSubmissions, updateKycStatus } from "./kyc-review.service.ts";

const tag = "KYC review";

export const getKycSubmissions = staffEndpoint(
  {
    method: "get",
    path: "/users/kyc/submissions",
    tag,
    summary: "The review queue, oldest first",
    query: z.object({
      status: z.enum(["PENDING", "APPROVED", "REJECTED"], "Must be PENDING, APPROVED or REJECTED.").default("PENDING"),
      page_size: pageSizeField,
      cursor: cursorField,
    }),
    data: z.object({ results: z.array(submissionView), next_cursor: z.string().nullable() }),
    message: "The submissions.",
  },
  async (deps, { caller, query, origin }) => {
    const { results, nextCursor } = await listKycSubmissions(deps, caller, query, origin);
    return { data: { results: results.map(viewSubmission), next_cursor: nextCursor } };
  },
);

const decision = z
  .object({
    status: z.enum(["APPROVED", "REJECTED"], "Must be APPROVED or REJECTED."),
    rejection_reason: optionalText(
      withoutControls(z.string({ error: textError }).max(255, "Must have at most 255 characters.")),
      tidy,
    ).meta({ description: "Shown to the user; required with REJECTED." }),
    version: z
      .preprocess((given) => {
        if (given === null || given === "") return undefined;
        // Forms write it in digits; Number() would read lists and flags, too.
        return typeof given === "string" && /^\d+$/.test(given) ? Number(given) : given;
      }, z.number("Must be a number.").int("Must be a whole number.").optional())
      .optional()
      .meta({ description: "The version looked at; a stale one is refused." }),
  })
  .refine(({ status, rejection_reason }) => status !== "REJECTED" || rejection_reason !== undefined, {
    path: ["rejection_reason"],
    message: "This field is required with REJECTED.",
  });

export const patchUserKyc = staffEndpoint(
  {
    method: "patch",
    path: "/users/{id}/kyc",
    tag,
    summary: "Approve or reject a KYC",
    description:
      "Approving needs that this reviewer has opened each file since it was submitted. Only a pending KYC can be decided.",
    params: z.object({ id: z.uuid("Must be an id.") }),
    body: decision,
    data: kycView,
    message: "The decision is recorded, and its user will be told.",
    errors: ["not_found", "conflict", "kyc_already_approved", "kyc_not_viewed", "kyc_version_stale"],
  },
  async (deps, { body, params, caller, client, origin }) => {
    const { status, rejection_reason, version } = body;
    const rejectionReason = status === "REJECTED" ? (rejection_reason ?? null) : null;
    const change = { userId: params.id, status, rejectionReason, version };
    return { data: viewKyc(await updateKycStatus(deps, client, caller, change, origin)) };
  },
);
