import type { HonoRequest } from "hono";
import { z } from "zod";
import { type Fields, fieldsOf, hasUtf8Escapes, readFields } from "./body.ts";
import { AppError } from "./errors.ts";
import type { FieldError, FieldErrors } from "./field-errors.ts";
import { Misfit } from "./multipart.ts";
import { codeOfIssue, fieldErrorsOf } from "./schema-errors.ts";
import { findUnfit } from "./text.ts";
import { type Admission, isNothing, readUpload } from "./upload.ts";
import type { Share } from "./upload-memory.ts";

/** A file that a route accepts in a multipart body, in addition to its fields. */
export interface FileSpec {
  required: boolean;
  description: string;
  /**
   * Why the content is refused; undefined if it is accepted. Called only if the request has other errors, so that one
   * response names all of them; otherwise the service inspects the file.
   */
  findProblem?(bytes: Uint8Array<ArrayBuffer>): FieldError | undefined;
}

/** Files by field name; undefined for a field without a file. */
export type Files = Readonly<Record<string, Uint8Array<ArrayBuffer> | undefined>>;

/** Returns the errors of fields that match their schema. */
export type Check = (known: Fields) => FieldErrors;

interface BodySpec {
  body?: z.ZodType | undefined;
  files?: Readonly<Record<string, FileSpec>> | undefined;
}

/**
 * The query parameters; one with an empty value counts as absent. A parameter that is repeated or not UTF-8 is a
 * `Misfit`.
 */
export function readQuery(request: HonoRequest): Fields {
  const at = request.url.indexOf("?");
  if (at === -1) return {};
  const pairs = request.url.slice(at + 1).split("&");
  return fieldsOf(pairs.flatMap(readPair));
}

/** The fields that are text. A route that has no field errors treats all others as absent. */
export const textsOf = (fields: Fields): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === "string"));

const readPair = (pair: string): [string, string | Misfit][] =>
  [...new URLSearchParams(pair)].map(([name, value]) => [name, hasUtf8Escapes(pair) ? value : new Misfit("not_utf8")]);

/**
 * Reads and validates the fields and files of a request.
 *
 * @param admit called at most once, only for an upload; see `readUpload`.
 * @throws AppError `validation_error` with every invalid field and file; also the errors of reading the body.
 */
export async function readBody(
  request: HonoRequest,
  { body, files, check }: BodySpec & { check: Check },
  share: Share,
  admit: () => Promise<Admission | undefined>,
): Promise<{ body: unknown; files: Files; upload: Admission | undefined }> {
  if (!body) return { body: {}, files: {}, upload: undefined };
  if (!files) return { body: checkFields(body, await readFields(request), check), files: {}, upload: undefined };
  const upload = isMultipart(request) ? await readUpload(request, namesOf({ body, files }), share, admit) : undefined;
  const fields = upload?.fields ?? (await readFields(request));
  const { data, errors } = parseFields(body, fields, check);
  for (const [name, { required }] of Object.entries(files)) {
    const isText = fields[name] !== undefined && fields[name] !== null && !isNothing(fields[name]);
    if (isText) errors[name] = [{ code: "not_file" }];
    else if (required && !upload?.files.has(name)) errors[name] = [{ code: "file_required" }];
  }
  Object.assign(errors, upload?.errors);
  if (Object.keys(errors).length > 0) {
    for (const [name, bytes] of upload?.files ?? []) {
      const problem = errors[name] ? undefined : files[name]?.findProblem?.(bytes);
      if (problem) errors[name] = [problem];
    }
    throw new AppError("validation_error", { fields: errors });
  }
  return { body: data, files: Object.fromEntries(upload?.files ?? []), upload: upload?.admission };
}

function isMultipart(request: HonoRequest): boolean {
  return /^\s*multipart\/form-data\s*(;|$)/i.test(request.header("content-type") ?? "");
}

function namesOf({ body, files }: { body: z.ZodType; files: BodySpec["files"] }) {
  return { fields: new Set(fieldNames(body)), files: new Set(Object.keys(files ?? {})) };
}

/** Validates the fields. @throws AppError `validation_error` with every invalid field. */
export function checkFields(schema: z.ZodType, value: Fields, check?: Check): unknown {
  const { data, errors } = parseFields(schema, value, check);
  if (Object.keys(errors).length > 0) throw new AppError("validation_error", { fields: errors });
  return data;
}

/**
 * Validates the fields of a body or a query. Besides its own schema, every declared field whose value is a string must
 * pass the general checks of `findUnfit`, so that no schema can omit them. Strings inside arrays and objects are left
 * to the schema.
 */
function parseFields(schema: z.ZodType, fields: Fields, check?: Check): { data: unknown; errors: FieldErrors } {
  const parsed = schema.safeParse(fields, { error: codeOfIssue });
  const errors: FieldErrors = parsed.success ? {} : fieldErrorsOf(parsed.error.issues);
  for (const name of fieldNames(schema)) {
    const given = Object.hasOwn(fields, name) ? fields[name] : undefined;
    const code = given instanceof Misfit ? given.code : typeof given === "string" ? findUnfit(given) : undefined;
    if (code) errors[name] = [{ code }];
  }
  const found = check?.(fittingFields(schema, fields, errors));
  return { data: parsed.data, errors: { ...found, ...errors } };
}

/** Returns the parsed values of the fields without errors. */
function fittingFields(schema: z.ZodType, fields: Fields, errors: FieldErrors): Fields {
  if (!(schema instanceof z.ZodObject)) return {};
  const fitting = Object.entries(schema.shape).filter(([name]) => !Object.hasOwn(errors, name));
  return Object.fromEntries(
    fitting.map(([name, field]) => {
      const given = Object.hasOwn(fields, name) ? fields[name] : undefined;
      return [name, (field as z.ZodType).safeParse(given).data];
    }),
  );
}

/** Names of the fields that a schema declares. */
function fieldNames(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodPipe) return fieldNames(schema.in as z.ZodType);
  if (!(schema instanceof z.ZodObject)) throw new Error("the schema of a body or a query must be an object");
  return Object.keys(schema.shape);
}

/** Builds a `validation_error` from the issues of a schema. */
export function invalid(issues: readonly z.core.$ZodIssue[]): AppError {
  return new AppError("validation_error", { fields: fieldErrorsOf(issues) });
}
