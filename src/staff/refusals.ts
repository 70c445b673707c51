import { AppError } from "../platform/http/errors.ts";
import type { StaffClaims } from "../sessions/claims.ts";
import { sessionEnded } from "../sessions/guard.ts";
import type { CallerRow } from "../sessions/session.store.ts";

/** The row of `selectCaller`; undefined if the caller's session has ended or the account is not ACTIVE. */
type MaybeCaller = CallerRow | undefined;

/**
 * @throws AppError `token_not_valid` if the session has ended, `permission_denied` if the user is not staff,
 *   `passkey_required` if the role requires a passkey and the session was neither opened nor proved by one.
 */
export function refuseUnlessStaff(caller: MaybeCaller): asserts caller is NonNullable<MaybeCaller> {
  if (!caller) throw sessionEnded();
  if (caller.role === "user") throw new AppError("permission_denied", { reason: "not staff" });
  if (caller.lacksPasskey === 1) throw new AppError("passkey_required", { reason: "session without a passkey" });
}

/** @throws AppError as `refuseUnlessStaff`, and `permission_denied` if the caller is staff but not an admin. */
export function refuseUnlessAdmin(caller: MaybeCaller): asserts caller is NonNullable<MaybeCaller> {
  refuseUnlessStaff(caller);
  if (caller.role === "admin") return;
  throw new AppError("permission_denied", {
    message: { en: "Only an admin can do this.", ne: "यो एडमिनले मात्र गर्न सक्छ।" },
  });
}

/**
 * @throws AppError as `refuseUnlessAdmin`; `passkey_required` if staff need passkeys and
 *   none was used in this session within `PROOF_WINDOW_MS`.
 */
export function refuseUnlessAdminWithRecentPasskey(caller: MaybeCaller): void {
  refuseUnlessAdmin(caller);
  if (caller.lacksRecentPasskey === 1) throw new AppError("passkey_required", { reason: "passkey used too long ago" });
}

/**
 * Refuses with the reason for which `mayChangeAccount` did not hold for a staff caller; returns if none applies.
 *
 * @throws AppError `permission_denied` for the caller's own account, and for a staff account unless the caller is an
 *   admin.
 */
export function refuseUnlessAccountIsChangeable(
  callerRow: MaybeCaller,
  { caller: { userId: callerId }, userId }: { caller: StaffClaims; userId: string },
  target: { role: string },
): void {
  if (userId === callerId) {
    throw new AppError("permission_denied", {
      message: {
        en: "You cannot do this to your own account. Ask another admin.",
        ne: "आफ्नै खातामा यो गर्न मिल्दैन। अर्को एडमिनलाई भन्नुहोस्।",
      },
    });
  }
  if (target.role !== "user" && callerRow?.role !== "admin") {
    throw new AppError("permission_denied", {
      message: { en: "Only an admin can do this to a staff account.", ne: "कर्मचारीको खातामा यो एडमिनले मात्र गर्न सक्छ।" },
    });
  }
}

/** Builds the `not_found` error for an unknown user. */
export function userNotFound(): AppError {
  return new AppError("not_found", { message: { en: "User not found.", ne: "प्रयोगकर्ता भेटिएन।" } });
}
