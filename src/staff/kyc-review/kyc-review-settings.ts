import { z } from "zod";
import { optional } from "../../platform/config/settings.ts";

declare module "../../platform/config/config.ts" {
  interface Config {
    /** Number of reviewers who must approve a KYC: 1 or 2. */
    kycApprovals: number;
  }
}

/** Number of approvals unless KYC_APPROVALS is set. */
export const KYC_APPROVALS = 1;

/** Setting of the review. */
export const kycReviewSettings = { KYC_APPROVALS: optional(z.coerce.number().int().min(1).max(2)) };
