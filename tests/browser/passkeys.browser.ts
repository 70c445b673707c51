import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, CDPSession, Page } from "playwright-core";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";
import { type Answer, apiOf, staffCommand } from "./people.ts";
import { addAuthenticator } from "./virtual-authenticator.ts";

// Passkeys with Chromium's virtual authenticator: a dashboard of another origin, which the configuration names, uses the
// API with the browser's own functions alone.

const state = mkdtempSync(join(tmpdir(), "users-api-"));

let server: Awaited<ReturnType<typeof startDevServer>>;
let call: ReturnType<typeof apiOf>["call"];
let enterByCode: ReturnType<typeof apiOf>["enterByCode"];
let browser: Browser;
/** Servers of pages: the dashboard, and one that the configuration does not name. */
let dashboard: Server;
let stranger: Server;

const originOf = (pages: Server) => `http://localhost:${(pages.address() as AddressInfo).port}`;

/** Serves the dashboard's page on a free port. */
async function servePages(): Promise<Server> {
  const pages = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><title>dashboard</title><input autocomplete="username webauthn" autofocus>
      <script>${script(server.base)}</script>`);
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  return pages;
}

before(async () => {
  dashboard = await servePages();
  stranger = await servePages();
  process.env.STAFF_PASSKEYS = "required";
  process.env.PASSKEY_ORIGINS = originOf(dashboard);
  process.env.CORS_ORIGINS = originOf(dashboard);
  server = await startDevServer("dev.ts", state);
  ({ call, enterByCode } = apiOf(server.base));
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  for (const pages of [dashboard, stranger]) pages?.close();
});

const guide = readFileSync(join(import.meta.dirname, "..", "..", "docs", "app-sign-in.md"), "utf8");
const [, snippet = ""] = /```js\n(.*?)```/s.exec(guide) ?? [];

/** The script of the dashboard: the snippet of the app guide as it is, and the function `post` that it leaves to an app. */
const script = (base: string) => `
  let token;
  let lastCredential;
  async function post(path, body = {}) {
    lastCredential = body.credential;
    const headers = { "content-type": "application/json", ...(token ? { authorization: "Bearer " + token } : {}) };
    const response = await fetch("${base}" + path, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw { status: response.status, body: answer };
    return { ...answer, status: response.status, body: answer };
  }
  ${snippet}
  /** Gives the answer of a refused call too; errors of the browser stay errors. */
  const answerOf = (work) => work.catch((refused) => {
    if (refused instanceof Error) throw refused;
    return { ...refused, credential: lastCredential };
  });
  const nameOf = (work) => work.then(() => "no error", (error) => error.name);
  const as = (access) => { token = access; };
`;

interface Desk {
  page: Page;
  devtools: CDPSession;
  authenticatorId: string;
  /** Runs a function of the snippet in a session, or without one. */
  run(expression: string, token?: string): Promise<Answer & { credential?: { id: string } }>;
  credentials(): Promise<{ isResidentCredential: boolean }[]>;
}

/** A browser of its own with an authenticator that verifies its user, on a page of the origin. */
async function openDesk(origin = originOf(dashboard)): Promise<Desk> {
  const page = await (await browser.newContext()).newPage();
  const { devtools, authenticatorId, credentials } = await addAuthenticator(page);
  await page.goto(origin);
  return {
    page,
    devtools,
    authenticatorId,
    run: (expression, token) => page.evaluate(`as(${JSON.stringify(token)}), answerOf(${expression})`),
    credentials,
  };
}

test("a person adds a passkey, signs in by it without typing, proves by it, and deletes the account", async () => {
  const token = await enterByCode("asha.passkey@example.com", "register");
  const { run, page, devtools, authenticatorId, credentials } = await openDesk();

  const added = await run(`addPasskey("Laptop")`, token);
  assert.equal(added.status, 201, JSON.stringify(added.body));
  assert.deepEqual(
    (await credentials()).map(({ isResidentCredential }) => isResidentCredential),
    [true],
  );
  assert.equal(await page.evaluate(`nameOf(addPasskey("Laptop"))`), "InvalidStateError");

  const first = await run("signIn()");
  assert.equal(first.status, 200, JSON.stringify(first.body));
  assert.equal(first.body.data.user.username, "asha.passkey");
  const { access_token: access, refresh_token } = first.body.data;
  assert.equal((await call("POST", "/auth/logout", { refresh_token }, access)).status, 200);
  assert.equal((await call("GET", "/auth/me", undefined, access)).status, 401);

  const second = await run(`signIn("conditional")`);
  assert.equal(second.status, 200, JSON.stringify(second.body));
  assert.equal(second.body.data.user_id, first.body.data.user_id);

  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  assert.equal(await page.evaluate("nameOf(signIn())"), "NotAllowedError");
  await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

  const session = second.body.data.access_token;
  const proof = await run("prove()", session);
  assert.equal(proof.status, 200, JSON.stringify(proof.body));
  assert.ok(Date.parse(proof.body.data.proved_until) > Date.now());
  const exported = await call("GET", "/users/export", undefined, session);
  assert.deepEqual([exported.status, exported.body.data.identity.passkeys.length], [200, 1]);
  assert.equal((await call("DELETE", "/auth/account", {}, session)).status, 200);

  const unknown = await run("signIn()");
  assert.deepEqual([unknown.status, unknown.body.error.code], [400, "passkey_unknown"]);
  const signal = `PublicKeyCredential.signalUnknownCredential({ rpId: "localhost", credentialId: "${unknown.credential?.id}" })`;
  await page.evaluate(signal);
  assert.equal((await credentials()).length, 0);
});

test("what the browser signs for a page that the configuration does not name is refused", async () => {
  const token = await enterByCode("bina.passkey@example.com", "register");
  const { page, run } = await openDesk(originOf(stranger));
  const options = await call("POST", "/auth/passkeys/options", { purpose: "REGISTER" }, token);
  const create = `navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(
    ${JSON.stringify(options.body.data.public_key)}) }).then((credential) => credential.toJSON())`;
  const credential = await page.evaluate(create);
  const answer = await call("POST", "/auth/passkeys", { credential }, token);
  assert.deepEqual([answer.status, answer.body.error.code], [400, "passkey_failed"]);
  // The browser itself keeps such a page from the API.
  await assert.rejects(run("signIn()"));
});

test("a member of staff without a passkey is refused, enrols in a window that an admin opens, and is let in", async () => {
  const [chief, member] = ["chief.passkey@example.com", "member.passkey@example.com"];
  const [office, desk] = [await openDesk(), await openDesk()];
  const beginning = await enterByCode(chief, "register");
  assert.equal((await office.run(`addPasskey("Laptop")`, beginning)).status, 201);
  await enterByCode(member, "register");
  await staffCommand(state, "grant", chief);
  await staffCommand(state, "grant", member, "--role", "staff");

  const byCode = await enterByCode(member, "login");
  const { body: identity } = await call("GET", "/auth/identity", undefined, byCode);
  assert.equal(identity.data.passkey_required, true);
  const refused = await call("GET", "/users", undefined, byCode);
  assert.deepEqual([refused.status, refused.body.error.code], [403, "passkey_required"]);
  const closed = await desk.run(`addPasskey("Laptop")`, byCode);
  assert.deepEqual([closed.status, closed.body.error.code], [403, "passkey_required"]);

  const admin = (await office.run("signIn()")).body.data.access_token;
  const reason = "First passkey, identity checked at the office";
  const reset = await call("POST", `/users/${identity.data.id}/passkey-reset`, { reason }, admin);
  assert.equal(reset.status, 200, JSON.stringify(reset.body));

  const again = await enterByCode(member, "login");
  assert.equal((await desk.run(`addPasskey("Laptop")`, again)).status, 201);
  assert.equal((await desk.run("prove()", again)).status, 200);
  assert.equal((await call("GET", "/users", undefined, again)).status, 200);
  const bySelf = (await desk.run("signIn()")).body.data.access_token;
  assert.equal((await call("GET", "/users", undefined, bySelf)).status, 200);
});
