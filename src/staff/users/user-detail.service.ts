import { generateAccountIds } from "../../auth/account/new-account.ts";
import { hashIdentifier } from "../../auth/deletion/former-identity.ts";
import { publishCoalesced } from "../../platform/data/publish.ts";
import type { Deps } from "../../platform/deps.ts";
import type { Client } from "../../platform/http/client.ts";
import { AppError } from "../../platform/http/errors.ts";
import type { FieldErrors } from "../../platform/http/field-errors.ts";
import type { StaffClaims } from "../../sessions/claims.ts";
import { parseIdentifier } from "../../users/identifier.ts";
import { defaultUsernames, withKey } from "../../users/username.ts";
import { userNotFound } from "../refusals.ts";
import { settleStaffAction } from "./staff-action.service.ts";
import type { Actor } from "./staff-action.store.ts";
import { insertCreatedUser, type NewUserDetail } from "./user-create.store.ts";
import { auditUserView, findReport, listUserSessions, requestReport, type UserDetail } from "./user-detail.store.ts";
import { findIdentifiers, type UserChange, updateUserRow } from "./user-update.store.ts";

export type { UserDetail } from "./user-detail.store.ts";

/**
 * A user's detail for staff; the view is recorded.
 *
 * @throws AppError `permission_denied`; `not_found`; `rate_limit_exceeded` if the caller has no views left.
 */
export async function getUserDetail(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  userId: string,
): Promise<UserDetail> {
  const detail = await auditUserView(deps, client, caller, userId);
  if (!detail) throw userNotFound();
  return detail;
}

/** A user's active sessions, newest first. @throws AppError `permission_denied`; `not_found`. */
export async function getUserSessions(deps: Deps, caller: StaffClaims, userId: string) {
  const found = await listUserSessions(deps, caller, userId);
  if (!found.isUser) throw userNotFound();
  return found.sessions;
}

/** Requests an analytics report of a user, which a task builds. @throws AppError `permission_denied`; `not_found`. */
export async function requestUserReport(deps: Deps, caller: StaffClaims, userId: string): Promise<void> {
  const found = await requestReport(deps, caller, userId);
  if (!found.isUser) throw userNotFound();
  deps.afterResponse(publishCoalesced(deps, found.events));
}

/** A user's analytics report of the last hour. @throws AppError `permission_denied`; `not_found`. */
export async function getReport(deps: Deps, caller: StaffClaims, userId: string): Promise<unknown> {
  const report = await findReport(deps, caller, userId);
  if (!report)
    throw new AppError("not_found", {
      message: {
        en: "There is no report yet. Request one and look again soon.",
        ne: "प्रतिवेदन छैन। माग्नुहोस् र केही बेरमा फेरि हेर्नुहोस्।",
      },
    });
  return report;
}

/**
 * Creates an account on behalf of a user, whose first sign-in verifies the identifier.
 *
 * @throws AppError `validation_error`; `permission_denied`; `user_already_exists`; `identifier_replaced`;
 *   `username_taken`.
 */
export async function createUser(
  deps: Deps,
  client: Client,
  caller: StaffClaims,
  given: Omit<NewUserDetail, "identifier"> & { identifier: string; username: string | undefined },
): Promise<UserDetail> {
  const identifier = parseIdentifier(deps, given.identifier);
  const usernames =
    given.username === undefined ? defaultUsernames(deps.randomBytes, identifier) : [withKey(given.username)];
  const account = generateAccountIds(deps, client, usernames, undefined, []);
  const outcome = await insertCreatedUser(deps, client, caller, { ...given, identifier }, account);
  if (outcome.isCreated && outcome.detail) {
    deps.afterResponse(publishCoalesced(deps, outcome.events));
    return outcome.detail;
  }
  if (outcome.isTaken) {
    throw new AppError("user_already_exists", {
      message: { en: "Another account uses this email or phone number.", ne: "यो इमेल वा फोन नम्बर अर्को खातामा छ।" },
    });
  }
  if (outcome.isReserved) throw new AppError("identifier_replaced");
  if (given.username !== undefined) throw new AppError("username_taken");
  throw new AppError("service_unavailable", { reason: "no free username drawn", retryAfterSeconds: 1 });
}

/** Maximum number of times that a change is tried while the user's identifiers change at the same time. */
const MAX_CHANGE_ATTEMPTS = 3;

/**
 * Changes the user. If an identifier changes, its current value is read and hashed first; if that value has changed
 * before the transaction, the change is tried again.
 *
 * @throws AppError `service_unavailable` after `MAX_CHANGE_ATTEMPTS`; `not_found`; those of `updateUserRow`.
 */
async function commitUserChange(deps: Deps, actor: Actor, change: UserChange, reason: string | undefined) {
  if (change.email === undefined && change.phone_number === undefined) {
    return updateUserRow(deps, actor, change, reason, []);
  }
  for (let attempt = 1; attempt <= MAX_CHANGE_ATTEMPTS; attempt++) {
    const identifiers = await findIdentifiers(deps, actor);
    if (!identifiers) throw userNotFound();
    const held = await Promise.all(
      identifiers.map(async (identifier) => ({ identifier, hash: await hashIdentifier(deps, identifier) })),
    );
    const outcome = await updateUserRow(deps, actor, change, reason, held);
    if (outcome.isDone || outcome.more.isUnhashed.length === 0) return outcome;
  }
  throw new AppError("service_unavailable", { reason: "identifiers kept changing", retryAfterSeconds: 1 });
}

/**
 * Changes the fields that are sent; null clears a field.
 *
 * @throws AppError `validation_error`, also for a changed name or identifier without a reason; `permission_denied`;
 *   `passkey_required`; `not_found`; `user_already_exists`; `identifier_replaced`; `username_taken`;
 *   `last_sign_in_method` if the change removes the last way to sign in.
 */
export async function updateUserDetail(
  deps: Deps,
  actor: Actor,
  given: UserChange,
  reason: string | undefined,
): Promise<UserDetail> {
  const change = {
    ...given,
    email: canonical(deps, "email", given.email),
    phone_number: canonical(deps, "phone_number", given.phone_number),
  };
  const outcome = await commitUserChange(deps, actor, change, reason);
  const detail = settleStaffAction(deps, outcome);
  if (outcome.isDone) return detail;
  const { more } = outcome;
  if (more.lacksPasskey.length > 0) throw new AppError("passkey_required", { reason: "passkey used too long ago" });
  const fields: FieldErrors = {
    ...(more.isNameLookalike.length > 0 ? { username: [{ code: "username_reads_as_identifier" }] } : {}),
    ...(more.lacksReason.length > 0 ? { reason: [{ code: "required_for_identifier_change" }] } : {}),
  };
  if (Object.keys(fields).length > 0) throw new AppError("validation_error", { fields });
  if (more.isIdentifierTaken.length > 0) {
    throw new AppError("user_already_exists", {
      message: { en: "Another account uses this email or phone number.", ne: "यो इमेल वा फोन नम्बर अर्को खातामा छ।" },
    });
  }
  if (more.isIdentifierReserved.length > 0) throw new AppError("identifier_replaced");
  if (more.isNameTaken.length > 0) throw new AppError("username_taken");
  if (more.isLastWayIn.length > 0)
    throw new AppError("last_sign_in_method", {
      message: { en: "The account would have no way to sign in.", ne: "खातामा साइन इन गर्ने कुनै तरिका बाँकी रहँदैन।" },
    });
  return detail;
}

function canonical(deps: Deps, field: "email" | "phone_number", given: string | null | undefined) {
  if (given === undefined || given === null) return given;
  return parseIdentifier(deps, given, { field, kind: field === "email" ? "email" : "phone" }).value;
}
