import { decodeJwt, decodeProtectedHeader } from "jose";
import { forge, type SigningJwk, signerOf } from "../sessions/jwt-corpus.ts";
import { type CallOptions, newPhone, type SignedIn, testEnv } from "./client.ts";

/** Who may call a route. */
export type Guard = "anyone" | "user" | "staff" | "admin";

/** A call of a route that passes its guard, and the expected response. */
export interface Expectation {
  guard: Guard;
  /** Status for permitted callers; for `anyone`, with any token. */
  status: number;
  /** Call options; a function if each call needs its own. */
  options?: () => CallOptions;
  query?: string;
  /** Options for callers who are refused: without the refusal, the call would change data. `options` by default. */
  attempt?: () => CallOptions;
  /** The call ends the caller's session or account. */
  isLast?: true;
  /** Status with an expired access token, if it is not refused for that. */
  expired?: number;
  /** The call is refused for its content, with the same status, before the session is checked. */
  isRefusedFirst?: true;
  /** Staff and admins need a passkey, which these callers have not used. */
  needsPasskey?: true;
}

const anyone = (status: number, options?: () => CallOptions, query?: string): Expectation => ({
  guard: "anyone",
  status,
  ...(options ? { options } : {}),
  ...(query ? { query } : {}),
});
const json = (body: unknown) => () => ({ json: body });
const user = (status: number, more: Partial<Expectation> = {}): Expectation => ({ guard: "user", status, ...more });
const admin = (status: number, more: Partial<Expectation> = {}): Expectation => ({ guard: "admin", status, ...more });
const staff = (status: number, more: Partial<Expectation> = {}): Expectation => ({ guard: "staff", status, ...more });

const reason = "asked by phone";

/** Type of a dead letter that waits while the matrix is tried. */
export const WAITING_LETTER = "matrix.waiting";

/** Expectations for each route of the OpenAPI document. */
export const expectations: Record<string, Expectation> = {
  "POST /api/auth/otp/request": anyone(400, json({})),
  "POST /api/auth/otp/verify": anyone(400, json({})),
  "POST /api/auth/register": anyone(400, json({})),
  "POST /api/auth/login": anyone(400, json({})),
  "POST /api/auth/passkey/options": anyone(200),
  "POST /api/auth/passkey/login": anyone(400, json({})),
  "POST /api/auth/passkeys/options": user(404, { options: json({ purpose: "PROOF" }) }),
  "POST /api/auth/passkeys": user(400, { options: json({}), isRefusedFirst: true }),
  "PATCH /api/auth/passkeys/{id}": user(404, { options: json({ name: "Laptop" }) }),
  "DELETE /api/auth/passkeys/{id}": user(404),
  "POST /api/auth/refresh": anyone(400, json({})),
  "POST /api/auth/logout": user(400, { options: json({}), expired: 400, isRefusedFirst: true }),
  "GET /api/auth/google/login": anyone(200),
  "GET /api/auth/apple/login": anyone(200),
  "GET /api/auth/google/start": anyone(400),
  "GET /api/auth/apple/start": anyone(400),
  "GET /api/auth/google/callback": anyone(303),
  "POST /api/auth/apple/callback": anyone(303, () => ({ form: { state: "x" } })),
  "GET /api/auth/social/success": anyone(400, undefined, "code=x"),
  "POST /api/auth/social/success": anyone(400, json({})),
  "GET /api/auth/social/error": anyone(400),
  "POST /api/auth/google/token": anyone(400, json({})),
  "POST /api/auth/apple/token": anyone(400, json({})),
  "POST /api/auth/apple/notifications": anyone(400, json({})),
  "POST /api/auth/google/link": user(400, { options: json({}), isRefusedFirst: true }),
  "POST /api/auth/apple/link": user(400, { options: json({}), isRefusedFirst: true }),
  "DELETE /api/auth/google/link": user(404, { options: json({}) }),
  "DELETE /api/auth/apple/link": user(404, { options: json({}) }),
  "GET /api/auth/me": user(200),
  "POST /api/auth/proof": user(400, { options: json({ verification_token: "x" }) }),
  "GET /api/auth/identity": user(200),
  "PATCH /api/auth/identity": user(200, { options: json({ locale: "en" }) }),
  "PUT /api/auth/identity/email": user(400, { options: json({}), isRefusedFirst: true }),
  "DELETE /api/auth/identity/email": user(200),
  "PUT /api/auth/identity/phone": user(400, { options: json({}), isRefusedFirst: true }),
  "DELETE /api/auth/identity/phone": user(409, { needsPasskey: true }),
  "POST /api/auth/identity/dispute": anyone(400, json({})),
  "DELETE /api/auth/account": user(200, { options: json({}), isLast: true }),
  "GET /api/auth/sessions": user(200),
  "DELETE /api/auth/sessions": user(200),
  "DELETE /api/auth/sessions/{id}": user(404),
  "POST /api/auth/device": user(200, {
    options: () => ({ json: { device_id: "d", fcm_token: crypto.randomUUID(), device_type: "WEB" } }),
  }),
  "GET /api/users/profile": user(200),
  "PUT /api/users/profile": user(200, { options: json({ address: "Patan" }) }),
  "PATCH /api/users/profile": user(200, { options: json({ address: "Patan" }) }),
  "GET /api/users/notifications": user(200),
  "GET /api/users/notifications/{id}": user(404),
  "POST /api/users/notifications/read": user(200),
  "POST /api/users/notifications/{id}/read": user(404),
  "GET /api/users/wallet": user(200),
  "GET /api/users/analytics/usage-stats": user(200),
  "POST /api/users/kyc": user(400, {
    options: () => ({ multipart: { document_type: "PASSPORT" } }),
    isRefusedFirst: true,
  }),
  "PATCH /api/users/kyc": user(404, { options: json({ document_type: "PASSPORT" }) }),
  "GET /api/users/kyc": user(404),
  "GET /api/users/kyc/status": user(200),
  "GET /api/users/kyc/documents/{id}": anyone(404, undefined, "exp=1&sig=x"),
  "GET /api/users/export": user(200),
  "GET /api/users/kyc/submissions": staff(200),
  "GET /api/users/{id}/kyc": staff(404),
  "PATCH /api/users/{id}/kyc": staff(404, { options: json({ status: "REJECTED", rejection_reason: reason }) }),
  "GET /api/users": staff(200, { query: "page_size=1" }),
  "POST /api/users": staff(201, { options: () => ({ json: { identifier: newPhone() } }) }),
  "GET /api/users/{id}": staff(200),
  "POST /api/users/{id}/reveal": staff(200, { options: json({ fields: ["phone_number"] }) }),
  "GET /api/users/{id}/access": staff(200),
  "POST /api/users/{id}/notes": staff(201, { options: json({ text: reason }) }),
  "PUT /api/users/{id}": staff(200, { options: json({ address: "Patan" }) }),
  "PATCH /api/users/{id}": staff(200, { options: json({ address: "Thimi" }) }),
  "POST /api/users/{id}/status": staff(200, {
    options: json({ status: "ACTIVE", reason }),
    attempt: json({ status: "BANNED", reason }),
  }),
  "PUT /api/users/{id}/role": {
    guard: "admin",
    status: 200,
    options: json({ role: "user", reason }),
    attempt: json({ role: "staff", reason }),
  },
  "POST /api/users/{id}/unlock": staff(200, { options: json({ reason }) }),
  "POST /api/users/{id}/passkey-reset": staff(200, { options: json({ reason }) }),
  "GET /api/users/{id}/sessions": staff(200),
  "DELETE /api/users/{id}/sessions": staff(200),
  "POST /api/users/{id}/analytics-report": staff(202),
  "GET /api/users/{id}/analytics-report": staff(404),
  "GET /api/users/{id}/audit-logs": staff(200),
  "GET /api/staff/overview": staff(200),
  "GET /api/staff/delivery": staff(200),
  "GET /api/staff/members": admin(200),
  "GET /api/staff/audit-logs": admin(200, { query: `actor_id=${crypto.randomUUID()}` }),
  "GET /api/staff/dead-letters": admin(200),
  "POST /api/staff/dead-letters": admin(200, {
    options: json({ action: "DISCARD", ids: ["none"], reason }),
    attempt: json({ action: "DISCARD", type: WAITING_LETTER, before: "2100-01-01T00:00:00Z", reason }),
  }),
  "GET /api/staff/jobs": admin(200),
  "GET /api/auth/debug/headers": anyone(200),
  "GET /api/health": anyone(200),
  "GET /api/openapi.json": anyone(200),
  "GET /api/docs": anyone(200),
  "GET /.well-known/jwks.json": anyone(200),
  "GET /.well-known/apple-app-site-association": anyone(200),
  "GET /.well-known/assetlinks.json": anyone(200),
  "GET /.well-known/webauthn": anyone(200),
  "GET /console": anyone(200),
  // Called as the console's page calls them; tests/console/session.test.ts refuses every other caller.
  "POST /console/session": anyone(400, json({})),
  "POST /console/session/refresh": anyone(200),
  "DELETE /console/session": anyone(200),
};

export const COLUMNS = [
  "no token",
  "a user",
  "an inactive user",
  "a banned user",
  "staff",
  "an admin",
  "an expired token",
  "a token of a foreign audience",
  "a garbage token",
  "a user naming another",
  "staff demoted since their last call",
  "an admin demoted to staff since their last call",
  "staff whose session ended since their last call",
  "staff without the passkey that they need",
] as const;
export type Column = (typeof COLUMNS)[number];

/** The role of the callers with a live session and an active account. */
const roles: Partial<Record<Column, "user" | "staff" | "admin">> = {
  "a user": "user",
  staff: "staff",
  "an admin": "admin",
  "a user naming another": "user",
  "staff demoted since their last call": "user",
  "an admin demoted to staff since their last call": "staff",
  "staff without the passkey that they need": "staff",
};

/** Callers whose token is valid, whether or not they may act. */
const holdsValidToken: Column[] = [
  "an inactive user",
  "a banned user",
  "staff whose session ended since their last call",
];

/** Contents of a cell: status, and the error code if the caller is refused. */
export function cellOf(expectation: Expectation, column: Column): [status: number, code?: string] {
  const { guard, status, expired, isRefusedFirst, needsPasskey } = expectation;
  if (guard === "anyone") return [status];
  if (column === "no token") return [401, "authentication_required"];
  if (column === "an expired token" && expired !== undefined) return [expired];
  const role = roles[column];
  if (isRefusedFirst && holdsValidToken.includes(column)) return [status];
  if (role === undefined) return [401, "token_not_valid"];
  if (column === "staff without the passkey that they need" && guard !== "user") return [403, "passkey_required"];
  const isRefused = (guard === "staff" && role === "user") || (guard === "admin" && role !== "admin");
  if (isRefused) return [403, "permission_denied"];
  if (needsPasskey && role !== "user") return [403, "passkey_required"];
  return [status];
}

const [ownKey] = JSON.parse(testEnv.ACCESS_TOKEN_KEYS) as [SigningJwk];

/** The user's access token with other claims, correctly signed. */
export async function tokenWith({ access }: SignedIn, claims: Record<string, unknown>): Promise<string> {
  return forge(await signerOf(ownKey), decodeProtectedHeader(access), { ...decodeJwt(access), ...claims });
}
