import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { noKyc, openKyc } from "../../users/kyc/kyc.service.ts";
import { auditCaseView } from "./kyc-case.store.ts";
import type { OpenCase } from "./kyc-case.views.ts";

/**
 * A user's KYC with all that a reviewer compares, opened for this reviewer. The view is recorded.
 *
 * @throws AppError `permission_denied`; `not_found` if the user submitted nothing; `rate_limit_exceeded` if the caller
 *   has no views left.
 */
export async function getKycCase(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  userId: string,
  origin: string,
): Promise<OpenCase> {
  const found = await auditCaseView(deps, client, caller, userId);
  if (!found) throw noKyc();
  const open = await openKyc(deps, origin, caller, found.submission.kyc);
  return { ...open, ...found, approvalsNeeded: deps.config.kycApprovals };
}
