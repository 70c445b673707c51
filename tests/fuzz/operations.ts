import type { OpenApiDocument } from "../support/openapi.ts";

/** The parts of JSON Schema that the document uses for request fields. */
export interface FieldSchema {
  type?: string | string[];
  enum?: unknown[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  anyOf?: FieldSchema[] | undefined;
  items?: FieldSchema;
  minItems?: number;
  maxItems?: number;
}

interface BodySchema {
  properties?: Record<string, FieldSchema>;
  required?: string[];
}

/** An operation of the document, with what a request needs. */
export interface Operation {
  method: string;
  /** With parameters in braces. */
  path: string;
  name: string;
  isGuarded: boolean;
  /** Whether it may refuse a caller who is not staff. */
  isForStaff: boolean;
  /** Whether it refuses staff, too. */
  isForAdmin: boolean;
  statuses: number[];
  pathParameters: string[];
  /** Matches the paths that the router gives to this path. */
  pattern: RegExp;
  query: { name: string; required: boolean; schema: FieldSchema }[];
  /** Absent if the operation has no body. */
  body?: { fields: Record<string, FieldSchema>; files: string[]; required: string[]; takesJson: boolean };
}

/** The schema of a field; one that may also be null as one schema of two types. */
function fieldOf(schema: FieldSchema): FieldSchema {
  const [given, other] = schema.anyOf ?? [];
  if (given?.type === undefined || other?.type !== "null" || schema.anyOf?.length !== 2) return schema;
  return { ...schema, ...given, anyOf: undefined, type: [...[given.type].flat(), "null"] };
}

/** A UUID parameter matches only characters of a UUID; any other matches a whole segment. */
function patternOf(path: string, parameters: readonly { name: string; schema?: unknown }[]): RegExp {
  const isUuid = (name: string) =>
    parameters.some((each) => each.name === name && (each.schema as FieldSchema | undefined)?.format === "uuid");
  return new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, (_, name) => (isUuid(name) ? "[0-9a-fA-F-]+" : "[^/]+"))}$`);
}

/** All operations of the document. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(
      ([method, { parameters = [], requestBody, responses, security, "x-required-role": role }]) => {
        const statuses = Object.keys(responses).map(Number);
        const isGuarded = (security ?? []).length > 0;
        // Routes that redirect a browser accept any fields; no schema validates them.
        const isRedirect = "303" in responses;
        const [content] = isRedirect ? [] : Object.values(requestBody?.content ?? {});
        const schema = content?.schema as BodySchema | undefined;
        const all = Object.entries(schema?.properties ?? {}).map(([name, field]): [string, FieldSchema] => [
          name,
          fieldOf(field),
        ]);
        const isFile = ([, field]: [string, FieldSchema]) => field.format === "binary";
        const body = schema && {
          fields: Object.fromEntries(all.filter((each) => !isFile(each))),
          files: all.filter(isFile).map(([name]) => name),
          required: schema.required ?? [],
          // The document names one format; a body without a required file may have any.
          takesJson: !all.some((each) => isFile(each) && schema.required?.includes(each[0])),
        };
        return {
          method: method.toUpperCase(),
          path,
          name: `${method.toUpperCase()} ${path}`,
          isGuarded,
          isForStaff: role !== undefined,
          isForAdmin: role === "admin",
          statuses,
          pathParameters: parameters.filter((each) => each.in === "path").map((each) => each.name),
          pattern: patternOf(path, parameters),
          query: parameters
            .filter((each) => each.in === "query" && !isRedirect)
            .map(({ name, required = false, schema }) => ({ name, required, schema: fieldOf(schema as FieldSchema) })),
          ...(body ? { body } : {}),
        };
      },
    ),
  );
}

/** The path with its parameters filled in; a missing value becomes an id that does not exist. */
export function fillPath({ path }: Operation, values: Record<string, string> = {}): string {
  return path.replaceAll(/\{(.+?)\}/g, (_, name: string) => values[name] ?? "0198c0de-0000-7000-8000-000000000000");
}
