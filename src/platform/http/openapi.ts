import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import { z } from "zod";
import type { AppEnv } from "./app-env.ts";
import type { GuardedEndpoint } from "./endpoint.ts";
import { describeBody } from "./endpoint-body.ts";
import { type ErrorCode, errorCatalogue } from "./errors.ts";
import { type FieldErrorCode, fieldErrorCatalogue } from "./field-errors.ts";

const waiting = new WeakMap<OpenAPIHono<AppEnv>, (() => RouteConfig)[]>();

/** Leaves a route's description to be made when the document is asked for: a Worker that starts has no use for it. */
export function deferDescription(app: OpenAPIHono<AppEnv>, route: () => RouteConfig): void {
  const routes = waiting.get(app) ?? [];
  routes.push(route);
  waiting.set(app, routes);
}

/** Makes the descriptions that are still to be made. */
export function registerDeferredRoutes(app: OpenAPIHono<AppEnv>): void {
  for (const route of waiting.get(app) ?? []) app.openAPIRegistry.registerPath(route());
  waiting.delete(app);
}

/** What any route can answer with. */
export const EVERY_ROUTE: ErrorCode[] = ["https_required", "internal_error", "service_unavailable"];
/** The answer to `If-None-Match` with the present `ETag`. */
export const NOT_MODIFIED = { 304: { description: "The caller's copy is the present one." } };
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

/** `post /auth/otp/request` as `postAuthOtpRequest`, for generated clients. */
function operationIdOf({ method, path }: { method: string; path: string }): string {
  const words = path.split(/[^A-Za-z]+/).filter(Boolean);
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

const idempotencyKeyHeader = z
  .string()
  .max(255)
  .optional()
  .describe("The same key and body give the same answer and no second effect.");

const rateLimitHeaders = z.object({
  RateLimit: z.string().describe("What is left: r attempts, t seconds until there are more."),
  "RateLimit-Policy": z.string().describe("The limit: q attempts in w seconds."),
});

/** The failure answers of an operation, grouped by status as OpenAPI has them. */
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

/** The failure shape, with the codes that one status can carry. */
export function failureSchema(codes: ErrorCode[]) {
  return z.object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(codes as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      details: z
        .record(z.string(), z.array(z.string()))
        .optional()
        .describe("What is wrong with each field, in sentences for people."),
      fields: z
        .record(z.string(), z.array(fieldErrorSchema))
        .optional()
        .describe("The same in codes, with the numbers and names that the sentences mention."),
    }),
    request_id: z.string(),
  });
}
