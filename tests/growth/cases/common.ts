import type { Operation } from "../../fuzz/operations.ts";
import { newIp } from "../../support/client.ts";
import { type Case, given, PLAIN_HTTP, type Stage } from "../case.ts";

const BIG = 70_000;
/** Larger than the limit of uploads. */
const HUGE = 20 * 1024 * 1024;
/** A multipart body with a file larger than the limit of uploads. */
const hugeFile = () =>
  new Blob([
    '--x\r\ncontent-disposition: form-data; name="document_front"; filename="a.jpg"\r\n\r\n',
    new Uint8Array(HUGE),
  ]);
const JSON_TYPE = { "content-type": "application/json" };

export const refusing = { limit: async () => ({ success: false }) } as unknown as RateLimit;

/** A caller who may call the operation. */
const callerOf = ({ isForStaff, isGuarded }: Operation, { user, admin }: Stage) =>
  isForStaff ? { token: admin.access } : isGuarded ? { token: user.access } : {};

/** These end the caller's session or account if they succeed, so their own cases create users for them. */
const LAST = ["DELETE /api/auth/account", "DELETE /api/auth/sessions"];

/** Cases of every operation: no token, a token of an ended session, an invalid body and an invalid path. */
export function commonCases(operation: Operation): Case[] {
  const { name, isGuarded, isForStaff, body, query, pathParameters, statuses } = operation;
  const from = (what: string, prepare: (stage: Stage) => object) =>
    given(name, what, async (stage) => ({ ip: newIp(), ...callerOf(operation, stage), ...prepare(stage) }));
  const found: (Case | false | undefined)[] = [
    isGuarded && given(name, "without a token", async () => ({})),
    isGuarded &&
      from("with the token of an ended session", ({ ended }) => ({ token: ended.access, ...emptyBody(operation) })),
    isForStaff &&
      from("by staff without the passkey that they need", ({ admin }) => ({
        token: admin.access,
        env: { STAFF_PASSKEYS: "required" } as unknown as Partial<Env>,
        ...emptyBody(operation),
      })),
    isForStaff && from("by a user", ({ user }) => ({ token: user.access, ...emptyBody(operation) })),
    pathParameters.length > 0 && from("with an invalid id", () => ({ id: "x".repeat(300), ...emptyBody(operation) })),
    pathParameters.length > 0 && from("with an unknown id", () => emptyBody(operation)),
    query.length > 0 &&
      from("with an invalid query", () => ({
        query: query.map((each) => `${each.name}=%00&${each.name}=x`).join("&"),
      })),
    body && from("with a malformed body", () => ({ raw: "{", headers: JSON_TYPE })),
    body &&
      from("with invalid fields", () => ({
        json: Object.fromEntries(Object.keys(body.fields).map((field) => [field, { no: 1 }])),
      })),
    body &&
      from("with too large a body", () => ({
        raw: body.takesJson === false ? hugeFile() : new Uint8Array(BIG),
        headers: body.takesJson ? JSON_TYPE : { "content-type": "multipart/form-data; boundary=x" },
      })),
    body && from("with a body of another type", () => ({ raw: "x", headers: { "content-type": "text/plain" } })),
    statuses.includes(429) &&
      !LAST.includes(name) &&
      from("beyond the limiter", () => ({
        env: { RATE_LIMITER: refusing, USER_RATE_LIMITER: refusing },
        ...emptyBody(operation),
      })),
    !LAST.includes(name) && from("over plain http in production", () => PLAIN_HTTP),
    !LAST.includes(name) && from("as it is", () => emptyBody(operation)),
  ];
  return found.filter((each) => typeof each === "object");
}

const emptyBody = ({ body }: Operation) => (body?.takesJson ? { json: {} } : body ? { multipart: { a: "b" } } : {});
