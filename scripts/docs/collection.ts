import { inLines } from "./lines.ts";

/** The parts of the OpenAPI document that a collection is made of. */
export interface Document {
  info: { title: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { parameters: Record<string, Parameter> };
}

interface Operation {
  tags: string[];
  summary: string;
  description: string;
  security?: unknown[];
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: { content: Record<string, { schema: Schema; example?: Record<string, unknown> }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: { default?: unknown; format?: string };
}

interface Schema {
  required?: string[];
  properties?: Record<string, { format?: string; description?: string; example?: unknown }>;
}

/** A request of a collection, as Postman's format 2.1 writes it. */
export interface CollectionRequest {
  name: string;
  request: {
    method: string;
    description: string;
    auth?: { type: "noauth" };
    header: { key: string; value: string }[];
    url: {
      raw: string;
      host: string[];
      path: string[];
      query?: { key: string; value: string; description?: string; disabled?: boolean }[];
      variable?: { key: string; value: string; description?: string }[];
    };
    body?: { mode: "raw"; raw: string; options: object } | { mode: "formdata"; formdata: FormField[] };
  };
}

interface FormField {
  key: string;
  type: "text" | "file";
  value?: string;
  src?: string[];
  description?: string;
  disabled?: boolean;
}

/** A line for each request: the collection, its folders, a folder, its requests. */
const LEVELS = 4;

/** Variables of the collection, each with its first value. */
const variables = {
  identifier: "9841234567",
  otp: "",
  verification_token: "",
  access_token: "",
  refresh_token: "",
};

/**
 * Runs after every response: keeps the code and the tokens that it contains. Postman has globals of its own, such as
 * `data` and `request`, whose names a script cannot declare.
 */
const KEEP = `let answer;
try { answer = pm.response.json(); } catch (error) { /* A page or a file. */ }
answer = answer || {};
const result = answer.data || {};
const kept = {
  otp: ((answer.messages || []).find(({ code }) => code) || {}).code,
  verification_token: result.verification_token,
  access_token: result.access_token || result.access,
  refresh_token: result.refresh_token || result.refresh,
};
for (const name of Object.keys(kept)) if (kept[name]) pm.collectionVariables.set(name, kept[name]);`;

const readCode: CollectionRequest = {
  name: "Read the code (development)",
  request: {
    method: "GET",
    description: "The newest messages to `identifier` that `npm run dev` stored instead of sending them.",
    auth: { type: "noauth" },
    header: [{ key: "Accept", value: "application/json" }],
    url: {
      raw: "{{base_url}}/dev/outbox?to={{identifier}}",
      host: ["{{base_url}}"],
      path: ["dev", "outbox"],
      query: [{ key: "to", value: "{{identifier}}" }],
    },
  },
};

/**
 * The text of `docs/postman.json`: every operation of the document as a request of a Postman collection (format 2.1),
 * which Bruno and Insomnia import too.
 */
export function collectionText(document: Document): string {
  const routes = Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
    .filter(({ operation }) => !isPage(operation));
  const folders = document.tags.map(({ name, description }, i) => {
    const own = routes.filter(({ operation }) => operation.tags[0] === name);
    const [first, ...others] = own.map((route) => writeRequest(document, route));
    // The first folder is that of the codes, and its first request sends one.
    const item = [...(first ? [first] : []), ...(i === 0 ? [readCode] : []), ...others];
    return { name, description, item };
  });
  const collection = {
    info: {
      name: document.info.title,
      description:
        "Every operation of openapi.json. To sign in: set the variable `identifier`, send a one-time code, read it (in development) or set `otp`, verify it, then sign in or create an account. The requests keep the tokens for each other.",
      schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
    },
    auth: { type: "bearer", bearer: [{ key: "token", value: "{{access_token}}", type: "string" }] },
    event: [{ listen: "test", script: { type: "text/javascript", exec: KEEP.split("\n") } }],
    variable: Object.entries({ base_url: document.servers[0]?.url ?? "", ...variables }).map(([key, value]) => ({
      key,
      value,
    })),
    item: folders,
  };
  return `${inLines(collection, { levels: LEVELS, spreadsLists: true })}\n`;
}

/** Whether the operation shows a page in a browser, which is no call of an app. */
const isPage = ({ responses }: Operation) =>
  Object.values(responses).some(({ content }) => Object.keys(content ?? {}).join() === "text/html");

/** An id that belongs to nothing, where a query needs one. */
const NOBODY = "00000000-0000-7000-8000-000000000000";

interface Route {
  path: string;
  method: string;
  operation: Operation;
}

function writeRequest(document: Document, { path, method, operation }: Route): CollectionRequest {
  const parameters = (operation.parameters ?? []).map((each) =>
    "$ref" in each ? (document.components.parameters[each.$ref.split("/").at(-1) ?? ""] as Parameter) : each,
  );
  const isPublic = operation.security?.length === 0;
  const body = writeBody(operation, isPublic);
  const segments = path.replaceAll(/\{(\w+)\}/g, ":$1");
  const query = parameters.filter((each) => each.in === "query");
  const sampleOf = ({ required, schema }: Parameter) =>
    String(schema.default ?? (required ? (schema.format === "uuid" ? NOBODY : "…") : ""));
  const shown = query.filter(({ required }) => required).map((each) => `${each.name}=${sampleOf(each)}`);
  const variable = parameters.filter((each) => each.in === "path");
  return {
    name: operation.summary,
    request: {
      method: method.toUpperCase(),
      description: operation.description,
      ...(isPublic ? { auth: { type: "noauth" } } : {}),
      header: [
        ...(body?.mode === "raw" ? [{ key: "Content-Type", value: "application/json" }] : []),
        ...parameters.filter((each) => each.in === "header").map(({ name }) => ({ key: name, value: "{{$guid}}" })),
      ],
      url: {
        raw: `{{base_url}}${segments}${shown.length > 0 ? `?${shown.join("&")}` : ""}`,
        host: ["{{base_url}}"],
        path: segments.slice(1).split("/"),
        ...(query.length > 0
          ? {
              query: query.map((each) => ({
                key: each.name,
                value: sampleOf(each),
                ...describe(each.description),
                ...(each.required ? {} : { disabled: true }),
              })),
            }
          : {}),
        ...(variable.length > 0
          ? { variable: variable.map(({ name, description }) => ({ key: name, value: "", ...describe(description) })) }
          : {}),
      },
      ...(body ? { body } : {}),
    },
  };
}

const describe = (description: string | undefined) => (description ? { description } : {});

function writeBody({ requestBody }: Operation, isPublic: boolean): CollectionRequest["request"]["body"] {
  const { "application/json": json, "multipart/form-data": form } = requestBody?.content ?? {};
  if (form) return { mode: "formdata", formdata: writeForm(form.schema) };
  if (!json) return undefined;
  // What the person enters, or an earlier response contained. Elsewhere an identifier is somebody else's.
  const remembered = Object.keys(variables).filter((name) => isPublic || name !== "identifier");
  const filled = Object.entries(json.example ?? {}).map(([name, value]) => [
    name,
    remembered.includes(name) ? `{{${name}}}` : value,
  ]);
  const raw = JSON.stringify(Object.fromEntries(filled), null, 2);
  return { mode: "raw", raw, options: { raw: { language: "json" } } };
}

function writeForm({ properties = {}, required = [] }: Schema): FormField[] {
  // Where no field is required, at least one must be sent: those with an example.
  const isSent = (key: string, example: unknown) =>
    required.length > 0 ? required.includes(key) : example !== undefined;
  return Object.entries(properties).map(([key, { format, description, example }]) => ({
    key,
    ...(format === "binary" ? { type: "file", src: [] } : { type: "text", value: String(example ?? "") }),
    ...describe(description),
    ...(isSent(key, example) ? {} : { disabled: true }),
  }));
}
