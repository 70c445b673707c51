import type { z } from "zod";
import { type FieldError, type FieldErrorCode, type FieldErrors, fieldErrorCatalogue } from "./field-errors.ts";

type RawIssue = z.core.$ZodRawIssue;

/**
 * Error map for parsing input (`schema.safeParse(value, { error: codeOfIssue })`). A check without its own code gets a
 * general one.
 */
export function codeOfIssue(issue: RawIssue): FieldErrorCode {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined || issue.input === null ? "required" : (BY_TYPE[issue.expected] ?? "invalid");
    case "too_small":
      if (issue.origin === "string") return issue.minimum === 1 ? "required" : "too_short";
      return "too_small";
    case "too_big":
      return issue.origin === "string" ? "too_long" : "too_large";
    case "invalid_value":
      return issue.input === undefined || issue.input === null ? "required" : "not_allowed";
    case "invalid_format":
      return BY_FORMAT[issue.format] ?? "invalid";
    default:
      return "invalid";
  }
}

const BY_TYPE: Record<string, FieldErrorCode> = {
  string: "not_text",
  number: "not_number",
  int: "not_whole_number",
  boolean: "not_boolean",
};

const BY_FORMAT: Record<string, FieldErrorCode> = {
  date: "not_date",
  datetime: "not_instant",
  url: "not_https_url",
  uuid: "not_id",
  safeint: "not_whole_number",
};

const TYPE_CODES: ReadonlySet<FieldErrorCode> = new Set([
  "required",
  ...Object.values(BY_TYPE),
  ...Object.values(BY_FORMAT),
]);

const isCode = (message: string): message is FieldErrorCode => Object.hasOwn(fieldErrorCatalogue, message);

/**
 * Converts the issues of a failed parse to field errors, by the path of the field; `body` stands for the whole body.
 */
export function fieldErrorsOf(issues: readonly z.core.$ZodIssue[]): FieldErrors {
  const errors: FieldErrors = {};
  for (const issue of issues) {
    const field = issue.path.join(".") || "body";
    const found = errors[field] ?? [];
    // A value of the wrong type or format also fails later checks; only the first error is useful.
    if (!found.some(({ code }) => TYPE_CODES.has(code))) errors[field] = [...found, describeIssue(issue)];
  }
  return errors;
}

function describeIssue(issue: z.core.$ZodIssue): FieldError {
  const code = isCode(issue.message) ? issue.message : codeOfIssue(issue as RawIssue);
  const { minimum, maximum, values, params } = issue as {
    minimum?: number;
    maximum?: number;
    values?: unknown[];
    params?: object;
  };
  const mentions = (name: string) => fieldErrorCatalogue[code].en.includes(`{${name}}`);
  return {
    code,
    ...(mentions("min") && minimum !== undefined ? { min: Number(minimum) } : {}),
    ...(mentions("max") && maximum !== undefined ? { max: Number(maximum) } : {}),
    ...(mentions("choices") && values ? { choices: values.map(String) } : {}),
    ...params,
  };
}
