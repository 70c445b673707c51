import { IDEMPOTENCY_KEY } from "../http/client.ts";
import { type ErrorCode, errorCatalogue } from "../http/errors.ts";
import type { Json } from "./schemas.ts";

const text = (description: string, example: string): Json => ({ description, schema: { type: "string" }, example });

/** Response headers that the document describes, by name. */
export const responseHeaders = {
  "X-Request-Id": text("The request's id. Quote it when you contact support.", "0198c0de-0000-7000-8000-000000000000"),
  RateLimit: text("Calls that are left (r), and seconds until the limit resets (t).", '"otp-request";r=2;t=60'),
  "RateLimit-Policy": text("The limit: q calls in w seconds.", '"otp-request";q=3;w=3600'),
  "Retry-After": {
    description: "Seconds to wait before the call is repeated.",
    schema: { type: "integer", minimum: 1 },
    example: 60,
  },
  "WWW-Authenticate": text(
    'Bearer. With `error_description="expired"`, the access token has expired: refresh it and repeat the call.',
    'Bearer error="invalid_token", error_description="expired"',
  ),
  Allow: text("The methods that this path has.", "GET, PATCH"),
  ETag: text("Send it as `If-None-Match`; the response is 304 while nothing has changed.", '"4f2a"'),
  Location: text("Where the browser goes next.", "https://accounts.example.com/authorize"),
} satisfies Record<string, Json>;

export type HeaderName = keyof typeof responseHeaders;

/** The `Idempotency-Key` header, as a parameter of the operations that honour it. */
export const idempotencyKey: Json = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "A new UUID for each action of a person, and the same one for its repetitions. Repeating a call with the same key " +
    "and body returns the same response and has no second effect.",
  schema: { type: "string", minLength: 16, maxLength: 255, pattern: IDEMPOTENCY_KEY.source },
};

/** Additional headers of error responses, by status. */
const byStatus: Readonly<Record<number, HeaderName[]>> = {
  401: ["WWW-Authenticate"],
  405: ["Allow"],
  429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
  503: ["Retry-After"],
};

/** Headers of an error response. */
export function headersOfFailure(code: ErrorCode): HeaderName[] {
  return ["X-Request-Id", ...(byStatus[errorCatalogue[code].status] ?? [])];
}

/** References to headers, as a response holds them. */
export function refersToHeaders(names: readonly HeaderName[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
