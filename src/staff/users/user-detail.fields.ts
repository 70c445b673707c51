import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import { idField, optionalText, text, withoutControls } from "../../platform/http/fields.ts";
import { tidy } from "../../platform/http/text.ts";
import { reportViewsUsedUp } from "../../sessions/staff-views.store.ts";
import type { AccessClaims } from "../../sessions/tokens.ts";
import { openKyc } from "../../users/kyc/kyc.service.ts";
import type { UserDetail } from "./user-detail.service.ts";
import { maskDetail, viewUserDetail } from "./user-detail.views.ts";

// Shared by the routes of one user.

export const params = z.object({ id: idField.meta({ description: "Id of the user." }) });

const reasonText = withoutControls(z.string().min(1).max(255));
export const reason = text(reasonText, tidy).meta({ description: "Kept in the audit log." });
export const optionalReason = optionalText(reasonText, tidy);

/**
 * The response that shows the user, with document links for the caller. Every response with a user's detail comes from
 * here: it leaves out what identifies the person unless the batch has recorded the view.
 */
export async function viewDetail(deps: Deps, detail: UserDetail, caller: AccessClaims, origin: string) {
  const open = detail.kyc ? await openKyc(deps, origin, caller, detail.kyc) : null;
  const whole = viewUserDetail(detail, open);
  if (detail.isRecorded) return { data: whole };
  reportViewsUsedUp(deps, caller);
  return { data: maskDetail(whole) };
}
