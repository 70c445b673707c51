import type { getMyIdentity } from "../../src/auth/identity/identity.routes.ts";
import type { requestOtp, verifyCode } from "../../src/auth/otp/otp.routes.ts";
import type { deletePasskey, postPasskey, postPasskeyOptions } from "../../src/auth/passkey/own-passkeys.routes.ts";
import type { startPasskeyLogin } from "../../src/auth/passkey/passkey-login.routes.ts";
import type { postProof } from "../../src/auth/proof/proof.routes.ts";
import type { postConsoleSession, refreshConsoleSession } from "../../src/console/console-session.routes.ts";
import type {
  deleteSessionsOfUser,
  postPasskeyReset,
  postUserStatus,
  postUserUnlock,
  putUserRole,
} from "../../src/staff/access/account-access.routes.ts";
import type { getUserAccessState } from "../../src/staff/access/user-access.routes.ts";
import type { getUsers } from "../../src/staff/directory/directory.routes.ts";
import type { getStaffDelivery } from "../../src/staff/figures/delivery.routes.ts";
import type { getStaffOverview } from "../../src/staff/figures/overview.routes.ts";
import type { getUserKyc } from "../../src/staff/kyc-review/kyc-case.routes.ts";
import type { getKycSubmissions, patchUserKyc } from "../../src/staff/kyc-review/kyc-review.routes.ts";
import type { getDeadLetters, postDeadLetters } from "../../src/staff/operations/dead-letters.routes.ts";
import type { getStaffJobs } from "../../src/staff/operations/jobs.routes.ts";
import type { getStaffAuditLogs, getStaffMembers } from "../../src/staff/operations/members.routes.ts";
import type { getUserAuditLogs } from "../../src/staff/users/audit-log.routes.ts";
import type { postUserNote } from "../../src/staff/users/note.routes.ts";
import type { postUserReveal } from "../../src/staff/users/reveal.routes.ts";
import type {
  getSessionsOfUser,
  getUser,
  getUserReport,
  patchUser,
  postUser,
  postUserReport,
} from "../../src/staff/users/user-detail.routes.ts";

// The types of the routes come from their declarations on the server; nothing is generated or written twice.

type Declared =
  | typeof requestOtp
  | typeof verifyCode
  | typeof startPasskeyLogin
  | typeof getMyIdentity
  | typeof postProof
  | typeof postPasskeyOptions
  | typeof postPasskey
  | typeof deletePasskey
  | typeof getUsers
  | typeof postUser
  | typeof getUser
  | typeof patchUser
  | typeof postUserStatus
  | typeof postUserUnlock
  | typeof postPasskeyReset
  | typeof putUserRole
  | typeof getSessionsOfUser
  | typeof deleteSessionsOfUser
  | typeof getUserAuditLogs
  | typeof getUserReport
  | typeof postUserReport
  | typeof postUserReveal
  | typeof postUserNote
  | typeof getUserAccessState
  | typeof getStaffOverview
  | typeof getStaffDelivery
  | typeof getUserKyc
  | typeof getDeadLetters
  | typeof postDeadLetters
  | typeof getStaffJobs
  | typeof getStaffMembers
  | typeof getStaffAuditLogs
  | typeof getKycSubmissions
  | typeof patchUserKyc;

type TypesOf<E> = E extends { readonly types?: infer T } ? NonNullable<T> : never;
interface RouteType {
  name: string;
  body: unknown;
  query: unknown;
  data: unknown;
}

/** Every route that the console calls, by method and path: what it takes and the `data` of its answer. */
export type Routes = { [T in TypesOf<Declared> as (T & RouteType)["name"]]: T };

/** Name of a route, such as `GET /users/{id}`. */
export type RouteName = keyof Routes;

/** `data` of the answer of a route. */
export type DataOf<N extends RouteName> = Routes[N]["data"];

/** What a route takes: the parts of its path, its query and its body, as far as it has them. */
export type InputOf<N extends RouteName> = (N extends `${string}{${string}` ? { id: string } : { id?: undefined }) &
  (undefined extends Routes[N]["query"] ? { query?: undefined } : { query?: Routes[N]["query"] }) &
  (undefined extends Routes[N]["body"] ? { body?: undefined } : { body: Routes[N]["body"] });

/** `data` of a session of the console. */
export type SessionData = TypesOf<typeof postConsoleSession>["data"];

// Compiles only if every name is a literal: a path that has widened to `string` would fit any text.
type Widened = {
  [N in RouteName]: string extends N ? N : N extends `${infer _} ${infer P}` ? (string extends P ? N : never) : never;
}[RouteName];
type SameSession = TypesOf<typeof refreshConsoleSession>["data"] extends SessionData | null ? true : never;
export const areNamesExact: [Widened] extends [never] ? SameSession : never = true;
