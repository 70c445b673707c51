import { beforeAll, expect, test } from "vitest";
import committedText from "../../../openapi.json?raw";
import { findBreakingChanges } from "../../support/breaking-changes.ts";
import { fetchWrittenDocument, type OpenApiDocument, resolveReferences } from "../../support/openapi.ts";

let served: OpenApiDocument;
const committed: OpenApiDocument = JSON.parse(committedText);

beforeAll(async () => {
  served = await fetchWrittenDocument();
});

/** The members of the document's parts, compared one by one so that a failure names the difference. */
const parts = (document: OpenApiDocument) =>
  Object.entries(document).flatMap(([part, members]) =>
    typeof members === "object"
      ? Object.entries(members).map(([name, value]) => [`${part} ${name}`, value])
      : [[part, members]],
  );

test("the committed openapi.json equals the served document; a failure lists the changes that break clients", () => {
  const breaking = findBreakingChanges(resolveReferences(committed), resolveReferences(served));
  const broken = breaking.length > 0 ? `\nThis breaks clients:\n- ${breaking.join("\n- ")}` : "\nNo client breaks.";
  const advice = `openapi.json differs from the served document: run npm run docs, and see docs/versioning.md.${broken}`;
  expect(Object.fromEntries(parts(served)), advice).toEqual(Object.fromEntries(parts(committed)));
});

/** Size limit: phones, generators and readers load the whole document; see docs/versioning.md. */
const MAX_BYTES = 160_000;

test("the document stays below 160,000 bytes, as it is committed and as it is served", () => {
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  expect(bytes(committedText)).toBeLessThan(MAX_BYTES);
  expect(bytes(JSON.stringify(served))).toBeLessThan(MAX_BYTES);
});

/** Changes of the document, each with the sentence expected for it; null if the change breaks no client. */
const changes: [string, (document: OpenApiDocument) => void, RegExp | null][] = [
  ["a removed operation", ({ paths }) => delete paths["/api/auth/me"], /^GET \/api\/auth\/me: the operation is gone$/],
  ["a new operation", ({ paths }) => Object.assign(paths, { "/api/new": paths["/api/auth/me"] }), null],
  [
    "a renamed operation",
    ({ paths }) => Object.assign(paths["/api/auth/me"]?.get ?? {}, { operationId: "me" }),
    /operationId getAccount is now me/,
  ],
  [
    "a removed member of a response",
    (d) => delete schemaOf(d, "Account").properties.username,
    /200\.data\.username is gone/,
  ],
  ["a new member of a response", (d) => Object.assign(schemaOf(d, "Account").properties, { age: {} }), null],
  [
    "a member of a response that becomes null",
    (d) => Object.assign(schemaOf(d, "Account").properties, { username: { type: ["string", "null"] } }),
    /200\.data\.username may now be null/,
  ],
  [
    "a new value in a response",
    (d) => schemaOf(d, "AccountStatus").enum?.push("ASLEEP"),
    /200\.data\.status may now be ASLEEP/,
  ],
  [
    "a field that becomes required",
    (d) => Object.assign(schemaOf(d, "ProfileChange"), { required: ["address"] }),
    /PATCH \/api\/users\/profile: body\.address is now required/,
  ],
  [
    "a new optional field",
    (d) => Object.assign(schemaOf(d, "ProfileChange").properties, { nickname: { type: "string" } }),
    null,
  ],
  [
    "a shorter field",
    (d) => Object.assign(schemaOf(d, "ProfileChange").properties.address ?? {}, { maxLength: 10 }),
    /body\.address: maxLength is now 10/,
  ],
  [
    "a shorter option of a field that may be null",
    (d) => {
      const { full_name: field } = schemaOf(d, "ProfileChange").properties as Record<string, { anyOf?: object[] }>;
      Object.assign(field?.anyOf?.[0] ?? {}, { maxLength: 10 });
    },
    /PATCH \/api\/users\/profile: body\.full_name: maxLength is now 10/,
  ],
  [
    "a required parameter",
    ({ paths }) =>
      paths["/api/users"]?.get?.parameters?.push({ name: "team", in: "query", required: true, schema: {} }),
    /GET \/api\/users: parameter team is new and required/,
  ],
];

interface Schema {
  properties: Record<string, object>;
  enum?: string[];
}
const schemaOf = ({ components }: OpenApiDocument, name: string) => components.schemas[name] as Schema;

test.each(changes)("a change that breaks clients is reported, and no other: %s", (_, change, expected) => {
  const changed = structuredClone(committed);
  change(changed);
  const found = findBreakingChanges(resolveReferences(committed), resolveReferences(changed));
  if (expected === null) expect(found).toEqual([]);
  else expect(found.filter((each) => expected.test(each)).length).toBeGreaterThan(0);
});
