import { z } from "zod";
import { type ErrorCode, errorCatalogue } from "../http/errors.ts";
import { type FieldErrorCode, fieldErrorCatalogue } from "../http/field-errors.ts";
import { headersOfFailure, refersToHeaders } from "./headers.ts";
import { EVERY_BODY, EVERY_ROUTE } from "./operation.ts";
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
      code: z.enum(codes).meta({
        id: "ErrorCode",
        description: "Branch on this; docs/errors.md explains each.",
      }),
      message: z.string().meta({ description: "For people, in the language of the request." }),
      details: z.record(z.string(), z.array(z.string())).optional().meta({
        description:
          "Messages, by field; of `validation_error` unless the body is unreadable, and of `payload_too_large` for a file.",
      }),
      fields: z
        .record(z.string(), z.array(fieldErrorSchema))
        .optional()
        .meta({ description: "The same errors as codes." }),
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

/** What decides which failures an operation shares with others. */
interface Kind {
  method: string;
  /** Whether it needs an access token. */
  isGuarded: boolean;
  /** Whether it needs a role. */
  isForStaff: boolean;
  hasBody: boolean;
}

/** Failures that are the same for all operations of a kind. The response `default` describes them. */
const shared: readonly { where: string; codes: readonly ErrorCode[]; applies(kind: Kind): boolean }[] = [
  { where: "everywhere", codes: EVERY_ROUTE, applies: () => true },
  { where: "with a body", codes: EVERY_BODY, applies: ({ hasBody }) => hasBody },
  {
    where: "with a token",
    codes: ["authentication_required", "token_not_valid"],
    applies: ({ isGuarded }) => isGuarded,
  },
  {
    where: "with a token, other than GET",
    codes: ["rate_limit_exceeded"],
    applies: ({ isGuarded, method }) => isGuarded && method !== "get",
  },
  {
    where: "with `x-required-role`",
    codes: ["permission_denied", "passkey_required"],
    applies: ({ isForStaff }) => isForStaff,
  },
];

/**
 * The response component for each other status: its name in RFC 9110, what it means, and the codes that an operation
 * has unless it lists its own.
 */
const components: Readonly<Record<number, { name: string; means: string; usual: readonly ErrorCode[] }>> = {
  400: { name: "BadRequest", means: "The request is not valid.", usual: ["validation_error"] },
  401: { name: "Unauthorized", means: "The user is signed out.", usual: ["token_not_valid"] },
  403: { name: "Forbidden", means: "The caller may not do this.", usual: ["account_inactive"] },
  404: { name: "NotFound", means: "The resource does not exist.", usual: ["not_found"] },
  409: { name: "Conflict", means: "The state of the data does not allow it.", usual: ["conflict"] },
  429: { name: "TooManyRequests", means: "Too many requests.", usual: ["rate_limit_exceeded"] },
};

/** What an operation says of its failures. */
export interface OperationFailures {
  /** References to response components, by status. */
  responses: Record<string, Json>;
  /** Its codes for each status whose codes differ from those of the response component. */
  codes: ErrorCode[];
}

/**
 * Describes the failures of an operation of this kind that can have these codes.
 *
 * @throws Error for a status without a component.
 */
export function referToFailures(given: Iterable<ErrorCode>, kind: Kind): OperationFailures {
  const [everywhere, ...others] = shared.filter(({ applies }) => applies(kind)).map(({ codes }) => codes);
  const sharedOf = (status: number) =>
    others.map((each) => each.filter((code) => errorCatalogue[code].status === status).join());
  const own = [...byStatus(given)].flatMap(([status, group]) => {
    const codes = group.filter((code) => !everywhere?.includes(code));
    if (codes.length === 0 || sharedOf(status).includes(codes.join())) return [];
    const component = components[status];
    if (!component) throw new Error(`no response component for ${status}`);
    return [{ status, codes, ...component }];
  });
  return {
    responses: {
      ...Object.fromEntries(own.map(({ status, name }) => [status, { $ref: `#/components/responses/${name}` }])),
      default: { $ref: "#/components/responses/Default" },
    },
    codes: own.flatMap(({ codes, usual }) => (codes.join() === usual.join() ? [] : codes)),
  };
}

/** The response components of failures, by name. */
export function failureResponses(): Record<string, Json> {
  const own = Object.values(components).map(({ name, means, usual }) => {
    const usually = usual.map((code) => `\`${code}\``).join(" or ");
    return [name, describeFailures(usual, `${means} ${usually}, unless \`x-error-codes\` lists others.`)];
  });
  const rules = shared.map(({ where, codes }) => {
    const list = codes.map((code) => `${errorCatalogue[code].status} \`${code}\``).join(", ");
    return `- ${where}: ${list}`;
  });
  const everything = describeFailures(
    shared.flatMap(({ codes }) => codes),
    `A status that the operation does not list:\n\n${rules.join("\n")}`,
  );
  return { Default: everything, ...Object.fromEntries(own) };
}

function describeFailures(group: readonly ErrorCode[], description: string): Json {
  return {
    description,
    headers: refersToHeaders([...new Set(group.flatMap(headersOfFailure))]),
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/Failure" },
        ...(group[0] === "validation_error" ? { example: exampleOf(group[0]) } : {}),
      },
    },
    "x-error-codes": group,
  };
}

/** Example of a `validation_error`, which has `details` and `fields`. */
function exampleOf(code: ErrorCode): Json {
  return {
    success: false,
    error: {
      code,
      message: errorCatalogue[code].message.en,
      details: { full_name: ["Must have at least 2 characters."] },
      fields: { full_name: [{ code: "too_short", min: 2 }] },
    },
    request_id: "8f14e45f",
  };
}
