import { z } from "zod";
import type { Deps } from "../../platform/deps.ts";
import type { ErrorCode } from "../../platform/http/errors.ts";
import type { FieldErrors } from "../../platform/http/field-errors.ts";
import { clearable, clearableUrl, optionalFlag } from "../../platform/http/fields.ts";
import { foldSpaces } from "../../platform/http/text.ts";
import { staffEndpoint } from "../../sessions/guard.ts";
import { sessionView, viewSession } from "../../sessions/session.views.ts";
import { checkIdentifier, identifierField } from "../../users/identifier.ts";
import { profileFields } from "../../users/profile.fields.ts";
import { checkBirth, withoutNulls } from "../../users/profile.service.ts";
import { anyUsernameField, usernameField } from "../../users/username.ts";
import { actorOf } from "./staff-action.service.ts";
import { optionalReason, params, viewDetail } from "./user-detail.fields.ts";
import {
  createUser,
  getReport,
  getUserDetail,
  getUserSessions,
  requestUserReport,
  updateUserDetail,
} from "./user-detail.service.ts";
import { maskDetail, reportView, userDetailView } from "./user-detail.views.ts";

const tag = "Staff: users" as const;

/** The same field where null, too, counts as absent. */
const unlessNull = <T extends z.ZodType>(field: T) =>
  z.preprocess((given) => (given === null ? undefined : given), field).optional();

export const postUser = staffEndpoint(
  {
    method: "post",
    path: "/users",
    home: ({ body }) => ({ identifier: body.identifier }),
    operationId: "createUser",
    tag,
    summary: "Create an account",
    description:
      "Creates an account on behalf of a user. The identifier stays unverified until the user signs in with a " +
      "one-time code.",
    example: { identifier: "9841000002", full_name: "Asha Gurung" },
    body: z.object({
      identifier: identifierField,
      username: usernameField,
      full_name: unlessNull(profileFields.full_name),
      date_of_birth: unlessNull(profileFields.date_of_birth),
      address: unlessNull(profileFields.address),
      avatar_url: unlessNull(profileFields.avatar_url),
      profile_picture: unlessNull(clearableUrl),
    }),
    check: (deps, known) => ({ ...checkIdentifier(deps, known.identifier), ...checkBirth(deps, known.date_of_birth) }),
    data: userDetailView,
    message: { en: "Account created.", ne: "खाता बन्यो।" },
    status: 201,
    errors: ["user_already_exists", "identifier_replaced", "username_taken"],
  },
  async (deps, { body, caller, client, origin }) => {
    const detail = await createUser(deps, client, caller, {
      identifier: body.identifier,
      username: body.username,
      fullName: body.full_name ?? undefined,
      dateOfBirth: body.date_of_birth ?? undefined,
      address: body.address ?? undefined,
      profilePicture: body.profile_picture ?? undefined,
      avatarUrl: body.avatar_url ?? undefined,
    });
    return viewDetail(deps, detail, caller, origin);
  },
);

export const getUser = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}",
    hasEffect: true,
    operationId: "getUser",
    tag,
    summary: "Get a user",
    description:
      "Each call is recorded in the user's audit log. With `mask`, email, phone number, provider data, date of birth and " +
      "address are null, and `hidden` names those that the user has; `POST /api/users/{id}/reveal` shows them.",
    params,
    query: z.object({
      mask: optionalFlag.meta({ description: "Whether to leave out the fields that `hidden` can name." }),
    }),
    data: userDetailView,
    message: { en: "User.", ne: "प्रयोगकर्ता।" },
    errors: ["not_found", "rate_limit_exceeded"],
  },
  async (deps, { caller, client, params, query, origin }) => {
    const shown = await viewDetail(deps, await getUserDetail(deps, client, caller, params.id), caller, origin);
    return query.mask ? { data: maskDetail(shown.data) } : shown;
  },
);

const identifierText = z.string().max(254);
const change = z
  .object({
    username: anyUsernameField,
    email: clearable(identifierText, foldSpaces).meta({ description: "An email address." }),
    phone_number: clearable(identifierText, foldSpaces).meta({
      description: "A mobile number of a supported country.",
    }),
    reason: optionalReason.meta({ description: "Required if username, email or phone_number changes." }),
    profile_picture: clearableUrl,
    ...profileFields,
  })
  .meta({ id: "UserChange", base: "ProfileChange" });

const check = (deps: Deps, { email, phone_number, date_of_birth }: Partial<z.output<typeof change>>): FieldErrors => ({
  ...checkIdentifier(deps, email, { field: "email", kind: "email" }),
  ...checkIdentifier(deps, phone_number, { field: "phone_number", kind: "phone" }),
  ...checkBirth(deps, date_of_birth),
});

const changeSpec = {
  path: "/users/{id}" as const,
  tag,
  description:
    "Fields that are not sent keep their values. A changed email or phone_number becomes unverified, ends all of the " +
    "user's sessions, and sends a notice to the previous address or number; for staff it needs a passkey of the last 10 minutes.",
  params,
  example: { full_name: "Asha Gurung", address: "Lakeside, Pokhara" },
  body: change,
  check,
  data: userDetailView,
  message: { en: "Changes saved.", ne: "परिवर्तन सुरक्षित भयो।" },
  errors: [
    "not_found",
    "user_already_exists",
    "identifier_replaced",
    "username_taken",
    "last_sign_in_method",
  ] as ErrorCode[],
};

export const putUser = staffEndpoint(
  { ...changeSpec, method: "put", operationId: "putUser", summary: "Update a user; null clears a field" },
  async (deps, { body: { reason, ...given }, caller, client, params, origin }) =>
    viewDetail(deps, await updateUserDetail(deps, actorOf(client, caller, params.id), given, reason), caller, origin),
);

export const patchUser = staffEndpoint(
  {
    ...changeSpec,
    method: "patch",
    operationId: "updateUser",
    summary: "Update a user; null is ignored",
    description: "Works as PUT otherwise.",
  },
  async (deps, { body: { reason, ...given }, caller, client, params, origin }) => {
    const actor = actorOf(client, caller, params.id);
    return viewDetail(deps, await updateUserDetail(deps, actor, withoutNulls(given), reason), caller, origin);
  },
);

export const getSessionsOfUser = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/sessions",
    operationId: "listUserSessions",
    tag,
    summary: "List a user's sessions",
    description: "Lists the user's active sessions.",
    params,
    data: z.array(sessionView),
    message: { en: "The user's sessions.", ne: "प्रयोगकर्ताका सत्रहरू।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => {
    const found = await getUserSessions(deps, caller, params.id);
    return { data: found.map((session) => viewSession(session, caller.sessionId)) };
  },
);

const requested = { en: "Report requested. It will be ready soon.", ne: "प्रतिवेदन मागियो। केही बेरमा तयार हुन्छ।" };

export const postUserReport = staffEndpoint(
  {
    method: "post",
    path: "/users/{id}/analytics-report",
    operationId: "requestUserReport",
    tag,
    summary: "Request an analytics report",
    description: "Starts a report about the user's usage. Poll the GET of this path until the report is ready.",
    params,
    data: z.object({ message: z.string() }),
    message: requested,
    status: 202,
    errors: ["not_found"],
  },
  async (deps, { caller, client, params }) => {
    await requestUserReport(deps, caller, params.id);
    return { data: { message: requested[client.locale] } };
  },
);

export const getUserReport = staffEndpoint(
  {
    method: "get",
    path: "/users/{id}/analytics-report",
    operationId: "getUserReport",
    tag,
    summary: "Get an analytics report",
    description: "Responds with 404 until the report is ready. A report is available for one hour.",
    params,
    data: reportView,
    message: { en: "Report.", ne: "प्रतिवेदन।" },
    errors: ["not_found"],
  },
  async (deps, { caller, params }) => ({
    data: (await getReport(deps, caller, params.id)) as z.input<typeof reportView>,
  }),
);
