import { AppError } from "../platform/http/errors.ts";
import type { StaffClaims } from "../sessions/claims.ts";
import { sessionEnded } from "../sessions/guard.ts";

/** The row of `selectCaller`; undefined if the caller's session has ended or the account may not be used. */
type Found = { role: "user" | "staff" | "admin" } | undefined;

/** @throws AppError `token_not_valid` if the session has ended, `permission_denied` if the user is not staff. */
export function refuseUnlessStaff(caller: Found): asserts caller is NonNullable<Found> {
  if (!caller) throw sessionEnded();
  if (caller.role === "user") throw new AppError("permission_denied", { reason: "not staff" });
}

/** @throws AppError as `refuseUnlessStaff`, and `permission_denied` if the caller is staff but not an admin. */
export function refuseUnlessAdmin(caller: Found): void {
  refuseUnlessStaff(caller);
  if (caller.role === "admin") return;
  throw new AppError("permission_denied", {
    message: { en: "Only an admin can change roles.", ne: "भूमिका एडमिनले मात्र फेर्न सक्छ।" },
  });
}

/**
 * Explains why `mayChangeAccount` did not hold for a staff caller.
 *
 * @throws AppError `permission_denied` for the caller's own account, and for a staff account unless the caller is an
 *   admin.
 */
export function refuseUnlessMayChange(
  caller: Found,
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
  if (target.role !== "user" && caller?.role !== "admin") {
    throw new AppError("permission_denied", {
      message: { en: "Only an admin can do this to a staff account.", ne: "कर्मचारीको खातामा यो एडमिनले मात्र गर्न सक्छ।" },
    });
  }
}

/** Builds the `not_found` error for an unknown user. */
export function userNotFound(): AppError {
  return new AppError("not_found", { message: { en: "User not found.", ne: "प्रयोगकर्ता भेटिएन।" } });
}
