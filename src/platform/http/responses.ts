import type { Context } from "hono";
import { raiseAlert } from "../alerts.ts";
import { describeError, nameOf, traceOf } from "../log.ts";
import type { AppEnv } from "./app-env.ts";
import { readLocale } from "./client.ts";
import { AppError, errorCatalogue } from "./errors.ts";
import { type FieldErrors, fieldErrorText } from "./field-errors.ts";
import type { Locale } from "./locale.ts";

/** Turns any error into a response. Errors other than AppError become a 500 without details. */
export function respondToError(error: unknown, c: Context<AppEnv>): Response {
  const known = error instanceof AppError ? error : new AppError("internal_error", { cause: error });
  const { status } = errorCatalogue[known.code];
  const log = c.get("log");
  const { cause } = known.options;
  // The message of an unexpected error may contain values; its name and stack frames do not.
  const describe = status === 500 ? nameOf : describeError;
  const reason = known.options.reason ?? (cause ? describe(cause) : undefined);
  if (status === 500)
    raiseAlert({ log }, "request_failed", { code: known.code, reason, trace: traceOf(cause ?? known) });
  c.set("outcome", { code: known.code, reason, fields: listFields(known.options.fields) });
  for (const [name, value] of Object.entries(known.options.headers ?? {})) c.header(name, value);
  if (known.options.retryAfterSeconds !== undefined) {
    c.header("Retry-After", String(Math.max(1, known.options.retryAfterSeconds)));
  }
  // RFC 6750 section 3.
  if (status === 401 && !known.options.headers?.["WWW-Authenticate"]) c.header("WWW-Authenticate", challengeOf(known));
  const locale = readLocale(c);
  c.header("Content-Language", locale);
  return c.json(failureBody(known, c.get("requestId"), locale), status);
}

/** The fields of an error with their codes, without values: `full_name=too_short address=blank`. */
function listFields(fields: FieldErrors | undefined): string | undefined {
  if (!fields) return undefined;
  return Object.entries(fields)
    .map(([field, errors]) => `${field}=${errors.map(({ code }) => code).join(",")}`)
    .join(" ");
}

function challengeOf(error: AppError): string {
  return error.code === "token_not_valid" ? 'Bearer error="invalid_token"' : "Bearer";
}

/** Body of every error response. `details` holds messages and `fields` the same errors as codes. */
export function failureBody(error: AppError, requestId: string, locale: Locale) {
  const { message = errorCatalogue[error.code].message, fields, data } = error.options;
  return {
    success: false as const,
    error: {
      code: error.code,
      message: message[locale],
      ...(fields ? { details: sentencesOf(fields, locale), fields } : {}),
    },
    ...(data === undefined ? {} : { data }),
    request_id: requestId,
  };
}

function sentencesOf(fields: FieldErrors, locale: Locale): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, errors]) => [field, errors.map((error) => fieldErrorText(error, locale))]),
  );
}
