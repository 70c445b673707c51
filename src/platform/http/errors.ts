import { type ErrorCode, errorCatalogue } from "./error-catalogue.ts";
import type { FieldError, FieldErrorCode, FieldErrors } from "./field-errors.ts";
import type { Text } from "./locale.ts";

export { type ErrorCode, errorCatalogue } from "./error-catalogue.ts";

interface AppErrorOptions {
  /** For the log only; never sent. */
  reason?: string;
  /** Replaces the catalogue's message; must be safe for anyone to read. */
  message?: Text;
  /** Errors by field; only with `validation_error`, and with `payload_too_large` if a file is too large. */
  fields?: FieldErrors;
  /** Seconds; sent as `Retry-After`. */
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
  /** Sent in addition to the error; only by the health check. */
  data?: unknown;
  cause?: unknown;
}

/** The only error that handlers throw deliberately. `code` determines status and message. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly options: AppErrorOptions;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super((options.message ?? errorCatalogue[code].message).en, { cause: options.cause });
    this.code = code;
    this.options = options;
  }
}

/** Builds a `validation_error` for one field; `members` are the values that its message mentions. */
export function fieldError(field: string, code: FieldErrorCode, members: Omit<FieldError, "code"> = {}): AppError {
  return new AppError("validation_error", { fields: { [field]: [{ code, ...members }] } });
}
