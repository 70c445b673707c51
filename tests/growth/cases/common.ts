import type { Operation } from "../../fuzz/operations.ts";
import { newIp } from "../../support/client.ts";
import { type Case, given, PLAIN_HTTP, type Stage } from "../case.ts";

/** More than the limit of a body without files. */
const OVERSIZED_BODY_BYTES = 70_000;
/** More than the limit of uploads. */
const OVERSIZED_UPLOAD_BYTES = 20 * 1024 * 1024;
/** A multipart body with a file larger than the limit of uploads. */
const hugeFile = () =>
  new Blob([
    '--x\r\ncontent-disposition: form-data; name="document_front"; filename="a.jpg"\r\n\r\n',
    new Uint8Array(OVERSIZED_UPLOAD_BYTES),
  ]);
const JSON_TYPE = { "content-type": "application/json" };

export const exhaustedRateLimiter = { limit: async () => ({ success: false }) } as unknown as RateLimit;

/** The admin for operations of staff, the user for other guarded ones, otherwise nobody. */
const callerOf = ({ isForStaff, isGuarded }: Operation, { user, admin }: Stage) =>
  isForStaff ? { token: admin.access } : isGuarded ? { token: user.access } : {};

/** Operations that end the account or its other sessions even without a body; `sign-in-cases.ts` runs them with new users. */
const DESTRUCTIVE = ["DELETE /api/auth/account", "DELETE /api/auth/sessions"];

/** Cases that every operation has: authentication, role, path, query, body, limit, plain HTTP, and a permitted call. */
export function commonCases(operation: Operation): Case[] {
  const { name, isGuarded, isForStaff, body, query, pathParameters, statuses } = operation;
  const permitted = (what: string, prepare: (stage: Stage) => object) =>
    given(name, what, async (stage) => ({ ip: newIp(), ...callerOf(operation, stage), ...prepare(stage) }));
  const candidates: (Case | false | undefined)[] = [
    isGuarded && given(name, "without a token", async () => ({})),
    isGuarded &&
      permitted("with the token of an ended session", ({ ended }) => ({
        token: ended.access,
        ...minimalBody(operation),
      })),
    isForStaff &&
      permitted("by staff without the passkey that they need", ({ admin }) => ({
        token: admin.access,
        env: { STAFF_PASSKEYS: "required" } as unknown as Partial<Env>,
        ...minimalBody(operation),
      })),
    isForStaff && permitted("by a user", ({ user }) => ({ token: user.access, ...minimalBody(operation) })),
    pathParameters.length > 0 &&
      permitted("with an invalid id", () => ({ id: "x".repeat(300), ...minimalBody(operation) })),
    pathParameters.length > 0 && permitted("with an unknown id", () => minimalBody(operation)),
    query.length > 0 &&
      permitted("with an invalid query", () => ({
        query: query.map((each) => `${each.name}=%00&${each.name}=x`).join("&"),
      })),
    body && permitted("with a malformed body", () => ({ raw: "{", headers: JSON_TYPE })),
    body &&
      permitted("with invalid fields", () => ({
        json: Object.fromEntries(Object.keys(body.fields).map((field) => [field, { no: 1 }])),
      })),
    body &&
      permitted("with too large a body", () => ({
        raw: body.takesJson === false ? hugeFile() : new Uint8Array(OVERSIZED_BODY_BYTES),
        headers: body.takesJson ? JSON_TYPE : { "content-type": "multipart/form-data; boundary=x" },
      })),
    body && permitted("with a body of another type", () => ({ raw: "x", headers: { "content-type": "text/plain" } })),
    statuses.includes(429) &&
      !DESTRUCTIVE.includes(name) &&
      permitted("beyond the limiter", () => ({
        env: { RATE_LIMITER: exhaustedRateLimiter, USER_RATE_LIMITER: exhaustedRateLimiter },
        ...minimalBody(operation),
      })),
    !DESTRUCTIVE.includes(name) && permitted("over plain http in production", () => PLAIN_HTTP),
    !DESTRUCTIVE.includes(name) && permitted("as it is", () => minimalBody(operation)),
  ];
  return candidates.filter((each) => typeof each === "object");
}

const minimalBody = ({ body }: Operation) => (body?.takesJson ? { json: {} } : body ? { multipart: { a: "b" } } : {});
