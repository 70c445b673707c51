import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import { z } from "zod";
import type { AppEnv } from "./app-env.ts";
import { IDEMPOTENCY_KEY } from "./client.ts";
import type { GuardedEndpoint } from "./endpoint.ts";
import { describeBody } from "./endpoint-body.ts";
import { type ErrorCode, errorCatalogue } from "./errors.ts";
import { type FieldErrorCode, fieldErrorCatalogue } from "./field-errors.ts";

const waiting = new WeakMap<OpenAPIHono<AppEnv>, (() => RouteConfig)[]>();

/**
 * Defers the description of a route until the document is requested, because building it would slow the Worker's start.
 */
export function deferDescription(app: OpenAPIHono<AppEnv>, route: () => RouteConfig): void {
  const routes = waiting.get(app) ?? [];
  routes.push(route);
  waiting.set(app, routes);
}

/** Registers all deferred descriptions. */
export function registerDeferredRoutes(app: OpenAPIHono<AppEnv>): void {
  if (!waiting.has(app)) return;
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
  });
  for (const route of waiting.get(app) ?? []) app.openAPIRegistry.registerPath(route());
  waiting.delete(app);
}

/** Error codes of every route. */
export const EVERY_ROUTE: ErrorCode[] = ["https_required", "internal_error", "service_unavailable"];
/** Response to `If-None-Match` with the current `ETag`. */
export const NOT_MODIFIED = { 304: { description: "The caller's copy is current." } };
const EVERY_BODY: ErrorCode[] = ["validation_error", "payload_too_large", "unsupported_media_type"];

export function describe(base: string, { spec, security, errors }: GuardedEndpoint): RouteConfig {
  const codes = new Set([
    ...errors,
    ...EVERY_ROUTE,
    ...(spec.body ? EVERY_BODY : []),
    ...(spec.params || spec.query ? (["validation_error"] as const) : []),
  ]);
  if (spec.idempotent) codes.add("idempotency_key_reused").add("validation_error");
  const success = z.object({
    success: z.literal(true),
    message: z.string(),
    data: spec.data,
    ...spec.beside,
  });
  const requestBody = describeBody(spec);
  return createRoute({
    method: spec.method,
    path: base + spec.path,
    tags: [spec.tag],
    operationId: operationIdOf(spec),
    summary: spec.summary,
    description: spec.description,
    ...(security ? { security: [{ [security]: [] }] } : {}),
    request: {
      ...(spec.params instanceof z.ZodObject ? { params: spec.params } : {}),
      ...(spec.query instanceof z.ZodObject ? { query: spec.query } : {}),
      ...(spec.idempotent ? { headers: z.object({ "Idempotency-Key": idempotencyKeyHeader }) } : {}),
      ...(requestBody ? { body: requestBody } : {}),
    },
    responses: {
      [spec.status ?? 200]: {
        description: spec.message.en,
        ...(spec.limited ? { headers: rateLimitHeaders } : {}),
        content: { "application/json": { schema: success } },
      },
      ...failures([...codes]),
    },
  });
}

/** Operation id for generated clients: `post /auth/otp/request` becomes `postAuthOtpRequest`. */
function operationIdOf({ method, path }: { method: string; path: string }): string {
  const words = path.split(/[^A-Za-z]+/).filter(Boolean);
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

const idempotencyKeyHeader = z
  .string()
  .regex(IDEMPOTENCY_KEY)
  .optional()
  .describe(
    "A new UUID for each operation. Repeating a call with the same key and body returns the same response and has no " +
      "second effect.",
  );

const rateLimitHeaders = z.object({
  RateLimit: z.string().describe("Remaining calls (r) and seconds until the limit resets (t)."),
  "RateLimit-Policy": z.string().describe("The limit: q calls in w seconds."),
});

/** The error responses of an operation, grouped by status as OpenAPI requires. */
export function failures(codes: ErrorCode[]): RouteConfig["responses"] {
  const byStatus = Map.groupBy(codes, (code) => errorCatalogue[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${errorCatalogue[code].message.en}`).join("\n\n"),
        content: { "application/json": { schema: failureSchema(group) } },
      },
    ]),
  );
}

const fieldErrorSchema = z.object({
  code: z.enum(Object.keys(fieldErrorCatalogue) as [FieldErrorCode, ...FieldErrorCode[]]),
  min: z.number().optional(),
  max: z.number().optional(),
  choices: z.array(z.string()).optional(),
  earliest: z.iso.date().optional(),
  format: z.string().optional(),
});

/** Schema of an error response with the given codes. */
export function failureSchema(codes: ErrorCode[]) {
  return z.object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(codes as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      details: z.record(z.string(), z.array(z.string())).optional().describe("Messages for people, by field."),
      fields: z
        .record(z.string(), z.array(fieldErrorSchema))
        .optional()
        .describe("The same errors as codes, with the values that the messages mention."),
    }),
    request_id: z.string(),
  });
}
