import { z } from "zod";
import type { GuardedEndpoint } from "../http/endpoint.ts";
import type { FileSpec } from "../http/endpoint-body.ts";
import type { ErrorCode } from "../http/errors.ts";
import type { HeaderName } from "./headers.ts";
import type { Json } from "./schemas.ts";
import type { Tag } from "./tags.ts";

/** An operation of the document, before its schemas are written. */
export interface Operation {
  operationId: string;
  tag: Tag;
  summary: string;
  description: string;
  isDeprecated?: boolean;
  /** Absent on operations that anyone may call. */
  security?: "bearer" | undefined;
  /** The role that the caller needs. */
  role?: "staff" | "admin" | undefined;
  params?: z.ZodType | undefined;
  query?: z.ZodType | undefined;
  /** Whether it honours `Idempotency-Key`. */
  isIdempotent?: boolean | undefined;
  body?: RequestBody | undefined;
  /** Responses by status. A status that is absent here is a failure, described by the codes of `errors`. */
  responses: Readonly<Record<number, Response>>;
  errors: readonly ErrorCode[];
}

/** A request body. Only one media type is described, although forms with the same fields are accepted too. */
interface RequestBody {
  schema: z.ZodType;
  files?: Readonly<Record<string, FileSpec>> | undefined;
  isRequired: boolean;
  /** Absent if no body can serve as an example, because it depends on an earlier call. */
  example?: Json | undefined;
}

interface Response {
  description: string;
  headers?: readonly HeaderName[];
  /** Error codes, if it is a failure with a shape of its own. */
  codes?: readonly ErrorCode[];
  /** Schemas by media type. */
  content?: Readonly<Record<string, z.ZodType | Json>>;
}

/** Error codes of every route. */
export const EVERY_ROUTE: readonly ErrorCode[] = [
  "https_required",
  "method_not_allowed",
  "internal_error",
  "service_unavailable",
];
/** Error codes of every route with a body, besides `validation_error`. */
export const EVERY_BODY: readonly ErrorCode[] = ["payload_too_large", "unsupported_media_type"];

/** Response to `If-None-Match` with the current `ETag`. */
export const NOT_MODIFIED = { 304: { description: "The caller's copy is current.", headers: ["ETag"] } } as const;

/** A file of a response. */
export const BINARY: Json = { type: "string", format: "binary" };

/** What every response with the JSON envelope has. */
export const successSchema = z.object({ success: z.boolean(), message: z.string() }).meta({ id: "Success" });

/** The JSON envelope with this `data`, and with members beside it. */
export const envelopeOf = (data: z.ZodType, beside: z.ZodRawShape = {}) =>
  successSchema.extend({ data, ...beside }).meta({ base: "Success" });

/** Describes an endpoint with the JSON envelope. */
export function describeEndpoint({ spec, security, role, errors }: GuardedEndpoint): Operation {
  const { body, files, example } = spec;
  const limitHeaders = spec.limited ? (["RateLimit", "RateLimit-Policy"] as const) : [];
  return {
    operationId: spec.operationId,
    tag: spec.tag,
    summary: spec.summary,
    description: spec.description,
    isDeprecated: spec.deprecated !== undefined,
    security,
    role,
    params: spec.params,
    query: spec.query,
    isIdempotent: spec.idempotent,
    body: body && { schema: body, files, isRequired: isBodyRequired(body, files), example },
    responses: {
      [spec.status ?? 200]: {
        description: spec.message.en,
        headers: limitHeaders,
        content: { "application/json": envelopeOf(spec.data, spec.beside) },
      },
    },
    errors: [
      ...errors,
      ...EVERY_ROUTE,
      ...(body ? EVERY_BODY : []),
      ...(body || spec.params || spec.query || spec.idempotent ? (["validation_error"] as const) : []),
      ...(spec.idempotent ? (["idempotency_key_reused"] as const) : []),
    ],
  };
}

function isBodyRequired(body: z.ZodType, files: Readonly<Record<string, FileSpec>> = {}): boolean {
  return Object.values(files).some(({ required }) => required) || !body.safeParse({}).success;
}
