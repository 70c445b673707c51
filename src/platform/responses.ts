import type { Context } from "hono";
import { raiseAlert } from "./alerts.ts";
import type { AppEnv } from "./app-env.ts";
import { AppError, errorCatalogue } from "./errors.ts";
import { describeError, nameOf, traceOf } from "./log.ts";

/** The one place that turns an error into a response; what is not an AppError is a 500 and says nothing. */
export function respondToError(error: unknown, c: Context<AppEnv>): Response {
  const known = error instanceof AppError ? error : new AppError("internal_error", { cause: error });
  const { status } = errorCatalogue[known.code];
  const log = c.get("log");
  const { cause } = known.options;
  // The message of an error that nobody expected may hold values; its name and its frames do not.
  const describe = status === 500 ? nameOf : describeError;
  const reason = known.options.reason ?? (cause ? describe(cause) : undefined);
  if (status === 500)
    raiseAlert({ log }, "request_failed", { code: known.code, reason, trace: traceOf(cause ?? known) });
  c.set("outcome", { code: known.code, reason });
  for (const [name, value] of Object.entries(known.options.headers ?? {})) c.header(name, value);
  if (known.options.retryAfterSeconds !== undefined) {
    c.header("Retry-After", String(Math.max(1, known.options.retryAfterSeconds)));
  }
  // RFC 6750 section 3.
  if (status === 401) c.header("WWW-Authenticate", challengeOf(known));
  return c.json(failureBody(known, c.get("requestId")), status);
}

function challengeOf(error: AppError): string {
  return error.code === "token_not_valid" ? 'Bearer error="invalid_token"' : "Bearer";
}

/** The failure shape of every answer. */
export function failureBody(error: AppError, requestId: string) {
  const { details, data } = error.options;
  return {
    success: false as const,
    error: { code: error.code, message: error.message, ...(details ? { details } : {}) },
    ...(data === undefined ? {} : { data }),
    request_id: requestId,
  };
}
