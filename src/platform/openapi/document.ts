import type { z } from "zod";
import { version } from "../../../package.json";
import type { FileSpec } from "../http/endpoint-body.ts";
import { factorBases } from "./bases.ts";
import { conventionsWith } from "./conventions.ts";
import { failureResponses, failureSchema, referToFailures } from "./failures.ts";
import { type HeaderName, idempotencyKey, refersToHeaders, responseHeaders } from "./headers.ts";
import { BINARY, type Operation, successSchema } from "./operation.ts";
import { type Json, schemaWriter } from "./schemas.ts";
import { shareParts } from "./shared-parts.ts";
import { tags } from "./tags.ts";

/** An operation with its method and path. */
export interface DescribedRoute {
  method: string;
  /** From the root, in OpenAPI syntax. */
  path: string;
  operation: Operation;
}

/** A message that this service sends to another service or to an app. */
export interface DescribedWebhook {
  operationId: string;
  summary: string;
  description: string;
  body: z.ZodType;
  /** False for a message that is not an HTTP request and gets no response, such as a push. */
  isAnswered?: false;
}

/** Configuration of the service that the document mentions. */
export interface ServiceFacts {
  appName: string;
  /** Base URL. */
  issuer: string;
  /** Countries whose mobile numbers are accepted, as ISO 3166-1 alpha-2. */
  smsCountries: readonly string[];
}

type Writer = ReturnType<typeof schemaWriter>["write"];

/** Builds the OpenAPI 3.1 document. */
export function buildDocument(
  { appName, issuer, smsCountries }: ServiceFacts,
  routes: readonly DescribedRoute[],
  webhooks: Readonly<Record<string, DescribedWebhook>>,
): Json {
  const { named, write } = schemaWriter();
  write(failureSchema, "output");
  write(successSchema, "output");
  const paths: Record<string, Record<string, Json>> = {};
  for (const { method, path, operation } of routes) {
    paths[path] = { ...paths[path], [method]: writeOperation(method, operation, write) };
  }
  const parameters = { IdempotencyKey: idempotencyKey };
  const responses = failureResponses();
  shareParts(paths, { schemas: named, parameters, responses });
  const described = Object.entries(webhooks).map(([name, webhook]) => [name, { post: writeWebhook(webhook, write) }]);
  factorBases([paths, named], named);
  return {
    openapi: "3.1.0",
    info: {
      title: `${appName} Users API`,
      version,
      description: conventionsWith(smsCountries),
      contact: { name: `${appName} developers`, url: `${issuer}/docs` },
      license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
    },
    servers: [{ url: issuer }],
    security: [{ bearer: [] }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    webhooks: Object.fromEntries(described),
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "The `access_token` of a sign-in, without the word Bearer.",
        },
      },
      parameters,
      headers: responseHeaders,
      responses: sorted(responses),
      schemas: sorted(named),
    },
  };
}

const sorted = <T>(given: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1)));

const ROLES = { staff: "Staff only. ", admin: "Admins only. " };

function writeOperation(method: string, operation: Operation, write: Writer): Json {
  const { operationId, tag, summary, description, security, role, body } = operation;
  const parameters = [
    ...writeParameters("path", operation.params, write),
    ...writeParameters("query", operation.query, write),
    ...(operation.isIdempotent ? [{ $ref: "#/components/parameters/IdempotencyKey" }] : []),
  ];
  const failures = referToFailures(operation.errors, {
    method,
    isGuarded: security !== undefined,
    isForStaff: role !== undefined,
    hasBody: body !== undefined,
  });
  const successes = Object.entries(operation.responses).map(
    ([status, { description, headers = [], codes, content }]) => [
      status,
      {
        description,
        headers: refersToHeaders(["X-Request-Id", ...headers] satisfies HeaderName[]),
        ...(content ? { content: writeContent(content, write) } : {}),
        ...(codes ? { "x-error-codes": codes } : {}),
      },
    ],
  );
  return {
    tags: [tag],
    operationId,
    summary,
    description: (role ? ROLES[role] : "") + description,
    // All other operations inherit the `security` of the document.
    ...(security ? {} : { security: [] }),
    ...(operation.isDeprecated ? { deprecated: true } : {}),
    ...(role ? { "x-required-role": role } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: writeBody(body, write) } : {}),
    ...(failures.codes.length > 0 ? { "x-error-codes": failures.codes } : {}),
    responses: { ...failures.responses, ...Object.fromEntries(successes) },
  };
}

function writeParameters(place: "path" | "query", given: z.ZodType | undefined, write: Writer): Json[] {
  if (!given) return [];
  const { properties = {}, required = [] } = write(given, "input") as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, example, ...schema }]) => ({
    name,
    in: place,
    ...(required.includes(name) ? { required: true } : {}),
    ...(description === undefined ? {} : { description }),
    ...(example === undefined ? {} : { example }),
    schema,
  }));
}

function writeBody({ schema, files, isRequired, example }: NonNullable<Operation["body"]>, write: Writer): Json {
  const fields = write(schema, "input");
  return {
    required: isRequired,
    content: {
      [files ? "multipart/form-data" : "application/json"]: {
        schema: files ? withFiles(fields, files) : fields,
        ...(example ? { example } : {}),
      },
    },
  };
}

function withFiles({ properties, required = [], ...schema }: Json, files: Readonly<Record<string, FileSpec>>): Json {
  const parts = Object.entries(files).map(([name, { description }]) => [name, { ...BINARY, description }]);
  const needed = Object.entries(files).flatMap(([name, file]) => (file.required ? [name] : []));
  const all = [...(required as string[]), ...needed];
  return {
    ...schema,
    properties: { ...(properties as Json), ...Object.fromEntries(parts) },
    ...(all.length > 0 ? { required: all } : {}),
  };
}

function writeContent(content: Readonly<Record<string, z.ZodType | Json>>, write: Writer): Json {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [
      type,
      { schema: isZod(schema) ? write(schema, "output") : schema },
    ]),
  );
}

const isZod = (schema: z.ZodType | Json): schema is z.ZodType => "_zod" in schema;

const webhookAnswers: Json = {
  "2XX": { description: "Received; answer within 5 seconds." },
  410: { description: "Not wanted; it is not sent again." },
};

function writeWebhook({ isAnswered, body, ...texts }: DescribedWebhook, write: Writer): Json {
  return {
    tags: ["Platform"],
    ...texts,
    security: [],
    requestBody: { required: true, content: { "application/json": { schema: write(body, "output") } } },
    responses: isAnswered === false ? { "2XX": { description: "None is expected." } } : webhookAnswers,
  };
}
