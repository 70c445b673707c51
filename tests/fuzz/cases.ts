import fc from "fast-check";
import type { CallOptions } from "../support/client.ts";
import { hostileSegments, prototypeMembers, readOnlyFields, wrongTypes } from "./corpora.ts";
import type { Operation } from "./operations.ts";
import { MISSPELLINGS, misspell, SPELLINGS, spell } from "./spellings.ts";
import { anyValue, halfPairs, hostileText, isNullable, isTextField, misfitsOf } from "./values.ts";

export type Fields = Record<string, unknown>;
export type Format = "json" | "form" | "multipart";

/** A request generated from the document, and the expected response. */
export interface Case {
  fields: Fields;
  query: Record<string, string | string[]>;
  /** Path parameters as they appear in the URL. */
  segments: Record<string, string>;
  format: Format;
  /** How a multipart body is written; as `FormData` writes it if absent. */
  spelling?: number;
  /** The field whose part of a multipart body is written in one of the ways that must be refused. */
  misspelling?: { name: string; way: number };
  /** Instead of fields: text after the opening brace of their JSON. */
  members?: string;
  /** If the request must be refused: the field that the error names, or "body" for the whole body. */
  refuses?: string;
}

/** All required and some optional fields, each with a valid value. */
export function fieldsOf({ body }: Operation): fc.Arbitrary<Fields> {
  if (!body) return fc.constant({});
  const known = Object.entries(body.fields).map(([name, schema]) => {
    const value = anyValue(name, schema);
    return [name, body.required.includes(name) || !isNullable(schema) ? value : fc.option(value)] as const;
  });
  const requiredKeys = Object.keys(body.fields).filter((name) => body.required.includes(name));
  return fc.record(Object.fromEntries(known), { requiredKeys }).map((fields) => ({ ...fields }));
}

/** The required and some optional query parameters. */
export function queryOf({ query }: Operation): fc.Arbitrary<Record<string, string>> {
  const known = query.map(({ name, schema }) => [name, anyValue(name, schema)] as const);
  const requiredKeys = query.filter(({ required }) => required).map(({ name }) => name);
  return fc
    .record(Object.fromEntries(known), { requiredKeys })
    .map((values) =>
      Object.fromEntries(
        Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
      ),
    );
}

const anyFormat = fc.constantFrom<Format>("json", "form", "multipart");

/** A body format that can express the fields. */
export const formatFor = ({ body }: Operation, fields: Fields, wanted: Format): Format => {
  if (!body?.takesJson) return "multipart";
  const isText = Object.values(fields).every(
    (value) =>
      typeof value === "string" ||
      typeof value === "boolean" ||
      (Number.isInteger(value) && Number(value) >= 0 && Number(value) < 1e6),
  );
  return isText ? wanted : "json";
};

/** A complete valid request. */
export function validCase(operation: Operation): fc.Arbitrary<Case> {
  return fc
    .record({
      fields: fieldsOf(operation),
      query: queryOf(operation),
      wanted: anyFormat,
      spelling: fc.option(fc.nat(SPELLINGS - 1), { nil: undefined }),
    })
    .map(({ fields, query, wanted, spelling }) => ({
      ...(spelling === undefined ? {} : { spelling }),
      fields,
      query,
      segments: {},
      format: formatFor(operation, fields, wanted),
    }));
}

type Change = (right: Case) => Case;

/** A valid request with one invalid or unusual part. */
export function invalidCase(operation: Operation): fc.Arbitrary<Case> {
  const changes = [...bodyChanges(operation), ...queryChanges(operation), ...pathChanges(operation)];
  if (changes.length === 0) return validCase(operation);
  return fc.tuple(validCase(operation), fc.oneof(...changes)).map(([right, change]) => change(right));
}

const withFields = (operation: Operation, right: Case, fields: Fields, more: Partial<Case> = {}): Case => ({
  ...right,
  fields,
  format: formatFor(operation, fields, right.format),
  ...more,
});

function bodyChanges(operation: Operation): fc.Arbitrary<Change>[] {
  const { body } = operation;
  if (!body) return [];
  const names = Object.keys(body.fields);
  const field = fc.constantFrom(...names);
  const changed =
    (name: string, value: unknown, refuses?: string): Change =>
    (right) =>
      withFields(operation, right, { ...right.fields, [name]: value }, refuses ? { refuses } : {});
  const misfits = names.flatMap((name) =>
    misfitsOf(name, body.fields[name] ?? {}).map((value) => changed(name, value, name)),
  );
  const hostile = fc.tuple(field, hostileText).map(([name, value]) => changed(name, value));
  const readOnly = fc
    .subarray(
      Object.entries(readOnlyFields).filter(([name]) => !names.includes(name)),
      { minLength: 1 },
    )
    .map(
      (extra): Change =>
        (right) =>
          withFields(operation, right, { ...Object.fromEntries(extra), ...right.fields }),
    );
  const missing = body.required
    .filter((name) => names.includes(name))
    .map(
      (name): Change =>
        ({ fields, ...right }) => {
          const { [name]: _, ...others } = fields;
          return withFields(operation, { ...right, fields }, others, { refuses: name });
        },
    );
  const found = [hostile, hostile, readOnly];
  const texts = names.filter((name) => isTextField(name, body.fields[name] ?? {}));
  if (texts.length > 0) {
    found.push(
      fc.tuple(fc.constantFrom(...texts), fc.nat(MISSPELLINGS - 1)).map(
        ([name, way]): Change =>
          (right) => ({
            ...changed(name, "x", name)(right),
            format: "multipart",
            misspelling: { name, way },
          }),
      ),
    );
  }
  if (misfits.length > 0) found.push(fc.constantFrom(...misfits));
  if (missing.length > 0) found.push(fc.constantFrom(...missing));
  return body.takesJson ? [...found, ...jsonChanges(operation, names, changed)] : found;
}

function jsonChanges(
  { body }: Operation,
  names: string[],
  changed: (name: string, value: unknown, refuses?: string) => Change,
): fc.Arbitrary<Change>[] {
  const field = fc.constantFrom(...names);
  // A version may be written as a number: 14.5.
  const isVersionNumber = (name: string, value: unknown) => name.endsWith("_version") && typeof value === "number";
  const wrong = fc
    .tuple(field, fc.constantFrom(...wrongTypes))
    .map(([name, value]) => changed(name, value, isVersionNumber(name, value) ? undefined : name));
  const nulls = (body?.required ?? []).map((name) => changed(name, null, name));
  const members = fc.constantFrom(...prototypeMembers).map(
    (text): Change =>
      (right) => ({ ...right, format: "json", members: text }),
  );
  const doubled = fc.tuple(field, fc.constantFrom(...wrongTypes)).map(
    ([name, value]): Change =>
      (right) => ({
        ...right,
        format: "json",
        // The last of two duplicates wins; the first has no effect.
        members: `${JSON.stringify(name)}:${JSON.stringify(value)}`,
      }),
  );
  const texts = names.filter((name) => isTextField(name, body?.fields[name] ?? {}));
  // Only JSON can write half a pair of surrogates.
  const broken = texts.map((name) =>
    fc.constantFrom(...halfPairs).map(
      (value): Change =>
        (right) => ({ ...changed(name, value, name)(right), format: "json" }),
    ),
  );
  return [
    wrong,
    wrong,
    members,
    doubled,
    ...(broken.length > 0 ? [fc.oneof(...broken)] : []),
    ...(nulls.length > 0 ? [fc.constantFrom(...nulls)] : []),
  ];
}

function queryChanges({ query }: Operation): fc.Arbitrary<Change>[] {
  const put =
    (name: string, value: string | string[], refuses?: string): Change =>
    (right) => ({
      ...right,
      query: { ...right.query, [name]: value },
      ...(refuses ? { refuses } : {}),
    });
  const extra = fc.tuple(fc.constantFrom("a", "__proto__", "constructor", "id", "", "page[]", "Status"), hostileText);
  const found = [extra.map(([name, value]) => put(name, value))];
  if (query.length === 0) return found;
  const misfits = query.flatMap(({ name, schema }) => misfitsOf(name, schema).map((value) => put(name, value, name)));
  const name = fc.constantFrom(...query.map((each) => each.name));
  found.push(fc.tuple(name, hostileText).map(([name, value]) => put(name, value)));
  found.push(fc.tuple(name, hostileText).map(([name, value]) => put(name, ["1", value])));
  if (misfits.length > 0) found.push(fc.constantFrom(...misfits));
  return found;
}

function pathChanges({ pathParameters }: Operation): fc.Arbitrary<Change>[] {
  return pathParameters.map((name) =>
    fc.constantFrom(...hostileSegments).map(
      (value): Change =>
        (right) => ({ ...right, segments: { ...right.segments, [name]: value } }),
    ),
  );
}

/** The body of a case, with the files that the operation requires. */
export function bodyOf(
  { body }: Operation,
  { fields, format, members, spelling, misspelling }: Case,
  files: Record<string, File>,
): CallOptions {
  if (!body) return {};
  if (members !== undefined) {
    const rest = JSON.stringify(fields).slice(1);
    return { raw: `{${members}${rest === "}" ? "" : ","}${rest}`, headers: { "content-type": "application/json" } };
  }
  if (format === "json") return { json: fields };
  const given = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  const texts = Object.fromEntries(
    given.map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
  );
  if (format === "form") return { form: texts };
  const multipart = { ...texts, ...files };
  if (misspelling) return misspell(multipart, misspelling.name, misspelling.way);
  return spelling === undefined ? { multipart } : spell(multipart, spelling);
}

/** The query of a case as it appears in the URL. */
export function searchOf({ query }: Case): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  const search = new URLSearchParams(pairs).toString();
  return search && `?${search}`;
}
