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

/**
 * Lets a user act, or not: INACTIVE and BANNED end every session before the answer is sent.
 *
 * @throws AppError `permission_denied` also for one's own account, and for one of staff where the caller is no admin;
 *   `not_found`.
 */
export async function updateAccountStatus(deps: Deps, actor: Actor, change: StatusChange): Promise<UserDetail> {
  return settleStaffAction(deps, await changeStatus(deps, actor, change));
}

/**
 * Makes a user staff, admin, or neither; their sessions end. Only an admin may, and not to themselves, so that one is left.
 *
 * @throws AppError `permission_denied`, `not_found`, `conflict` where the account cannot be staff.
 */
export async function updateRole(deps: Deps, actor: Actor<AdminClaims>, change: RoleChange): Promise<UserDetail> {
  const outcome = await updateUserRole(deps, actor, change, canonicalTestIdentifiers(deps));
  const person = settleStaffAction(deps, outcome);
  if (!outcome.isDone && person.user.role !== change.role && outcome.more.fit.length === 0) {
    throw new AppError("conflict", {
      message: {
        en: "A staff account needs a verified email or phone number that is not a test identifier.",
        ne: "कर्मचारी खातालाई परीक्षण नभएको, प्रमाणित इमेल वा फोन नम्बर चाहिन्छ।",
      },
    });
  }
  return person;
}

/** Clears the locks of a user's identifiers. @throws AppError as `updateAccountStatus`. */
export async function unlockUser(deps: Deps, actor: Actor, reason: string): Promise<UserDetail> {
  return settleStaffAction(deps, await clearLocks(deps, actor, reason));
}

/** Ends every session of a user's and says how many. @throws AppError as `updateAccountStatus`. */
export async function endSessionsOf(deps: Deps, actor: Actor): Promise<number> {
  const endedSessions = await endUserSessions(deps, actor);
  if (endedSessions.length > 0) finishStaffAction(deps, { events: [], endedSessions });
  return endedSessions.length;
}
