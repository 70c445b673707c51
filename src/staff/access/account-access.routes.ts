import { z } from "zod";
import { as } from "../../platform/http/field-errors.ts";
import { besideErrors } from "../../platform/http/fields.ts";
import { adminEndpoint, staffEndpoint } from "../../sessions/guard.ts";
import { endedView } from "../../sessions/session.views.ts";
import { accountStatus, userRole } from "../../users/user-enums.ts";
import { actorOf } from "../users/staff-action.service.ts";
import { optionalReason, params, reason, viewDetail } from "../users/user-detail.fields.ts";
import { userDetailView } from "../users/user-detail.views.ts";
import {
  endSessionsOf,
  resetUserPasskeys,
  unlockUser,
  updateAccountStatus,
  updateRole,
} from "./account-access.service.ts";

const tag = "Staff: users";

/** Statuses that need a reason. */
const OTHERS: readonly string[] = accountStatus.options.filter((status) => status !== "ACTIVE");

export const postUserStatus = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/status",
    operationId: "changeUserStatus",
    tag,
    summary: "Change a user's status",
    description: "INACTIVE and BANNED end all of the user's sessions immediately. The user is notified.",
    params,
    example: { status: "BANNED", reason: "Stolen power bank" },
    body: z
      .object({
        status: accountStatus,
        reason: optionalReason.meta({ description: "Recorded in the audit log. Required unless status is ACTIVE." }),
      })
      .refine(({ status, reason }) => !OTHERS.includes(status) || reason !== undefined, {
        when: besideErrors,
        path: ["reason"],
        message: as("required_unless_active"),
      }),
    data: userDetailView,
    message: { en: "Status saved.", ne: "अवस्था सुरक्षित भयो।" },
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params, origin }) => {
    const change = { status: body.status, reason: body.reason ?? null };
    return viewDetail(
      deps,
      await updateAccountStatus(deps, actorOf(client, caller, params.id), change),
      caller,
      origin,
    );
  },
);

export const putUserRole = adminEndpoint(
  {
    method: "put",
    path: "/users/{id}/role",
    operationId: "changeUserRole",
    tag,
    summary: "Change a user's role",
    description: "Ends all of the user's sessions.",
    params,
    example: { role: "staff", reason: "Joined the support team" },
    body: z.object({
      role: userRole,
      reason,
    }),
    data: userDetailView,
    message: { en: "Role saved.", ne: "भूमिका सुरक्षित भयो।" },
    errors: ["not_found", "conflict"],
  },
  async (deps, { body, caller, client, params, origin }) =>
    viewDetail(deps, await updateRole(deps, actorOf(client, caller, params.id), body), caller, origin),
);

export const postUserUnlock = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/unlock",
    operationId: "unlockUser",
    tag,
    summary: "Unlock a user",
    description:
      "Clears the locks that wrong codes have put on the user's identifiers. Limits on the number of codes and on a " +
      "network's attempts stay.",
    params,
    example: { reason: "Asked by phone" },
    body: z.object({ reason }),
    data: userDetailView,
    message: { en: "The user is unlocked.", ne: "प्रयोगकर्ताको रोक हटाइयो।" },
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params, origin }) =>
    viewDetail(deps, await unlockUser(deps, actorOf(client, caller, params.id), body.reason), caller, origin),
);

const ended = { en: "The user's sessions have ended.", ne: "प्रयोगकर्ताका सत्रहरू अन्त्य गरिए।" };

export const deleteSessionsOfUser = staffEndpoint(
  {
    method: "delete",
    path: "/users/{id}/sessions",
    operationId: "endUserSessions",
    tag,
    summary: "End a user's sessions",
    description: "Signs the user out on every device and returns the number of sessions that ended.",
    params,
    data: endedView,
    message: ended,
    errors: ["not_found"],
  },
  async (deps, { caller, client, params }) => ({
    data: { message: ended[client.locale], ended: await endSessionsOf(deps, actorOf(client, caller, params.id)) },
  }),
);

export const postPasskeyReset = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/passkey-reset",
    operationId: "resetUserPasskeys",
    tag,
    summary: "Remove a user's passkeys",
    description:
      "For somebody who has lost them. Ends all of the user's sessions. A member of staff may add a passkey within 24 " +
      "hours, after signing in with a code; only an admin who used a passkey within 10 minutes may do this to an account " +
      "of staff. The person and every admin are told.",
    params,
    example: { reason: "Lost phone, known by video call" },
    body: z.object({ reason }),
    data: userDetailView,
    message: { en: "The passkeys were removed.", ne: "पासकीहरू हटाइए।" },
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params, origin }) =>
    viewDetail(deps, await resetUserPasskeys(deps, actorOf(client, caller, params.id), body.reason), caller, origin),
);
