import { z } from "zod";
import { type ErrorCode, errorCatalogue } from "../http/errors.ts";
import { type FieldErrorCode, fieldErrorCatalogue } from "../http/field-errors.ts";
import { errorGuide } from "./error-guide.ts";
import { headersOfFailure, refersToHeaders } from "./headers.ts";
import type { Json } from "./schemas.ts";

const codes = Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]];
const fieldCodes = Object.keys(fieldErrorCatalogue) as [FieldErrorCode, ...FieldErrorCode[]];

const fieldErrorSchema = z
  .object({
    code: z.enum(fieldCodes).meta({ id: "FieldErrorCode" }),
    min: z.number().optional().meta({ description: "Least length or value." }),
    max: z.number().optional().meta({ description: "Greatest length or value." }),
    choices: z.array(z.string()).optional().meta({ description: "Accepted values." }),
    earliest: z.iso.date().optional().meta({ description: "Earliest accepted date." }),
    format: z.string().optional().meta({ description: "Detected format of a file." }),
  })
  .meta({ id: "FieldError", description: "What is wrong with a field, with the values that its message mentions." });

/** Every error response. */
export const failureSchema = z
  .object({
    success: z.boolean().meta({ description: "Always false." }),
    error: z.object({
      code: z.enum(codes).meta({ id: "ErrorCode", description: "Branch on this." }),
      message: z.string().meta({ description: "For people, in the language of the request." }),
      details: z
        .record(z.string(), z.array(z.string()))
        .optional()
        .meta({ description: "Messages for people, by field; only with `validation_error`." }),
      fields: z
        .record(z.string(), z.array(fieldErrorSchema))
        .optional()
        .meta({ description: "The same errors as codes; only with `validation_error`." }),
    }),
    request_id: z.string(),
  })
  .meta({ id: "Failure" });

/** Groups error codes by their status, in the order of the catalogue. */
export function byStatus(given: Iterable<ErrorCode>): Map<number, ErrorCode[]> {
  const wanted = new Set(given);
  return Map.groupBy(
    codes.filter((code) => wanted.has(code)),
    (code) => errorCatalogue[code].status,
  );
}

/** Groups that most operations have, with the names that RFC 9110 has for their statuses. */
const USUAL: Readonly<Record<string, string>> = {
  "authentication_required,token_not_valid": "Unauthorized",
  "permission_denied,https_required": "Forbidden",
};

/** Name of the response component for a group of codes: `HttpsRequiredOrAccountInactive`. */
export function nameOfFailures(group: readonly ErrorCode[]): string {
  const usual = USUAL[group.join()];
  if (usual) return usual;
  const inPascalCase = (code: string) => code.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
  return group.map(inPascalCase).join("Or");
}

/** The error response with these codes, which share a status. */
export function describeFailures(group: readonly [ErrorCode, ...ErrorCode[]]): Json {
  return {
    description: group.map((code) => `\`${code}\`: ${errorGuide[code].when}`).join("\n\n"),
    headers: refersToHeaders(headersOfFailure(group[0])),
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/Failure" },
        examples: Object.fromEntries(group.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
    "x-error-codes": group,
  };
}

/** The response of failures that no status of an operation describes. */
export function describeDefault(group: readonly ErrorCode[]): Json {
  const headers = new Set(group.flatMap(headersOfFailure));
  return {
    description: group
      .map((code) => `${errorCatalogue[code].status} \`${code}\`: ${errorGuide[code].when}`)
      .join("\n\n"),
    headers: refersToHeaders([...headers]),
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/Failure" },
        examples: Object.fromEntries(group.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
      },
    },
    "x-error-codes": group,
  };
}

/** An example of every error response, by code, with what an app does. */
export function failureExamples(): Json {
  return Object.fromEntries(codes.map((code) => [code, { summary: errorGuide[code].action, value: exampleOf(code) }]));
}

function exampleOf(code: ErrorCode): Json {
  const field = {
    details: { full_name: ["Must have at least 2 characters."] },
    fields: { full_name: [{ code: "too_short", min: 2 }] },
  };
  return {
    success: false,
    error: { code, message: errorCatalogue[code].message.en, ...(code === "validation_error" ? field : {}) },
    request_id: "8f14e45f",
  };
}
