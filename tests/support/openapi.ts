import Ajv2020, { type AnySchema, type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { type ErrorCode, errorCatalogue } from "../../src/platform/http/errors.ts";
import { call } from "./client.ts";

export interface MediaType {
  schema?: AnySchema;
  example?: Record<string, unknown>;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: AnySchema }[];
  requestBody?: { required: boolean; content: Record<string, MediaType> };
  responses: Record<string, Response>;
  security?: Record<string, string[]>[];
  "x-required-role"?: "staff" | "admin";
  "x-error-codes"?: ErrorCode[];
}

interface Response {
  description: string;
  headers?: Record<string, unknown>;
  content?: Record<string, MediaType>;
  "x-error-codes"?: ErrorCode[];
}

export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description: string; contact: object; license: object };
  servers: { url: string }[];
  security: Record<string, string[]>[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, { post: { requestBody: { content: Record<string, MediaType> }; responses: object } }>;
  components: Record<"securitySchemes" | "schemas" | "responses" | "headers", Record<string, object>>;
}

/** A response and the call that it answers. */
export interface Exchange {
  method: string;
  path: string;
  status: number;
  body: unknown;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
const compiled = new Map<string, ValidateFunction>();

/** Fetches the document from the Worker, with every reference replaced by what it refers to. */
export async function fetchDocument(): Promise<OpenApiDocument> {
  return resolveReferences(await fetchWrittenDocument());
}

/**
 * The document as its readers understand it: every reference replaced by what it refers to, `allOf` by one object,
 * `default` by the statuses that it describes, and each operation with its security and the codes of each status.
 */
export function resolveReferences(document: OpenApiDocument): OpenApiDocument {
  const resolved = resolve(document, document) as OpenApiDocument;
  for (const [method, operation] of Object.values(resolved.paths).flatMap((item) => Object.entries(item))) {
    operation.security ??= document.security;
    operation.responses = expand(method, operation);
  }
  return resolved;
}

const groupByStatus = (codes: readonly ErrorCode[] = []) =>
  Map.groupBy(codes, (code) => String(errorCatalogue[code].status));

const isGuarded = ({ security }: Operation) => (security ?? []).length > 0;
type Rule = (operation: Operation, method: string, isListed: boolean) => boolean;

/** When a code of `default` belongs to an operation, as its description says; the codes that are absent always do. */
const isShared: Partial<Record<ErrorCode, Rule>> = {
  payload_too_large: ({ requestBody }) => requestBody !== undefined,
  unsupported_media_type: ({ requestBody }) => requestBody !== undefined,
  authentication_required: (operation, _, isListed) => isGuarded(operation) && !isListed,
  token_not_valid: (operation, _, isListed) => isGuarded(operation) && !isListed,
  rate_limit_exceeded: (operation, method, isListed) => isGuarded(operation) && method !== "get" && !isListed,
  permission_denied: (operation, _, isListed) => operation["x-required-role"] !== undefined && !isListed,
  passkey_required: (operation, _, isListed) => operation["x-required-role"] !== undefined && !isListed,
};

/** The responses by status, each with its codes: the operation's own or the response's, and those of `default`. */
function expand(method: string, operation: Operation): Record<string, Response> {
  const { default: others, ...responses } = operation.responses;
  const own = groupByStatus(operation["x-error-codes"]);
  const expanded = Object.entries(responses).map(([status, response]): [string, Response] => {
    const codes = own.get(status) ?? response["x-error-codes"];
    return [status, codes ? { ...response, "x-error-codes": codes } : response];
  });
  const result = Object.fromEntries(expanded);
  for (const [status, codes] of groupByStatus(others?.["x-error-codes"])) {
    const isListed = result[status] !== undefined;
    const meant = codes.filter((code) => isShared[code]?.(operation, method, isListed) ?? true);
    if (meant.length === 0 || !others) continue;
    const known = result[status]?.["x-error-codes"] ?? [];
    result[status] = { ...(result[status] ?? others), "x-error-codes": [...new Set([...known, ...meant])] };
  }
  return result;
}

/** Fetches the document from the Worker, with its references. */
export async function fetchWrittenDocument(): Promise<OpenApiDocument> {
  const answer = await call("GET", "/api/openapi.json");
  if (answer.status !== 200) throw new Error(`openapi.json: ${answer.status}`);
  return answer.body;
}

function resolve(document: unknown, part: unknown): unknown {
  if (Array.isArray(part)) return part.map((each) => resolve(document, each));
  if (typeof part !== "object" || part === null) return part;
  const { $ref, ...own } = part as { $ref?: unknown };
  const members = Object.fromEntries(Object.entries(own).map(([key, value]) => [key, resolve(document, value)]));
  if (typeof $ref !== "string") return merge(members);
  const target = $ref
    .slice(2)
    .split("/")
    .reduce((at, name) => Object(at)[name], document);
  if (target === undefined) throw new Error(`${$ref} refers to nothing`);
  return { ...(resolve(document, target) as object), ...members };
}

/** The object that has the members of every part of `allOf`; other schemas as they are. */
function merge(schema: Record<string, unknown>): Record<string, unknown> {
  const { allOf, ...own } = schema as { allOf?: { properties?: object; required?: string[] }[] };
  if (!Array.isArray(allOf)) return schema;
  return {
    ...own,
    type: "object",
    properties: Object.assign({}, ...allOf.map(({ properties }) => properties)),
    required: allOf.flatMap(({ required = [] }) => required),
  };
}

/** Compiles a schema of the document. @throws if it is not valid JSON Schema 2020-12. */
export function compileSchema(schema: AnySchema): ValidateFunction {
  const key = JSON.stringify(schema);
  const validate = compiled.get(key) ?? ajv.compile(schema);
  compiled.set(key, validate);
  return validate;
}

/** Lists the deviations of a response from the document, including undocumented members; empty if there are none. */
export function findDeviations(document: OpenApiDocument, { method, path, status, body }: Exchange): string[] {
  const operation = findOperation(document, method, path);
  if (!operation) return [`${method} ${path} is not in the document`];
  const response = operation.responses[status];
  if (!response) return [`${method} ${path} documents no ${status}: ${JSON.stringify(body)}`];
  const codes = response["x-error-codes"];
  const code = (body as { error?: { code?: string } } | null)?.error?.code;
  if (codes && !codes.includes(code as ErrorCode)) return [`${method} ${path} documents no ${status} ${code}`];
  const schema = response.content?.["application/json"]?.schema;
  if (schema === undefined) return [`${method} ${path} documents no JSON for ${status}`];
  const validate = compileSchema(closed(schema));
  if (validate(body)) return [];
  return (validate.errors ?? []).map(
    (error) => `${method} ${path} ${status}: ${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
  );
}

function findOperation(document: OpenApiDocument, method: string, path: string): Operation | undefined {
  const [pathname = ""] = path.split("?");
  const parts = pathname.replace(/(.)\/$/, "$1").split("/");
  const isMatch = (template: string[]) =>
    template.length === parts.length && template.every((part, i) => part.startsWith("{") || part === parts[i]);
  const exact = document.paths[parts.join("/")];
  const found = exact ?? Object.entries(document.paths).find(([template]) => isMatch(template.split("/")))?.[1];
  return found?.[method.toLowerCase()];
}

/** The schema with every object closed to undeclared members, so that an undocumented member is a deviation too. */
function closed(schema: unknown): AnySchema {
  if (Array.isArray(schema)) return schema.map(closed) as unknown as AnySchema;
  if (typeof schema !== "object" || schema === null) return schema as AnySchema;
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)]);
  const copy = Object.fromEntries(entries);
  const isOpenObject = copy.type === "object" && copy.properties && copy.additionalProperties === undefined;
  return isOpenObject ? { ...copy, additionalProperties: false } : copy;
}
