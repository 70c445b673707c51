import { canonicalTestIdentifiers } from "../../auth/otp/test-identifiers.ts";
import type { Deps } from "../../platform/deps.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { AdminClaims } from "../../sessions/claims.ts";
import { finishStaffAction, settleStaffAction } from "../users/staff-action.service.ts";
import type { Actor } from "../users/staff-action.store.ts";
import type { UserDetail } from "../users/user-detail.store.ts";
import {
  changeStatus,
  clearLocks,
  endUserSessions,
  type RoleChange,
  type StatusChange,
  updateUserRole,
} from "./account-access.store.ts";
import { resetPasskeys } from "./passkey-reset.store.ts";

/**
 * Changes a user's status. INACTIVE and BANNED end every session before the response.
 *
 * @throws AppError `permission_denied`, also for the caller's own account, and for a staff account unless the caller is
 *   an admin; `not_found`.
 */
export async function updateAccountStatus(deps: Deps, actor: Actor, change: StatusChange): Promise<UserDetail> {
  return settleStaffAction(deps, await changeStatus(deps, actor, change));
}

/**
 * Changes a user's role and ends their sessions. Admins cannot change their own role, so that at least one admin
 * remains.
 *
 * @throws AppError `permission_denied`; `passkey_required` if the caller used a passkey more than 10 minutes ago;
 *   `not_found`; `conflict` if the account cannot be staff.
 */
export async function updateRole(deps: Deps, actor: Actor<AdminClaims>, change: RoleChange): Promise<UserDetail> {
  const outcome = await updateUserRole(deps, actor, change, canonicalTestIdentifiers(deps));
  const detail = settleStaffAction(deps, outcome);
  if (!outcome.isDone && detail.user.role !== change.role && outcome.more.fit.length === 0) {
    throw new AppError("conflict", {
      message: {
        en: "A staff account needs a verified email or phone number that is not a test identifier.",
        ne: "कर्मचारी खातालाई परीक्षण नभएको, प्रमाणित इमेल वा फोन नम्बर चाहिन्छ।",
      },
    });
  }
  if (!outcome.isDone && detail.user.role !== change.role && outcome.more.holder.length === 0) {
    throw new AppError("conflict", {
      message: {
        en: "Staff need a passkey. Ask the person to add one in the app first.",
        ne: "कर्मचारीलाई पासकी चाहिन्छ। पहिले एपमा पासकी थप्न भन्नुहोस्।",
      },
    });
  }
  return detail;
}

/** Clears the sign-in locks of a user's identifiers. @throws AppError as `updateAccountStatus`. */
export async function unlockUser(deps: Deps, actor: Actor, reason: string): Promise<UserDetail> {
  return settleStaffAction(deps, await clearLocks(deps, actor, reason));
}

/** Ends every session of a user and returns their number. @throws AppError as `updateAccountStatus`. */
export async function endSessionsOf(deps: Deps, actor: Actor): Promise<number> {
  const endedSessions = await endUserSessions(deps, actor);
  if (endedSessions.length > 0) finishStaffAction(deps, { events: [], endedSessions });
  return endedSessions.length;
}

/**
 * Removes every passkey of a user and ends their sessions; staff may then add one within 24 hours.
 *
 * @throws AppError as `updateAccountStatus`, and `passkey_required` for an account of staff unless the caller used a
 *   passkey in the last 10 minutes.
 */
export async function resetUserPasskeys(deps: Deps, actor: Actor, reason: string): Promise<UserDetail> {
  const outcome = await resetPasskeys(deps, actor, reason);
  const { caller, detail } = outcome;
  if (!outcome.isDone && detail.user.role !== "user" && caller.lacksRecentPasskey === 1) {
    throw new AppError("passkey_required", { reason: "passkey used too long ago" });
  }
  return settleStaffAction(deps, outcome);
}
