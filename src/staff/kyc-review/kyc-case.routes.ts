import { staffEndpoint } from "../../sessions/guard.ts";
import { params } from "../users/user-detail.fields.ts";
import { getKycCase } from "./kyc-case.service.ts";
import { caseView, viewCase } from "./kyc-case.views.ts";

export const getUserKyc = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/kyc",
    hasEffect: true,
    operationId: "getKycCase",
    tag: "Staff: KYC review",
    summary: "Get a KYC submission with what it is compared with",
    description:
      "Shows the submission as the queue does, the person's profile, other users with the same document number, who has " +
      "opened the files, and approvals. Each call is recorded in the user's audit log.",
    params,
    data: caseView,
    message: { en: "The submission.", ne: "पठाइएको कागजात।" },
    errors: ["not_found", "rate_limit_exceeded"],
  },
  async (deps, { caller, client, params, origin }) => ({
    data: viewCase(await getKycCase(deps, client, caller, params.id, origin)),
  }),
);
