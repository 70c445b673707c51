import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fixtures } from "../../fuzz/fixtures.ts";
import { fillPath, operationsOf } from "../../fuzz/operations.ts";
import { type Stage, setStage } from "../../fuzz/stage.ts";
import { call, newIp } from "../../support/client.ts";
import { stopClock } from "../../support/clock.ts";
import { file, jpeg, png } from "../../support/documents.ts";
import {
  compileSchema,
  fetchDocument,
  findDeviations,
  type MediaType,
  type OpenApiDocument,
} from "../../support/openapi.ts";

let document: OpenApiDocument;
let stage: Stage;

beforeAll(async () => {
  stopClock();
  document = await fetchDocument();
  stage = await setStage();
}, 60_000);
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Fields whose values come from earlier calls, and the identifiers that those calls used. */
const EARLIER = [
  ...["verification_token", "otp", "refresh_token", "id_token", "nonce", "authorization_code", "identifier"],
  ...["email", "phone_number"],
  ...["credential", "payload"],
];
/** The files of a form, which its example cannot contain. */
const FILES = { document_front: file(jpeg()), document_back: file(png()) };
/** Routes that succeed only with values from a provider or a browser flow. */
const OF_A_FLOW = ["POST /api/auth/social/success", "POST /api/auth/apple/callback"];

/** What the document shows in a body: its example, or those of the fields of a form. */
function exampleOf({ schema, example }: MediaType, isForm: boolean): Record<string, unknown> | undefined {
  if (!isForm) return example;
  const { properties = {} } = schema as { properties?: Record<string, { example?: unknown }> };
  const shown = Object.entries(properties).flatMap(([name, field]) =>
    field.example === undefined ? [] : [[name, field.example]],
  );
  return shown.length > 0 ? Object.fromEntries(shown) : undefined;
}

test("the server accepts every example of a body as it is, apart from what an earlier call gives, and responds with the documented headers", async () => {
  const found: string[] = [];
  const forms: string[] = [];
  for (const operation of operationsOf(document)) {
    const item = document.paths[operation.path]?.[operation.method.toLowerCase()];
    const [[type, media] = []] = Object.entries(item?.requestBody?.content ?? {});
    if (!media || OF_A_FLOW.includes(operation.name)) continue;
    const isForm = type === "multipart/form-data";
    if (isForm) forms.push(operation.name);
    const example = exampleOf(media, isForm);
    expect(example, operation.name).toBeDefined();
    if (!example) continue;
    const validate = compileSchema(media.schema ?? {});
    if (!isForm && !validate(example)) found.push(`${operation.name}: ${JSON.stringify(validate.errors)}`);
    const { fields = {}, segments, caller, alsoAllowed = [] } = (await fixtures[operation.name]?.(stage)) ?? {};
    const given = Object.entries(fields).filter(([name, value]) => EARLIER.includes(name) && value !== null);
    const isNeeded = ([name]: [string, unknown]) => name in example || name === "refresh_token";
    const json = { ...example, ...Object.fromEntries(given.filter(isNeeded)) };
    if (operation.name === "POST /api/auth/refresh") Object.assign(json, { refresh_token: fields.refresh });
    const sent = isForm ? { multipart: { ...(example as Record<string, string>), ...FILES } } : { json };
    const token = (caller ?? (operation.isForStaff ? stage.actors.admin : stage.actors.user)).access;
    const path = fillPath(operation, { id: stage.target.userId, ...segments });
    const options = { ...sent, token, env: stage.env, ip: newIp() };
    const { status, headers, body } = await call(operation.method, path, options);
    found.push(...findDeviations(document, { method: operation.method, path: operation.path, status, body }));
    const documented = Object.keys(item?.responses[status]?.headers ?? {});
    const absent = status < 300 ? documented.filter((name) => !headers.has(name)) : [];
    if (absent.length > 0) found.push(`${operation.name}: no ${absent}`);
    // Nobody here has linked an account of a provider.
    const isUnlink = operation.method === "DELETE" && operation.path.endsWith("/link") && status === 404;
    if (status >= 300 && !isUnlink && !alsoAllowed.includes(status))
      found.push(`${operation.name}: ${status} ${JSON.stringify(body.error)}`);
  }
  expect(found).toEqual([]);
  expect(forms).toEqual(["POST /api/users/kyc", "PATCH /api/users/kyc"]);
});

test("the example of a change by staff does not change how the user signs in", () => {
  for (const method of ["put", "patch"]) {
    const example = document.paths["/api/users/{id}"]?.[method]?.requestBody?.content["application/json"]?.example;
    expect(Object.keys(example ?? {})).toEqual(["full_name", "address"]);
  }
});
