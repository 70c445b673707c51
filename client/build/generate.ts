import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The parts of JSON Schema that the document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

type Content = Record<string, { schema?: Schema }>;

interface Operation {
  summary?: string;
  security?: Record<string, string[]>[];
  parameters?: { $ref?: string; name?: string; in?: string; required?: boolean; schema?: Schema }[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { $ref?: string; content?: Content }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  security?: Record<string, string[]>[];
  components?: Record<string, Record<string, unknown>>;
}

/** Operations that are not for apps: the client refreshes by itself; the others are for browsers and developers. */
const LEFT_OUT = ["POST /auth/refresh", "GET /auth/social/success", "GET /auth/debug/headers"];

const quoted = (text: unknown) => JSON.stringify(text);
const nameOf = (text: string) => (/^[A-Za-z_$][\w$]*$/.test(text) ? text : quoted(text));
const memberOf = (name: string, type: string, isRequired: boolean) =>
  isRequired ? `${name}: ${type};\n` : `${name}?: ${type} | undefined;\n`;
const comment = (text: string | undefined) =>
  text ? `/** ${text.replaceAll("*/", "* /").replace(/\s+/g, " ").trim()} */\n` : "";

/** Generates the source of `src/generated.ts`: the types of all operations, and the lists that calls need. */
export function generate(document: OpenApi): string {
  function resolve<T extends { $ref?: string }>(value: T): T {
    if (value.$ref === undefined) return value;
    const path = value.$ref.replace(/^#\//, "").split("/");
    return resolve(path.reduce((at: unknown, key) => (at as Record<string, unknown>)[key], document) as T);
  }

  /** Names of the members that the schema or a part of it requires. */
  function requiredOf(schema: Schema): string[] {
    const { required = [], allOf = [] } = resolve(schema);
    return [...required, ...allOf.flatMap(requiredOf)];
  }

  function typeOf(schema: Schema): string {
    if (schema.$ref !== undefined) return schema.$ref.split("/").at(-1) ?? "unknown";
    if (schema.const !== undefined) return quoted(schema.const);
    if (schema.enum) return schema.enum.map(quoted).join(" | ");
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return `(${choices.map(typeOf).join(" | ")})`;
    if (schema.allOf) return schema.allOf.map((part) => `(${typeOf(part)})`).join(" & ");
    const types = [schema.type ?? []].flat();
    return types.map((type) => plainType(type, schema)).join(" | ") || "unknown";
  }

  function plainType(type: string, schema: Schema): string {
    if (type === "integer") return "number";
    if (type === "array") return `Array<${schema.items ? typeOf(schema.items) : "unknown"}>`;
    if (type === "string" && schema.format === "binary") return "Upload";
    if (type !== "object") return type;
    if (schema.properties) return objectOf(schema.properties, schema.required);
    const { additionalProperties: others } = schema;
    return `Record<string, ${typeof others === "object" ? typeOf(others) : "unknown"}>`;
  }

  function objectOf(properties: Record<string, Schema>, required: string[] = []): string {
    const members = Object.entries(properties).map(([name, schema]) => {
      const isRequired = required.includes(name);
      return comment(schema.description) + memberOf(nameOf(name), typeOf(schema), isRequired);
    });
    return `{\n${members.join("")}}`;
  }

  /** The successful JSON body's `data`; undefined for operations that answer with something else. */
  function dataOf(operation: Operation): string | undefined {
    const success = Object.entries(operation.responses).find(([status]) => status.startsWith("2"))?.[1];
    const schema = success && resolve(success).content?.["application/json"]?.schema;
    if (!schema) return undefined;
    const whole = resolve(schema);
    const parts = [whole, ...(whole.allOf ?? []).map(resolve)];
    const data = parts.map(({ properties }) => properties?.data).findLast((found) => found !== undefined);
    return data && typeOf(data);
  }

  function membersOf(operation: Operation, data: string): string {
    const parameters = (operation.parameters ?? []).map(resolve);
    const group = (place: string) => {
      const found = parameters.filter((parameter) => parameter.in === place);
      if (found.length === 0) return "";
      const required = found.filter((parameter) => parameter.required).map(({ name = "" }) => name);
      const properties = Object.fromEntries(found.map(({ name = "", schema = {} }) => [name, schema]));
      const member = place === "path" ? "params" : "query";
      return memberOf(member, objectOf(properties, required), required.length > 0);
    };
    const content = operation.requestBody?.content ?? {};
    const body = (content["application/json"] ?? content["multipart/form-data"])?.schema;
    const isOptional = body !== undefined && requiredOf(body).length === 0;
    return `${group("path")}${group("query")}${body ? memberOf("body", typeOf(body), !isOptional) : ""}data: ${data};`;
  }

  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => {
      const name = `${method.toUpperCase()} ${path.replace(/^\/api/, "")}`;
      const data = dataOf(operation);
      return data === undefined || LEFT_OUT.includes(name) || name.includes(" /console")
        ? []
        : [{ name, operation, data }];
    }),
  );
  const named = (isMeant: (operation: Operation) => boolean) =>
    quoted(operations.filter(({ operation }) => isMeant(operation)).map(({ name }) => name));
  const isKeyed = ({ parameters = [] }: Operation) =>
    parameters.some((parameter) => resolve(parameter).name === "Idempotency-Key");
  const isOpen = ({ security = document.security ?? [] }: Operation) => security.length === 0;
  const isForm = ({ requestBody }: Operation) =>
    requestBody !== undefined && !("application/json" in requestBody.content);

  const schemas = Object.entries((document.components?.schemas ?? {}) as Record<string, Schema>);

  return `// Made from openapi.json by \`npm run docs\`. Do not edit.
import type { Upload } from "./upload.ts";

${schemas.map(([name, schema]) => `${comment(schema.description)}export type ${name} = ${typeOf(schema)};\n`).join("\n")}
/** Every operation: what it takes and the \`data\` of its answer. */
export interface Operations {
${operations.map(({ name, operation, data }) => `${comment(operation.summary)}${quoted(name)}: {\n${membersOf(operation, data)}\n};`).join("\n")}
}

/** Operations that honour Idempotency-Key. */
export const keyed: readonly string[] = ${named(isKeyed)};

/** Operations that take no access token. */
export const open: readonly string[] = ${named(isOpen)};

/** Operations whose body is a form with files. */
export const forms: readonly string[] = ${named(isForm)};
`;
}

/** The source in the format of this repository. */
export function format(source: string): string {
  const root = join(import.meta.dirname, "..", "..");
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const formatted = spawnSync(process.execPath, [biome, "format", "--stdin-file-path=client/src/generated.ts"], {
    cwd: root,
    input: source,
    encoding: "utf8",
  });
  if (formatted.status !== 0) throw new Error(formatted.stderr);
  return formatted.stdout;
}
