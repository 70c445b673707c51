import type { ErrorCode, FieldError } from "./generated.ts";

/** `no_answer`: no connection, a time-out or a lost answer. `unexpected_answer`: an answer that is not the API's. */
export type ClientCode = "no_answer" | "unexpected_answer";

/** An error from the API or on the way to it. `UsersError` is the same as a union by `code`, for `switch`. */
export class UsersApiError extends Error {
  override readonly name = "UsersApiError";
  readonly code: ErrorCode | ClientCode;
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** What is wrong with each field, as codes; only with `validation_error`, and `payload_too_large` of a file. */
  readonly fields: Record<string, FieldError[]> | undefined;
  /** The same as sentences. */
  readonly details: Record<string, string[]> | undefined;
  /** Seconds to wait before another try. */
  readonly retryAfter: number | undefined;
  /** Id of the request, to quote to support. */
  readonly requestId: string | undefined;

  constructor(about: {
    code: ErrorCode | ClientCode;
    message: string;
    status?: number;
    fields?: Record<string, FieldError[]> | undefined;
    details?: Record<string, string[]> | undefined;
    retryAfter?: number | undefined;
    requestId?: string | undefined;
    cause?: unknown;
  }) {
    super(about.message);
    this.code = about.code;
    this.status = about.status ?? 0;
    this.fields = about.fields;
    this.details = about.details;
    this.retryAfter = about.retryAfter;
    this.requestId = about.requestId;
    if (about.cause !== undefined) this.cause = about.cause;
  }
}

/** An error whose `code` says what else it has: a `validation_error` always has `fields` and `details`. */
export type UsersError = {
  [Code in ErrorCode | ClientCode]: UsersApiError & { readonly code: Code } & (Code extends "validation_error"
      ? { readonly fields: Record<string, FieldError[]>; readonly details: Record<string, string[]> }
      : unknown);
}[ErrorCode | ClientCode];

/** Whether a caught value is an error of this client; anything else is a mistake in the program, or an abort. */
export function isUsersError(error: unknown): error is UsersError {
  return error instanceof UsersApiError;
}

const texts = {
  no_answer: {
    en: "No connection. Check your network and try again.",
    ne: "इन्टरनेट जडान भएन। नेटवर्क जाँचेर फेरि प्रयास गर्नुहोस्।",
  },
  unexpected_answer: {
    en: "The service cannot be reached. Try again, or use another network.",
    ne: "सेवामा पुग्न सकिएन। फेरि प्रयास गर्नुहोस् वा अर्को नेटवर्क चलाउनुहोस्।",
  },
};

interface More {
  status?: number;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** The error of a call that the API itself did not answer. */
export function clientError(code: ClientCode, language: string, more: More = {}) {
  return new UsersApiError({ code, message: texts[code][/^ne\b/i.test(language) ? "ne" : "en"], ...more });
}
