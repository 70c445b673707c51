import Ajv2020, { type AnySchema, type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import { call } from "./client.ts";

interface MediaType {
  schema?: AnySchema;
}

interface Operation {
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; schema: AnySchema }[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { description: string; content?: Record<string, MediaType> }>;
  security?: Record<string, string[]>[];
}

export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string };
  servers?: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components?: { securitySchemes?: Record<string, unknown> };
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

/** Fetches the document from the Worker. */
export async function fetchDocument(): Promise<OpenApiDocument> {
  const answer = await call("GET", "/api/openapi.json");
  if (answer.status !== 200) throw new Error(`openapi.json: ${answer.status}`);
  return answer.body;
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
