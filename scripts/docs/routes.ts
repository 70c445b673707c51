import { app } from "../../src/app.ts";
import { registerDeferredRoutes } from "../../src/platform/http/openapi.ts";
import { code, table } from "./markdown.ts";

interface Operation {
  summary?: string;
  security?: unknown[];
  responses: Record<string, { description?: string }>;
}

/** Codes that many routes share; the page explains them once. */
const COMMON = new Set([
  "https_required",
  "internal_error",
  "service_unavailable",
  "validation_error",
  "payload_too_large",
  "unsupported_media_type",
  "authentication_required",
  "token_not_valid",
  "permission_denied",
  "rate_limit_exceeded",
  "idempotency_key_reused",
]);

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

/** Every operation of the OpenAPI document: who may call it, what it does, and the error codes of its own. */
export function routeTable(): string[] {
  registerDeferredRoutes(app);
  const { paths = {} } = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
  const rows = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = (item as Record<string, Operation | undefined>)[method];
      return operation ? [rowOf(`${method.toUpperCase()} ${path}`, operation)] : [];
    }),
  );
  return table(["Route", "Who may call", "What it does", "Errors of its own"], rows);
}

function rowOf(route: string, { summary = "", security, responses }: Operation): string[] {
  const codes = Object.values(responses).flatMap(({ description = "" }) =>
    [...description.matchAll(/^`(\w+)`:/gm)].map(([, name = ""]) => name),
  );
  const caller = !security ? "anyone" : codes.includes("permission_denied") ? "staff" : "user";
  const own = codes.filter((name) => !COMMON.has(name));
  return [code(route), caller, summary, own.map(code).join(", ")];
}
