import { z } from "zod";
import { NO_CONTROLS } from "../http/fields.ts";

/** A JSON Schema (2020-12), or another part of the document, as plain data. */
export type Json = Record<string, unknown>;

/** Which values a schema describes: those that a request may send, or those that a response holds. */
export type Direction = "input" | "output";

/**
 * Converts Zod schemas to JSON Schema. Schemas with a name (`.meta({ id })`) are collected in `named`, and everything
 * else refers to them.
 */
export function schemaWriter() {
  const named: Record<string, Json> = { PlainText: plainText };
  const write = (schema: z.ZodType, io: Direction): Json => {
    const { $defs = {}, $schema: _, ...own } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
    for (const [name, found] of Object.entries($defs as Record<string, Json>)) {
      const clean = simplify(found);
      const known = named[name];
      if (known && JSON.stringify(known) !== JSON.stringify(clean)) throw new Error(`two schemas are named ${name}`);
      named[name] = clean;
    }
    return simplify(own);
  };
  return { named, write };
}

/** Text without control characters; many fields add their own limits to it. */
const plainText: Json = { type: "string", pattern: NO_CONTROLS.source };

/** Formats that make Zod's pattern for them redundant. */
const FORMATS_WITH_PATTERN = ["date", "date-time", "uuid"];

/** Removes what Zod adds but readers of the document do not need, and replaces what code generators do not support. */
function simplify(schema: Json): Json {
  const { id: _, propertyNames: __, ...own } = schema;
  const result: Json = { ...own };
  if (typeof own.$ref === "string") result.$ref = own.$ref.replace("#/$defs/", "#/components/schemas/");
  if (isRedundantPattern(own)) delete result.pattern;
  if (own.type === plainText.type && own.pattern === plainText.pattern) {
    const { type: _, pattern: __, ...limits } = result;
    return { ...limits, $ref: "#/components/schemas/PlainText" };
  }
  if (own.minimum === Number.MIN_SAFE_INTEGER) delete result.minimum;
  if (own.maximum === Number.MAX_SAFE_INTEGER) delete result.maximum;
  // Objects stay open, because a response may get new members.
  if (own.additionalProperties === false) delete result.additionalProperties;
  else if (isSchema(own.additionalProperties)) {
    const values = simplify(own.additionalProperties);
    result.additionalProperties = Object.keys(values).length === 0 ? true : values;
  }
  if (own.const !== undefined) {
    delete result.const;
    result.enum = [own.const];
  }
  if (isSchema(own.items)) result.items = simplify(own.items);
  if (isSchema(own.properties)) {
    const properties = Object.entries(own.properties as Record<string, Json>);
    result.properties = Object.fromEntries(properties.map(([name, property]) => [name, simplify(property)]));
  }
  if (Array.isArray(own.anyOf)) return withSimpleUnion(result, own.anyOf.map(simplify));
  return result;
}

const isSchema = (value: unknown): value is Json => typeof value === "object" && value !== null;

/** Whether to omit the pattern: the format implies it, or it has Unicode classes, which work only with the flag `u`. */
function isRedundantPattern({ format, pattern }: Json): boolean {
  return FORMATS_WITH_PATTERN.includes(String(format)) || /\\p\{/i.test(String(pattern));
}

/** Writes "this or null" as a list of types; an enumeration or a named schema keeps its own alternative. */
function withSimpleUnion({ anyOf: _, ...own }: Json, options: Json[]): Json {
  const [first, second] = options;
  const isNullable = options.length === 2 && second?.type === "null" && typeof first?.type === "string";
  if (!isNullable || first.enum || first.base) return { ...own, anyOf: options };
  return { ...first, ...own, type: [first.type, "null"] };
}
