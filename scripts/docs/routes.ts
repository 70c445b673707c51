import { routes } from "../../src/app.ts";
import { byStatus } from "../../src/platform/openapi/failures.ts";
import { code, table } from "./markdown.ts";

/** Who may call a route, by the name of its guard. */
const callers: Readonly<Record<string, string>> = {
  publicAccess: "anyone",
  authenticated: "user",
  authenticatedOrExpired: "user, also with an expired access token",
  staff: "staff",
  admin: "admin",
  flowOwner: "the browser of the flow",
  documentLink: "whoever has the link",
  developmentOnly: "anyone, in development",
  consoleVisitor: "anyone, where the console is on",
  consolePage: "the console's page",
};

/** What the first limiters count, by the limit of the route table. */
const limits: Readonly<Record<string, string>> = {
  "-": "–",
  "otp/network": "codes",
  "social-start/network": "social start",
  "social-token/network": "social token",
  "passkey/network": "passkeys",
  "sign-in-refusals/network": "refused sign-ins",
  "console/network": "console session",
  "writes/user": "writes of the user",
  "writes/session": "writes of the session",
  "writes/service": "writes of the session",
};

/** Codes that many routes share; the page explains them once. */
const COMMON: ReadonlySet<string> = new Set([
  "https_required",
  "internal_error",
  "service_unavailable",
  "method_not_allowed",
  "validation_error",
  "payload_too_large",
  "unsupported_media_type",
  "authentication_required",
  "token_not_valid",
  "permission_denied",
  "rate_limit_exceeded",
  "idempotency_key_reused",
]);

/** Routes that the OpenAPI document leaves out, because they are pages for people. */
const pages: Readonly<Record<string, string>> = {
  "GET /dev/outbox": "Show the messages that would have been sent",
  "GET /example": "Show the example app of the client package",
  "GET /example/{file}": "Serve the script of the example app",
  "GET /": "Redirect to /api/docs",
  "GET /docs": "Redirect to /api/docs",
  "GET /api/docs/{file}": "Serve a file of the docs page",
  "GET /console/files/{file}": "Serve a file of the staff console",
  "GET /console/{screen}": "Show the staff console; the page finds the screen",
};

/** Every route of the route table: who may call it, its first limiter, what it does, and the error codes of its own. */
export function routeTable(): string[] {
  const rows = routes.map(({ name, guard, limit, describe }) => {
    const operation = describe?.();
    const codes = [...byStatus(operation?.errors ?? []).values()].flat();
    return [
      code(name),
      known(callers, guard.name),
      known(limits, limit),
      operation?.summary ?? known(pages, name),
      codes
        .filter((each) => !COMMON.has(each))
        .map(code)
        .join(", "),
    ];
  });
  return table(["Route", "Who may call", "First limiter", "What it does", "Errors of its own"], rows);
}

/** @throws Error when a guard, limit or page has no words here. */
function known(words: Readonly<Record<string, string>>, name: string): string {
  const found = words[name];
  if (found === undefined) throw new Error(`routes: not described: ${name}`);
  return found;
}
