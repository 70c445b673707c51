import type { OpenApiDocument } from "./openapi.ts";

type Node = Record<string, unknown>;

const membersOf = (part: unknown): [string, Node][] =>
  Object.entries((part ?? {}) as Record<string, Node>).filter(([, value]) => typeof value === "object");

/**
 * Lists, as sentences, the changes in the second document that break clients of the first. Both have their references
 * resolved. Additions that a client may ignore are not listed: new operations, optional fields of requests, members of
 * responses.
 */
export function findBreakingChanges(before: OpenApiDocument, after: OpenApiDocument): string[] {
  return Object.entries(before.paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, old]) => {
      const name = `${method.toUpperCase()} ${path}`;
      const now = after.paths[path]?.[method];
      if (!now) return [`${name}: the operation is gone`];
      const found: string[] = [];
      if (now.operationId !== old.operationId) found.push(`operationId ${old.operationId} is now ${now.operationId}`);
      if (now.security?.length && !old.security?.length) found.push("an access token is now required");
      found.push(...compareParameters(old.parameters ?? [], now.parameters ?? []));
      const [oldType, oldBody] = membersOf(old.requestBody?.content)[0] ?? [];
      const [nowType, nowBody] = membersOf(now.requestBody?.content)[0] ?? [];
      if (oldType && oldType !== nowType) found.push(`the body is now ${nowType ?? "absent"} instead of ${oldType}`);
      if (now.requestBody?.required && !old.requestBody?.required) found.push("a body is now required");
      found.push(...compareRequest("body", (oldBody?.schema ?? {}) as Node, (nowBody?.schema ?? {}) as Node));
      for (const [status, response] of Object.entries(old.responses)) {
        if (Number(status) >= 400) continue;
        const next = now.responses[status];
        if (!next) found.push(`it no longer answers ${status}`);
        for (const [type, { schema }] of Object.entries(response.content ?? {})) {
          const nextSchema = next?.content?.[type]?.schema;
          if (next && !nextSchema) found.push(`${status} is no longer ${type}`);
          else if (nextSchema) found.push(...compareResponse(String(status), schema as Node, nextSchema as Node));
        }
      }
      return found.map((each) => `${name}: ${each}`);
    }),
  );
}

function compareParameters(before: readonly Parameter[], after: readonly Parameter[]): string[] {
  const same = (one: Parameter) => (other: Parameter) => one.name === other.name && one.in === other.in;
  const gone = before.filter((each) => !after.some(same(each))).map(({ name }) => `parameter ${name} is gone`);
  const changed = after.flatMap((now) => {
    const old = before.find(same(now));
    if (!old) return now.required ? [`parameter ${now.name} is new and required`] : [];
    return [
      ...(now.required && !old.required ? [`parameter ${now.name} is now required`] : []),
      ...compareRequest(`parameter ${now.name}`, old.schema as Node, now.schema as Node),
    ];
  });
  return [...gone, ...changed];
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: unknown;
}

const typesOf = ({ type, anyOf }: Node): string[] =>
  anyOf ? (anyOf as Node[]).flatMap(typesOf) : type === undefined ? [] : ([type].flat() as string[]);
const valuesOf = ({ enum: values, anyOf }: Node): unknown[] | undefined =>
  (values as unknown[] | undefined) ?? ((anyOf ?? []) as Node[]).map(valuesOf).find((each) => each !== undefined);

/** Bounds of a request; a client breaks if the lower ones rise or the upper ones fall. */
const LOWER = ["minLength", "minimum", "minItems", "minProperties"] as const;
const UPPER = ["maxLength", "maximum", "maxItems"] as const;

function compareRequest(at: string, before: Node, after: Node): string[] {
  const found: string[] = [];
  const lost = typesOf(before).filter((type) => typesOf(after).length > 0 && !typesOf(after).includes(type));
  if (lost.length > 0) found.push(`${at} may no longer be ${lost.join(" or ")}`);
  const values = valuesOf(after);
  const refused = (valuesOf(before) ?? []).filter((value) => values && !values.includes(value));
  if (refused.length > 0) found.push(`${at} may no longer be ${refused.join(" or ")}`);
  if (values && !valuesOf(before)) found.push(`${at} is now one of ${values.join(", ")}`);
  for (const bound of LOWER) {
    if (Number(after[bound] ?? 0) > Number(before[bound] ?? 0)) found.push(`${at}: ${bound} is now ${after[bound]}`);
  }
  for (const bound of UPPER) {
    const [now, then] = [after[bound] ?? Number.POSITIVE_INFINITY, before[bound] ?? Number.POSITIVE_INFINITY];
    if (Number(now) < Number(then)) found.push(`${at}: ${bound} is now ${after[bound]}`);
  }
  if (after.pattern !== before.pattern && after.pattern) found.push(`${at}: the pattern is now ${after.pattern}`);
  if (after.format !== before.format && after.format) found.push(`${at}: the format is now ${after.format}`);
  const required = ((after.required ?? []) as string[]).filter(
    (name) => !((before.required ?? []) as string[]).includes(name),
  );
  found.push(...required.map((name) => `${at}.${name} is now required`));
  const properties = (after.properties ?? {}) as Record<string, Node>;
  for (const [name, schema] of membersOf(before.properties)) {
    const next = properties[name];
    found.push(...(next ? compareRequest(`${at}.${name}`, schema, next) : [`${at}.${name} is gone`]));
  }
  if (before.items) found.push(...compareRequest(`${at}[]`, before.items as Node, (after.items ?? {}) as Node));
  const [oldOptions, options] = [before.anyOf ?? [], after.anyOf ?? []] as [Node[], Node[]];
  for (const [i, option] of oldOptions.entries()) {
    if (options[i]) found.push(...compareRequest(at, option, options[i]));
  }
  return found;
}

function compareResponse(at: string, before: Node, after: Node): string[] {
  const found: string[] = [];
  const gained = typesOf(after).filter((type) => typesOf(before).length > 0 && !typesOf(before).includes(type));
  if (gained.length > 0) found.push(`${at} may now be ${gained.join(" or ")}`);
  const known = valuesOf(before);
  const unknown = (valuesOf(after) ?? []).filter((value) => known && !known.includes(value));
  if (unknown.length > 0) found.push(`${at} may now be ${unknown.join(" or ")}`);
  if (known && !valuesOf(after)) found.push(`${at} is no longer one of ${known.join(", ")}`);
  if (before.format !== undefined && after.format !== before.format)
    found.push(`${at} is no longer a ${before.format}`);
  const required = (after.required ?? []) as string[];
  const properties = (after.properties ?? {}) as Record<string, Node>;
  for (const [name, schema] of membersOf(before.properties)) {
    const next = properties[name];
    if (!next) found.push(`${at}.${name} is gone`);
    else found.push(...compareResponse(`${at}.${name}`, schema, next));
    const wasRequired = ((before.required ?? []) as string[]).includes(name);
    if (next && wasRequired && !required.includes(name)) found.push(`${at}.${name} may now be absent`);
  }
  if (before.items) found.push(...compareResponse(`${at}[]`, before.items as Node, (after.items ?? {}) as Node));
  const [oldOptions, options] = [before.anyOf ?? [], after.anyOf ?? []] as [Node[], Node[]];
  for (const [i, option] of oldOptions.entries()) {
    if (option.properties && options[i]) found.push(...compareResponse(at, option, options[i]));
  }
  return found;
}
