import { z } from "zod";
import { staffEndpoint } from "../sessions/guard.ts";
import { actorOf } from "./act.service.ts";
import { optionalReason, params, reason, viewDetail } from "./detail.routes.ts";
import { STATUSES } from "./facets.ts";
import { personView } from "./person.views.ts";
import { endSessionsOf, unlockUser, updateAccountStatus, updateRole } from "./standing.service.ts";

const tag = "Users";

export const postUserStatus = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/status",
    tag,
    summary: "Let a user act, or not",
    description: "INACTIVE and BANNED end every session at once. The user is told by a notification.",
    params,
    body: z
      .object({
        status: z.enum(STATUSES, `Must be one of ${STATUSES.join(", ")}.`),
        reason: optionalReason.meta({ description: "Kept in the audit log; required but for ACTIVE." }),
      })
      .refine(({ status, reason }) => status === "ACTIVE" || reason !== undefined, {
        path: ["reason"],
        message: "This field is required but for ACTIVE.",
      }),
    data: personView,
    message: "The status is as you said.",
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

export const putUserRole = staffEndpoint(
  {
    method: "put",
    path: "/users/{id}/role",
    tag,
    summary: "Make a user staff, admin, or neither",
    description: "For admins. Ends the user's sessions.",
    params,
    body: z.object({
      role: z.enum(["user", "staff", "admin"], "Must be user, staff or admin."),
      reason,
    }),
    data: personView,
    message: "The role is as you said.",
    errors: ["not_found", "conflict"],
  },
  async (deps, { body, caller, client, params, origin }) =>
    viewDetail(deps, await updateRole(deps, actorOf(client, caller, params.id), body), caller, origin),
);

export const postUserUnlock = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/unlock",
    tag,
    summary: "Clear the locks of a user's identifiers",
    params,
    body: z.object({ reason }),
    data: personView,
    message: "The user is not locked.",
    errors: ["not_found"],
  },
  async (deps, { body, caller, client, params, origin }) =>
    viewDetail(deps, await unlockUser(deps, actorOf(client, caller, params.id), body.reason), caller, origin),
);

const ended = "The user's sessions have ended.";

export const deleteSessionsOfUser = staffEndpoint(
  {
    method: "delete",
    path: "/users/{id}/sessions",
    tag,
    summary: "End a user's sessions",
    params,
    data: z.object({ message: z.string(), ended: z.number().int() }),
    message: ended,
    errors: ["not_found"],
  },
  async (deps, { caller, client, params }) => ({
    data: { message: ended, ended: await endSessionsOf(deps, actorOf(client, caller, params.id)) },
  }),
);
