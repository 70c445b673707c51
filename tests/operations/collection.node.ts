import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { runInNewContext } from "node:vm";
import type { CollectionRequest } from "../../scripts/docs/collection.ts";
import { databaseWith } from "../bench/load/databases.ts";
import { type Server, startServer } from "../bench/server-process.ts";

// The Postman collection, sent as Postman sends it: variables filled in, and the collection's script run after each
// response.

interface Collection {
  event: { script: { exec: string[] } }[];
  variable: { key: string; value: string }[];
  item: { name: string; item: CollectionRequest[] }[];
}

const file = join(import.meta.dirname, "..", "..", "docs", "postman.json");
const collection: Collection = JSON.parse(readFileSync(file, "utf8"));
const requests = collection.item.flatMap(({ item }) => item);

let persist: string;
let server: Server;
const variables = new Map(collection.variable.map(({ key, value }) => [key, value]));

before(async () => {
  persist = mkdtempSync(join(tmpdir(), "users-api-collection-"));
  server = await startServer(["--persist", persist]);
  variables.set("base_url", server.url);
});

after(async () => {
  await server?.stop();
  rmSync(persist, { recursive: true, force: true });
});

const fill = (text: string): string =>
  text.replaceAll(/\{\{(\$?\w+)\}\}/g, (whole, name: string) => {
    if (name === "$guid") return crypto.randomUUID();
    const value = variables.get(name);
    assert.notEqual(value, undefined, `${whole} is no variable of the collection`);
    return value ?? "";
  });

const picture = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);

function bodyOf({ body }: CollectionRequest["request"]): string | FormData | undefined {
  if (body?.mode === "raw") return fill(body.raw);
  if (body?.mode !== "formdata") return undefined;
  const form = new FormData();
  for (const { key, type, value, disabled } of body.formdata) {
    if (disabled) continue;
    if (type === "file") form.append(key, new Blob([picture], { type: "image/png" }), "front.png");
    else form.append(key, fill(value ?? ""));
  }
  return form;
}

/** What Postman declares in front of every script, beside `pm`. */
const POSTMAN_GLOBALS =
  "let tests, globals, environment, data, request, responseCookies, responseHeaders, responseTime, responseCode, " +
  "responseBody, iteration, postman";

/** Sends a request as it stands, with these path parameters, and runs the collection's script. */
async function send({ request }: CollectionRequest, segments: Record<string, string> = {}) {
  const { raw, host, path, query = [], variable = [] } = request.url;
  const parts = path.map((part) => (part.startsWith(":") ? (segments[part.slice(1)] ?? "nothing") : part));
  assert.deepEqual(
    path.filter((part) => part.startsWith(":")),
    variable.map(({ key }) => `:${key}`),
  );
  assert.ok(raw.startsWith(`${host[0]}/${path.join("/")}`), raw);
  const sent = query
    .filter(({ disabled }) => !disabled)
    .map(({ key, value }) => `${key}=${encodeURIComponent(fill(value))}`);
  const address = `${fill(host[0] ?? "")}/${parts.join("/")}${sent.length > 0 ? `?${sent.join("&")}` : ""}`;
  const headers = request.header.map(({ key, value }): [string, string] => [key, fill(value)]);
  if (request.auth?.type !== "noauth") headers.push(["Authorization", fill("Bearer {{access_token}}")]);
  const body = bodyOf(request);
  const response = await fetch(address, {
    method: request.method,
    headers,
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const pm = {
    response: { json: () => JSON.parse(text) },
    collectionVariables: { set: (name: string, value: string) => variables.set(name, value) },
  };
  const script = collection.event.flatMap(({ script: { exec } }) => exec).join("\n");
  runInNewContext(`${POSTMAN_GLOBALS};\n${script}`, { pm });
  return { status: response.status, text };
}

function named(name: string): CollectionRequest {
  const found = requests.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
}

/** Signs up by the requests of the collection, which keep the tokens for those that follow. */
async function signUp(): Promise<void> {
  for (const name of ["Send a one-time code", "Read the code (development)", "Verify a one-time code"]) {
    const { status, text } = await send(named(name));
    assert.equal(status, 200, text);
  }
  const { status, text } = await send(named("Create an account"));
  assert.equal(status, 201, text);
}

let signedUp: Promise<void> | undefined;
/** Signs up once, by whichever test comes first. */
const signUpOnce = () => {
  signedUp ??= signUp();
  return signedUp;
};

test("the sign-up requests of the Postman collection need no manual input, and keep the tokens", async () => {
  await signUpOnce();
  for (const name of ["Get my account", "Refresh the tokens", "Get my profile"]) {
    const answer = await send(named(name));
    assert.equal(answer.status, 200, answer.text);
  }
});

/** Operations that end the session, so that they are sent last. */
const LAST = ["Sign out", "Delete my account permanently", "End my other sessions"];

test("the server accepts every request of the Postman collection with its media type, fields and headers", async () => {
  await signUpOnce();
  const database = new DatabaseSync(databaseWith(persist, "d1", "users"), { timeout: 5000 });
  database.exec("update users set role = 'admin'");
  const id = String(database.prepare("select id from users").get()?.id);
  database.close();
  const refused: string[] = [];
  for (const each of [...requests].sort((a, b) => Number(LAST.includes(a.name)) - Number(LAST.includes(b.name)))) {
    // The tokens of a sign-in with Google or Apple are those of its provider.
    const { status, text } = await send(each, { id });
    const code = status >= 400 ? /"code":"(\w+)"/.exec(text)?.[1] : undefined;
    const isRefused =
      status >= 500 ||
      [405, 413, 415].includes(status) ||
      ["validation_error", "authentication_required"].includes(code ?? "");
    if (isRefused) refused.push(`${each.request.method} ${each.request.url.raw}: ${status} ${text.slice(0, 300)}`);
  }
  assert.deepEqual(refused, []);
});
