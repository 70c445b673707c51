import { beforeAll, expect, test } from "vitest";
import { NOTIFICATION_TYPES } from "../../../src/db/user-schema.ts";
import { errorCatalogue } from "../../../src/platform/http/errors.ts";
import { call, testEnv } from "../../support/client.ts";
import { fetchDocument, fetchWrittenDocument, type OpenApiDocument, type Operation } from "../../support/openapi.ts";

/** The document as it is served, with references. */
let written: OpenApiDocument;
/** The document with each reference replaced by its target. */
let document: OpenApiDocument;

beforeAll(async () => {
  written = await fetchWrittenDocument();
  document = await fetchDocument();
});

const operations = (of = document): [string, Operation][] =>
  Object.entries(of.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

/** Calls `visit` with every object of the document and where it is. */
function walk(part: unknown, visit: (object: Record<string, unknown>, at: string) => void, at = ""): void {
  if (typeof part !== "object" || part === null) return;
  if (!Array.isArray(part)) visit(part as Record<string, unknown>, at);
  for (const [key, value] of Object.entries(part)) walk(value, visit, `${at}/${key}`);
}

test("generators find their names: schemas, one word or more for each operation, tags, servers, licence and contact", async () => {
  const names = [
    "Account",
    "Profile",
    "Kyc",
    "Session",
    "Device",
    "Wallet",
    "UsageStats",
    "Notification",
    "UserDetail",
  ];
  expect(Object.keys(written.components.schemas)).toEqual(
    expect.arrayContaining([...names, "Page", "Failure", "ErrorCode", "FieldError", "SignIn", "Tokens", "WebhookUser"]),
  );
  const ids = operations().map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[a-z]+([A-Z][a-z]+)*$/.test(id))).toEqual([]);
  expect(ids).toEqual(expect.arrayContaining(["endSession", "markNotificationRead"]));
  expect(written.servers).toEqual([{ url: testEnv.ISSUER }]);
  const env = { ISSUER: "https://api.example.com" };
  const elsewhere = await call("GET", "/api/openapi.json", { env, origin: "https://api.example.com" });
  expect(elsewhere.body.servers).toEqual([{ url: "https://api.example.com" }]);
  expect(written.info).toMatchObject({ license: { name: expect.any(String) }, contact: { url: expect.any(String) } });
  const described = new Set(written.tags.map(({ name }) => name));
  expect(written.tags.every(({ description }) => description.length > 10)).toBe(true);
  expect(operations().flatMap(([, { tags }]) => tags.filter((tag) => !described.has(tag)))).toEqual([]);
});

test("generators know every shape: no null in an enumeration, no empty schema, and success is a plain boolean", () => {
  const found: string[] = [];
  walk(written, (object, at) => {
    if (Array.isArray(object.enum) && object.enum.includes(null)) found.push(`null in ${at}`);
    const isSchemaPlace = /\/(schema|items|data|additionalProperties)$|\/properties\/[^/]+$|\/(anyOf|oneOf)\/\d+$/.test(
      at,
    );
    if (isSchemaPlace && !at.includes("/example") && Object.keys(object).length === 0) found.push(`nothing in ${at}`);
    if (at.endsWith("/properties/success") && (object.type !== "boolean" || object.enum)) found.push(at);
  });
  expect(found).toEqual([]);
});

test("every reference leads somewhere, and every component is used", () => {
  const used = new Set<string>();
  walk(written, ({ $ref }) => {
    if (typeof $ref === "string") used.add($ref);
  });
  const known = Object.entries(written.components).flatMap(([kind, members]) =>
    kind === "securitySchemes" ? [] : Object.keys(members).map((name) => `#/components/${kind}/${name}`),
  );
  expect([...used].filter((each) => !known.includes(each))).toEqual([]);
  expect(known.filter((each) => !used.has(each))).toEqual([]);
});

test("operations that anyone may call say so, and those of staff are marked", () => {
  for (const [name, operation] of operations()) {
    expect(Array.isArray(operation.security), name).toBe(true);
    expect("401" in operation.responses, name).toBe(operation.security?.length === 1 || name.endsWith("/auth/refresh"));
    const isForStaff = operation["x-required-role"] !== undefined;
    expect(operation.tags[0]?.startsWith("Staff"), name).toBe(isForStaff);
    expect(/^(Staff|Admins) only\. /.test(operation.description), name).toBe(isForStaff);
  }
});

test("every response names its headers", () => {
  const wanted: Record<string, string[]> = {
    401: ["WWW-Authenticate"],
    405: ["Allow"],
    429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
    503: ["Retry-After"],
    303: ["Location"],
  };
  for (const [name, { responses }] of operations()) {
    expect(Object.keys(responses), name).toContain("405");
    for (const [status, { headers = {} }] of Object.entries(responses)) {
      expect(Object.keys(headers), `${name} ${status}`).toEqual(
        expect.arrayContaining(["X-Request-Id", ...(wanted[status] ?? [])]),
      );
    }
  }
});

test("an operation names its error codes: by its own list, or by the one response of each status", () => {
  const statuses: Record<string, number> = {
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyRequests: 429,
  };
  for (const [name, { responses, "x-error-codes": own = [] }] of operations(written)) {
    expect(responses.default, name).toEqual({ $ref: "#/components/responses/Default" });
    const referred = Object.entries(responses).filter(([status]) => Number(status) >= 400 && status !== "503");
    for (const [status, { $ref }] of referred as [string, { $ref?: string }][]) {
      expect(statuses[$ref?.split("/").at(-1) ?? ""], `${name} ${status}`).toBe(Number(status));
    }
    const documented = new Set(Object.keys(responses));
    expect(own.filter((code) => !documented.has(String(errorCatalogue[code].status)))).toEqual([]);
  }
});

test("every parameter and every file has a description; start and callbacks document theirs", () => {
  const silent = operations().flatMap(([name, { parameters = [] }]) =>
    parameters.filter(({ description }) => !/\S/.test(description ?? "")).map((each) => `${name}: ${each.name}`),
  );
  expect(silent).toEqual([]);
  const parametersOf = (path: string) => document.paths[path]?.get?.parameters?.map(({ name }) => name);
  expect(parametersOf("/api/auth/google/start")).toEqual(["flow"]);
  expect(parametersOf("/api/auth/google/callback")).toEqual(["code", "state", "error", "iss"]);
  const apple = document.paths["/api/auth/apple/callback"]?.post?.requestBody?.content["application/json"]?.schema;
  expect(Object.keys(Object(apple).properties)).toEqual(["code", "state", "error", "iss", "user"]);
});

test("a text that names an operation of this document names its method and whole path", () => {
  const known = new Set(operations(written).map(([name]) => name));
  const named: string[] = [];
  walk(written, (object) => {
    for (const text of [object.description, object.summary]) {
      if (typeof text !== "string") continue;
      named.push(...[...text.matchAll(/\b(?:GET|POST|PUT|PATCH|DELETE) [/a-z]*\/[\w/{}-]*/g)].map(([name]) => name));
      named.push(...[...text.matchAll(/`\/?(?:auth|users|staff)\/[^`]*`/g)].map(([name]) => name));
    }
  });
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

test("only a 401 of refresh is described as being signed out", () => {
  const { description } = written.info;
  expect(description).toMatch(/401 on any route but refresh\*\*: call `POST \/api\/auth\/refresh` once, then repeat/);
  expect(description).toMatch(/401 of refresh\*\*: the user is signed out/);
  expect(description).toMatch(/5xx or no response, including from refresh\*\*: keep both tokens/);
  expect(JSON.stringify(written)).not.toMatch(/401[^.]{0,20} means that the user is signed out/);
  const saysSignedOut = operations(written).filter(([, { responses }]) =>
    JSON.stringify(responses).includes("#/components/responses/Unauthorized"),
  );
  expect(written.components.responses.Unauthorized).toMatchObject({
    description: expect.stringContaining("signed out"),
  });
  expect(saysSignedOut.map(([name]) => name)).toEqual(["POST /api/auth/refresh"]);
});

test("the error codes, the notification types and the messages to other services are complete", () => {
  const enumOf = (name: string) => (written.components.schemas[name] as { enum: string[] }).enum;
  expect(enumOf("ErrorCode")).toEqual(Object.keys(errorCatalogue));
  expect(written.components.schemas.ErrorCode).toMatchObject({
    description: expect.stringContaining("docs/errors.md"),
  });
  expect(enumOf("NotificationType")).toEqual([...NOTIFICATION_TYPES]);
  expect(NOTIFICATION_TYPES.length).toBeGreaterThanOrEqual(15);
  const { description } = written.components.schemas.NotificationType as { description: string };
  expect(NOTIFICATION_TYPES.filter((type) => !description.includes(type))).toEqual([]);
  expect(Object.keys(written.webhooks)).toEqual(["user.created", "user.updated", "user.deleted", "push"]);
  expect(Object.keys(Object(written.components.schemas.PushData).properties)).toEqual([
    "notification_id",
    "notification_type",
  ]);
  const answers = Object.entries(written.webhooks).map(([name, { post }]) => [name, Object.keys(post.responses)]);
  const request = ["410", "2XX"];
  expect(Object.fromEntries(answers)).toEqual({
    "user.created": request,
    "user.updated": request,
    "user.deleted": request,
    push: ["2XX"],
  });
});

test("the document states the rules of the server", () => {
  const text = (path: string, method: string) => JSON.stringify(document.paths[path]?.[method]);
  expect(text("/api/users/profile", "patch")).toMatch(/1900-01-01 to yesterday/);
  expect(text("/api/users/profile", "put")).toMatch(/An https URL of a public host/);
  expect(text("/api/users/kyc", "patch")).toMatch(/at least one of them/);
  expect(text("/api/users/kyc", "post")).toMatch(/CITIZENSHIP if absent/);
  expect(text("/api/users/kyc", "patch")).not.toMatch(/CITIZENSHIP if absent/);
  expect(text("/api/users/kyc", "post")).toMatch(/`payload_too_large` for a file/);
  expect(text("/api/users/kyc", "post")).toMatch(/JPEG, PNG, WebP or PDF, at most 8 MB/);
  expect(text("/api/users", "get")).toMatch(/either `page` or `cursor`/);
  expect(text("/api/auth/refresh", "post")).toMatch(/"minProperties":1/);
  expect(document.info.description).toContain(
    `Mobile numbers of these countries are accepted:\n${testEnv.SMS_COUNTRIES}`,
  );
});
