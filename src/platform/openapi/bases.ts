import type { Json } from "./schemas.ts";

interface ObjectSchema extends Json {
  /** Name of the schema whose members it has, too. */
  base: string;
  properties: Record<string, Json>;
  required?: string[];
}

/**
 * Replaces the members that a schema with a `base` (`.meta({ base: "Success" })`) has in common with that named schema
 * by a reference to it (`allOf`), wherever it is in `part`.
 *
 * @throws Error if there is no such schema, or if it has a member that the schema does not have.
 */
export function factorBases(part: unknown, named: Readonly<Record<string, Json>>): void {
  // Bases may have bases; each is compared as it was.
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
