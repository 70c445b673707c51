import Ajv2020, { type AnySchema, type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { type ErrorCode, errorCatalogue } from "../../src/platform/http/errors.ts";
import { call } from "./client.ts";

interface MediaType {
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
}

interface Response {
  description: string;
  headers?: Record<string, unknown>;
  content?: Record<string, MediaType>;
  "x-error-codes"?: string[];
}

export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; description: string; contact: object; license: object };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, { post: { requestBody: { content: Record<string, MediaType> } } }>;
  components: Record<"securitySchemes" | "schemas" | "responses" | "headers" | "examples", Record<string, object>>;
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

/** The document with every reference replaced by what it refers to, and `default` by the statuses that it describes. */
export function resolveReferences(document: OpenApiDocument): OpenApiDocument {
  const resolved = resolve(document, document) as OpenApiDocument;
  for (const operation of Object.values(resolved.paths).flatMap((item) => Object.values(item))) {
    const { default: others, ...responses } = operation.responses;
    operation.responses = { ...byStatus(others), ...responses };
  }
  return resolved;
}

/** The response `default` as one response for each status of its codes. */
function byStatus(response: Response | undefined): Record<string, Response> {
  const codes = response?.["x-error-codes"] ?? [];
  const groups = Map.groupBy(codes, (code) => errorCatalogue[code as ErrorCode].status);
  return Object.fromEntries(
    [...groups].map(([status, group]) => [status, { ...(response as Response), "x-error-codes": group }]),
  );
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
  if (typeof $ref !== "string") return members;
  const target = $ref
    .slice(2)
    .split("/")
    .reduce((at, name) => Object(at)[name], document);
  if (target === undefined) throw new Error(`${$ref} refers to nothing`);
  return { ...(resolve(document, target) as object), ...members };
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
  if (codes && !codes.includes(code ?? "")) return [`${method} ${path} documents no ${status} ${code}`];
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
