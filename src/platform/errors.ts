import type { ContentfulStatusCode } from "hono/utils/http-status";

/** Every code this API can answer with: its HTTP status and the message a person reads. */
export const errorCatalogue = {
  validation_error: { status: 400, message: "Some fields are missing or not valid." },
  invalid_otp: { status: 400, message: "The code is wrong or has expired. Check it, or request a new one." },
  invalid_token: {
    status: 400,
    message: "The verification token is not valid or has expired. Verify a new code and try again.",
  },
  social_auth_failed: { status: 400, message: "Signing in did not work. Try again, or choose another way." },
  id_token_stale: {
    status: 400,
    message: "This sign-in was used already or is too old. Sign in with Google or Apple again.",
  },
  access_denied: { status: 400, message: "You did not finish signing in there. Try again when you like." },
  refresh_token_required: { status: 400, message: "Send the refresh token as refresh_token." },
  authentication_required: { status: 401, message: "Sign in to do this." },
  token_not_valid: { status: 401, message: "The token is invalid." },
  permission_denied: { status: 403, message: "You are not allowed to do this." },
  reauthentication_required: {
    status: 403,
    message: "Sign in again to do this, or send a fresh verification_token.",
  },
  https_required: { status: 403, message: "Use https to call this address." },
  account_inactive: { status: 403, message: "This account has been deactivated. Contact support." },
  not_found: { status: 404, message: "There is nothing at this address." },
  user_not_found: { status: 404, message: "There is no account for this identifier yet. Register instead." },
  method_not_allowed: { status: 405, message: "This address does not answer that method." },
  user_already_exists: { status: 409, message: "There is already an account for this identifier. Log in instead." },
  username_taken: { status: 409, message: "This username is taken. Choose another one." },
  link_required: {
    status: 409,
    message: "An account has this e-mail address already. Sign in with a one-time code, then link the provider.",
  },
  open_rental: { status: 409, message: "You have an open rental. Return the power bank, then try again." },
  debt_due: { status: 409, message: "Your wallet balance is negative. Pay what you owe, then try again." },
  last_sign_in_method: { status: 409, message: "This is your only way to sign in. Add another one first." },
  last_admin: { status: 409, message: "You are the last admin. Make somebody else an admin first." },
  kyc_already_approved: { status: 409, message: "Your identity is verified already. It cannot be changed." },
  kyc_not_viewed: { status: 409, message: "Open the link of each document first, then approve." },
  kyc_version_stale: { status: 409, message: "The documents were submitted again. Look at the new ones first." },
  provider_already_linked: {
    status: 409,
    message: "You have another account of this provider linked. Unlink that one first.",
  },
  conflict: { status: 409, message: "This cannot be done now." },
  idempotency_key_reused: {
    status: 409,
    message: "This Idempotency-Key was already used with another request. Use a new key.",
  },
  payload_too_large: { status: 413, message: "The request is too large." },
  unsupported_media_type: {
    status: 415,
    message: "Send application/json, application/x-www-form-urlencoded or multipart/form-data.",
  },
  rate_limit_exceeded: { status: 429, message: "Too many attempts. Try again later." },
  internal_error: { status: 500, message: "Something went wrong on our side." },
  service_unavailable: { status: 503, message: "The service is not available for a moment. Try again shortly." },
} as const satisfies Record<string, { status: ContentfulStatusCode; message: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Field name to what is wrong with it, in words for a person. */
export type FieldErrors = Record<string, string[]>;

interface AppErrorOptions {
  /** For the log only; never sent. */
  reason?: string;
  /** Replaces the catalogue's message; must be safe for anyone to read. */
  message?: string;
  /** Only with `validation_error`, and with `payload_too_large` where one file is too large. */
  details?: FieldErrors;
  /** Seconds; sent as `Retry-After`. */
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
  /** Sent beside the error, where the contract says so (health). */
  data?: unknown;
  cause?: unknown;
}

/** The only error that handlers throw on purpose. `code` decides status and message. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly options: AppErrorOptions;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? errorCatalogue[code].message, { cause: options.cause });
    this.code = code;
    this.options = options;
  }
}

/** `validation_error` for one field. */
export function fieldError(field: string, message: string): AppError {
  return new AppError("validation_error", { details: { [field]: [message] } });
}
