import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { jpeg } from "../support/documents.ts";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";

let server: Awaited<ReturnType<typeof startDevServer>>;
let browser: Browser;
let page: Page;

before(async () => {
  server = await startDevServer();
  browser = await launchBrowser();
  page = await browser.newPage();
  await page.goto(`${server.base}/`);
  await page.waitForSelector(".opblock");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const post = async (path: string, body: object) => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(server.base + path, { method: "POST", headers, body: JSON.stringify(body) });
  return (await answer.json()) as { data: Record<string, string> };
};

/** Signs up by the API and returns the access token. */
async function signUp(): Promise<string> {
  const identifier = `docs.${Date.now()}@example.com`;
  await post("/api/auth/otp/request", { identifier });
  let otp: string | null | undefined;
  for (let tries = 0; tries < 50 && !otp; tries++) {
    const outbox = `${server.base}/dev/outbox?to=${encodeURIComponent(identifier)}`;
    const answer = await fetch(outbox, { headers: { accept: "application/json" } });
    otp = ((await answer.json()) as { messages: { code: string | null }[] }).messages[0]?.code;
  }
  const { data } = await post("/api/auth/otp/verify", { identifier, otp });
  const account = await post("/api/auth/register", { identifier, verification_token: data.verification_token });
  return account.data.access_token ?? "";
}

/** Opens an operation and begins to try it. */
async function tryOut(operationId: string) {
  const block = page.locator(`[id$="-${operationId}"]`);
  await block.locator(".opblock-summary").click();
  await block.locator(".try-out__btn").click();
  return block;
}

/** Executes the operation, and returns the status and the path of the request that was sent. */
async function execute(block: Awaited<ReturnType<typeof tryOut>>) {
  const sent = page.waitForResponse(
    (response) => response.url().includes("/api/") && !response.url().includes("/docs"),
  );
  await block.locator(".execute").click();
  const response = await sent;
  return { status: response.status(), url: new URL(response.url()), body: await response.json() };
}

test("the bare address leads to the page, which has a title, an icon, the first call at its top, and marks staff", async () => {
  assert.equal(new URL(page.url()).pathname, "/api/docs");
  assert.equal(await page.title(), "PowerBank Users API");
  assert.match((await page.getAttribute("link[rel=icon]", "href")) ?? "", /^data:image\/svg/);
  const intro = (await page.textContent(".information-container")) ?? "";
  assert.match(intro, /First call/);
  assert.equal(await page.locator(".information-container ol > li").count(), 5);
  assert.ok((await page.locator('.opblock-tag[data-tag^="Staff"]').count()) >= 2);
});

test("the page follows the system into dark mode and back", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForSelector("html.dark-mode");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForSelector("html:not(.dark-mode)");
});

test("a token that is pasted with the word Bearer authorises all the same, and the box says what it takes", async () => {
  const token = await signUp();
  await page.click(".auth-wrapper .authorize");
  assert.match((await page.textContent(".auth-container")) ?? "", /access_token.*without the word Bearer/);
  await page.fill(".auth-container input", `Bearer ${token}`);
  await page.click(".auth-btn-wrapper .authorize");
  await page.click(".auth-btn-wrapper .btn-done");
  const { status, body } = await execute(await tryOut("getAccount"));
  assert.equal(status, 200, JSON.stringify(body));
});

test("a text is typed into a search field and sent", async () => {
  const block = await tryOut("listUsers");
  await block.locator('tr[data-param-name="search"] input').fill("Asha Gurung");
  const { status, url } = await execute(block);
  // The caller is no member of staff; what matters is that the page did not refuse the text.
  assert.equal(status, 403);
  assert.equal(url.searchParams.get("search"), "Asha Gurung");
});

test("a picture is uploaded with the fields of an identity document", async () => {
  const block = await tryOut("submitKyc");
  await block
    .locator('tr[data-property-name="document_number"] input, [data-name="document_number"] input')
    .first()
    .fill("12-34-56-78901");
  const file = { name: "front.jpg", mimeType: "image/jpeg", buffer: Buffer.from(jpeg()) };
  await block.locator('input[type="file"]').first().setInputFiles(file);
  const { status, body } = await execute(block);
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal((body as { data: { status: string } }).data.status, "PENDING");
});

/** The statuses of an operation's responses that show an example, each with its text. */
const shownExamples = (operationId: string) =>
  page
    .locator(`[id$="-${operationId}"] tr.response:has(.model-example:visible)`)
    .evaluateAll((rows) =>
      rows.map(
        (row) => [row.getAttribute("data-code"), row.querySelector(".model-example")?.textContent ?? ""] as const,
      ),
    );

test("an error shows an example only where it has fields", async () => {
  const rows = await page.locator('[id$="-getAccount"] .responses-inner tr.response').count();
  const account = await shownExamples("getAccount");
  assert.ok(rows > account.length, "there are errors without an example");
  assert.deepEqual(
    account.map(([code]) => code),
    ["200"],
  );
  const kyc = await shownExamples("submitKyc");
  assert.deepEqual(
    kyc.map(([code]) => code),
    ["201", "400"],
  );
  assert.match(kyc[1]?.[1] ?? "", /"success": false.*"fields"/s);
});
