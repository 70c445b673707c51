import { z } from "zod";
import type { Deps } from "../platform/deps.ts";
import {
  clearable,
  cursorField,
  optionalText,
  pageSizeField,
  text,
  textError,
  tidy,
  withoutControls,
} from "../platform/fields.ts";
import { staffEndpoint } from "../sessions/guard.ts";
import { sessionView, viewSession } from "../sessions/session.views.ts";
import type { AccessClaims } from "../sessions/tokens.ts";
import { identifierField } from "../users/identifier.ts";
import { openKyc } from "../users/kyc.service.ts";
import { httpsUrl, profileFields } from "../users/profile.fields.ts";
import { withoutNulls } from "../users/profile.service.ts";
import { usernameField } from "../users/username.ts";
import { actorOf } from "./act.service.ts";
import { STATUSES } from "./facets.ts";
import {
  createPerson,
  getAuditLogs,
  getPerson,
  getReport,
  getUserSessions,
  orderReport,
  type Person,
  updatePerson,
} from "./person.service.ts";
import { auditLogView, personView, reportView, viewAuditLog, viewPersonDetail } from "./person.views.ts";
import { endSessionsOf, unlockUser, updateAccountStatus, updateRole } from "./standing.service.ts";

const tag = "Users";
const params = z.object({ id: z.uuid("Must be an id.") });

async function viewDetail(deps: Deps, person: Person, caller: AccessClaims, origin: string) {
  const open = person.kyc ? await openKyc(deps, origin, caller, person.kyc) : null;
  return { data: viewPersonDetail(person, open) };
}

const reasonText = withoutControls(
  z.string({ error: textError }).min(1, "This field is required.").max(255, "Must have at most 255 characters."),
);
const reason = text(reasonText, tidy).meta({ description: "Kept in the audit log.", example: "Asked by phone" });
const optionalReason = optionalText(reasonText, tidy);

export const postUser = staffEndpoint(
  {
    method: "post",
    path: "/users",
    tag,
    summary: "Make an account for somebody",
    description: "Its identifier is unverified until its owner signs in by a one-time code.",
    body: z.object({
      identifier: identifierField,
      username: usernameField,
      full_name: optionalText(profileFields.full_name),
      date_of_birth: optionalText(profileFields.date_of_birth),
      address: optionalText(profileFields.address),
      profile_picture: optionalText(httpsUrl),
    }),
    data: personView,
    message: "The account is made.",
    status: 201,
    errors: ["user_already_exists", "username_taken"],
  },
  async (deps, { body, caller, client, origin }) => {
    const person = await createPerson(deps, client, caller, {
      identifier: body.identifier,
      username: body.username,
      fullName: body.full_name ?? undefined,
      dateOfBirth: body.date_of_birth ?? undefined,
      address: body.address ?? undefined,
      profilePicture: body.profile_picture,
    });
    return viewDetail(deps, person, caller, origin);
  },
);

export const getUser = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}",
    tag,
    summary: "A user",
    description: "That you looked is recorded in the user's audit log.",
    params,
    data: personView,
    message: "The user.",
    errors: ["not_found"],
  },
  async (deps, { caller, client, params, origin }) =>
    viewDetail(deps, await getPerson(deps, client, caller, params.id), caller, origin),
);

const identifierText = z.string({ error: textError }).max(254, "Must have at most 254 characters.");
const change = z.object({
  username: usernameField,
  email: clearable(identifierText).meta({ example: "asha@example.com" }),
  phone_number: clearable(identifierText).meta({ example: "9841234567" }),
  reason: optionalReason.meta({ description: "Required where username, email or phone_number changes." }),
  profile_picture: clearable(httpsUrl),
  ...profileFields,
});

const changeSpec = {
  path: "/users/{id}",
  tag,
  description:
    "Changes what is sent and leaves the rest as it is. A changed email or phone_number is unverified, ends the user's " +
    "sessions, and is told to the one before it.",
  params,
  body: change,
  data: personView,
  message: "The changes are saved.",
  errors: ["not_found", "user_already_exists", "username_taken", "conflict"] as ("not_found" | "conflict")[],
};

export const putUser = staffEndpoint(
  { ...changeSpec, method: "put", summary: "Change a user; null clears" },
  async (deps, { body: { reason, ...given }, caller, client, params, origin }) =>
    viewDetail(deps, await updatePerson(deps, actorOf(client, caller, params.id), given, reason), caller, origin),
);

export const patchUser = staffEndpoint(
  { ...changeSpec, method: "patch", summary: "Change a user; null is ignored" },
  async (deps, { body: { reason, ...given }, caller, client, params, origin }) => {
    const actor = actorOf(client, caller, params.id);
    return viewDetail(deps, await updatePerson(deps, actor, withoutNulls(given), reason), caller, origin);
  },
);

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

export const getSessionsOfUser = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/sessions",
    tag,
    summary: "A user's sessions",
    params,
    data: z.array(sessionView),
    message: "The user's sessions.",
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => {
    const found = await getUserSessions(deps, caller, params.id);
    return { data: found.map((session) => viewSession(session, caller.sessionId)) };
  },
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

const ordered = "The report will be there soon.";

export const postUserReport = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/analytics-report",
    tag,
    summary: "Order a user's analytics report",
    params,
    data: z.object({ message: z.string() }),
    message: ordered,
    status: 202,
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => {
    await orderReport(deps, caller, params.id);
    return { data: { message: ordered } };
  },
);

export const getUserReport = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/analytics-report",
    tag,
    summary: "A user's analytics report",
    description: "Kept for an hour after it was made.",
    params,
    data: reportView,
    message: "The report.",
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({
    data: (await getReport(deps, caller, params.id)) as z.input<typeof reportView>,
  }),
);

export const getUserAuditLogs = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/audit-logs",
    tag,
    summary: "What was done to and by a user, newest first",
    params,
    query: z.object({ page_size: pageSizeField, cursor: cursorField }),
    data: z.object({ results: z.array(auditLogView), next_cursor: z.string().nullable() }),
    message: "The audit log.",
    errors: ["not_found"],
  },
  async (deps, { caller, params, query }) => {
    const { results, nextCursor } = await getAuditLogs(deps, caller, params.id, query);
    return { data: { results: results.map(viewAuditLog), next_cursor: nextCursor } };
  },
);
