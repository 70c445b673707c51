import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { optionalText, text, withoutControls } from "../../platform/http/fields.ts";
import { tidy } from "../../platform/http/text.ts";
import { userEndpoint } from "../../sessions/guard.ts";
import { findDocumentProblem } from "./files/document-file.ts";
import { getOwnKyc, getOwnKycStatus } from "./kyc.service.ts";
import { kycStatusView, kycView, viewKyc, viewKycStatus } from "./kyc.views.ts";
import { canonicalNumber } from "./kyc-number.ts";
import { submitKyc } from "./kyc-submit.service.ts";
import { admitUpload, type KycUpload, uploadHeaders } from "./kyc-upload.service.ts";

const tag = "KYC";

const plain = (max: number) => withoutControls(z.string().max(max));
const documentType = optionalText(plain(50), tidy).meta({ example: "CITIZENSHIP" });
const documentNumber = plain(100)
  .min(5)
  .refine((number) => canonicalNumber(number).length > 0, as("no_letters_or_digits"))
  .meta({ example: "12-34-56-78901", description: "As on the document, with at least one letter or digit." });

const FORMATS = "JPEG, PNG, WebP or PDF, at most 8 MB and 8192 × 8192 pixels";
const findProblem = findDocumentProblem;
const front = { description: `The front of the document: ${FORMATS}`, findProblem };
const back = { description: `The back of the document: ${FORMATS}`, findProblem };

const submitted = {
  en: "Documents submitted. We will notify you when they have been reviewed.",
  ne: "कागजात पठाइयो। जाँचिएपछि हामी खबर गर्नेछौं।",
};

export const postMyKyc = userEndpoint(
  {
    method: "post",
    path: "/users/kyc",
    operationId: "submitKyc",
    tag,
    summary: "Submit identity documents",
    description:
      "Replaces an earlier submission unless it is approved. Camera metadata (place, time, owner) is removed from " +
      "images, and file names are ignored.",
    body: z.object({
      document_type: documentType.meta({ description: "CITIZENSHIP if absent.", example: "CITIZENSHIP" }),
      document_number: text(documentNumber),
    }),
    files: { document_front: { ...front, required: true }, document_back: { ...back, required: false } },
    admitUpload: (deps, caller, client) => admitUpload(deps, client, caller, "submit"),
    data: kycView,
    message: submitted,
    status: 201,
    errors: ["kyc_already_approved", "rate_limit_exceeded"],
    idempotent: true,
    limited: true,
  },
  async (deps, { body, files, upload, caller, client, origin }) => {
    const request = { ...body, document_type: body.document_type ?? "CITIZENSHIP", ...files };
    const kyc = await submitKyc(deps, client, caller, "submit", request, upload, origin);
    return { data: viewKyc(kyc), ...limitOf(upload) };
  },
);

export const patchMyKyc = userEndpoint(
  {
    method: "patch",
    path: "/users/kyc",
    operationId: "updateKyc",
    tag,
    summary: "Change my submission",
    description:
      "Replaces the fields and files that are sent, at least one of them, and submits the KYC for review again. Without " +
      "files the body may be JSON; it is no upload, and the response has no `RateLimit`.",
    body: z
      .object({ document_type: documentType, document_number: optionalText(documentNumber) })
      .meta({ minProperties: 1 }),
    files: {
      document_front: { description: "Replaces the front.", required: false, findProblem },
      document_back: { description: "Replaces the back.", required: false, findProblem },
    },
    admitUpload: (deps, caller, client) => admitUpload(deps, client, caller, "amend"),
    data: kycView,
    message: submitted,
    errors: ["kyc_already_approved", "not_found", "rate_limit_exceeded"],
    idempotent: true,
    limited: true,
  },
  async (deps, { body, files, upload, caller, client, origin }) => {
    const kyc = await submitKyc(deps, client, caller, "amend", { ...body, ...files }, upload, origin);
    return { data: viewKyc(kyc), ...limitOf(upload) };
  },
);

const limitOf = (upload: KycUpload | undefined) => (upload ? { headers: uploadHeaders(upload.limit) } : {});

export const getMyKyc = userEndpoint(
  {
    method: "get",
    path: "/users/kyc",
    operationId: "getKyc",
    tag,
    summary: "Get my submission",
    description: "Returns the submitted documents and their status.",
    data: kycView,
    message: { en: "Your identity documents.", ne: "तपाईंका परिचय कागजात।" },
    errors: ["not_found"],
  },
  async (deps, { caller, origin }) => ({ data: viewKyc(await getOwnKyc(deps, caller, origin)) }),
);

export const getMyKycStatus = userEndpoint(
  {
    method: "get",
    path: "/users/kyc/status",
    operationId: "getKycStatus",
    tag,
    summary: "Get my KYC status",
    description: "Returns NOT_SUBMITTED if nothing was submitted.",
    data: kycStatusView,
    message: { en: "Your identity verification status.", ne: "तपाईंको परिचय प्रमाणीकरणको अवस्था।" },
  },
  async (deps, { caller }) => ({ data: viewKycStatus(await getOwnKycStatus(deps, caller)) }),
);
