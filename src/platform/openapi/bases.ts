import type { Json } from "./schemas.ts";

interface ObjectSchema extends Json {
  /** Name of the schema that it extends. */
  base: string;
  properties: Record<string, Json>;
  required?: string[];
}

/**
 * In each schema within `part` that has a `base` (`.meta({ base: "Success" })`), replaces the members of that named
 * schema by a reference to it (`allOf`).
 *
 * @throws Error if there is no such schema, or if the schema lacks one of its members or defines it differently.
 */
export function factorBases(part: unknown, named: Readonly<Record<string, Json>>): void {
  // A base may have a base itself, so schemas are compared with copies that are not changed.
  const bases = structuredClone(named);
  const visit = (each: unknown): void => {
    if (typeof each !== "object" || each === null) return;
    Object.values(each).forEach(visit);
    if (isDerived(each)) factor(each, bases[each.base]);
  };
  visit(part);
}

const isDerived = (part: object): part is ObjectSchema =>
  "base" in part && typeof part.base === "string" && "properties" in part;

/** Changes the schema in place. */
function factor(schema: ObjectSchema, base: Json | undefined): void {
  const { base: name, type, properties, required = [], ...others } = schema;
  const common = { properties: {}, required: [], ...base } as Pick<ObjectSchema, "properties"> & { required: string[] };
  for (const [member, its] of Object.entries(common.properties)) {
    const isSame =
      JSON.stringify(properties[member]) === JSON.stringify(its) &&
      required.includes(member) === common.required.includes(member);
    if (!isSame) throw new Error(`${name} is no base: ${member} differs`);
  }
  if (!base) throw new Error(`there is no schema ${name}`);
  const own = Object.entries(properties).filter(([member]) => !(member in common.properties));
  const ownRequired = required.filter((member) => !(member in common.properties));
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, others, {
    allOf: [
      { $ref: `#/components/schemas/${name}` },
      {
        type,
        properties: Object.fromEntries(own),
        ...(ownRequired.length > 0 ? { required: ownRequired } : {}),
      },
    ],
  });
}
