import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";

let server: Awaited<ReturnType<typeof startDevServer>>;
let browser: Browser;

before(async () => {
  server = await startDevServer();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page that records requests to other hosts and errors. */
async function openPage(): Promise<{ page: Page; outside: string[]; complaints: string[] }> {
  const page = await browser.newPage();
  const outside: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== server.base) outside.push(request.url());
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  return { page, outside, complaints };
}

test("the documentation page lists every route and webhook of the OpenAPI document", async () => {
  const { page, outside, complaints } = await openPage();
  await page.goto(`${server.base}/docs`);
  await page.waitForSelector(".opblock");
  assert.equal(new URL(page.url()).pathname, "/api/docs");
  const document = (await (await fetch(`${server.base}/api/openapi.json`)).json()) as Record<
    "paths" | "webhooks",
    Record<string, object>
  >;
  const documented = Object.entries({ ...document.paths, ...document.webhooks }).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const shown = await page.$$eval(".opblock-summary", (blocks) =>
    blocks.map((block) => {
      const text = (selector: string) =>
        block
          .querySelector(selector)
          ?.textContent?.replace(/\u200b/g, "")
          .trim();
      return `${text(".opblock-summary-method")} ${text(".opblock-summary-path")}`;
    }),
  );
  assert.ok(documented.length > 10);
  assert.deepEqual(shown.sort(), documented.sort());
  assert.deepEqual(outside, []);
  assert.deepEqual(complaints, []);
});

test("a route can be called from the documentation page", async () => {
  const { page, outside, complaints } = await openPage();
  await page.goto(`${server.base}/api/docs`);
  await page.click('.opblock-summary-path[data-path="/api/health"]');
  await page.click(".try-out__btn");
  await page.click(".execute");
  await page.waitForSelector(".live-responses-table tr.response .response-col_status");
  const status = await page.textContent(".live-responses-table tr.response .response-col_status");
  assert.match(status ?? "", /200/);
  assert.deepEqual(outside, []);
  assert.deepEqual(complaints, []);
});

test("the outbox shows a developer the code that was sent", async () => {
  const requested = await fetch(`${server.base}/api/auth/otp/request`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ identifier: "9841234567" }),
  });
  assert.equal(requested.status, 200);
  const { page, outside, complaints } = await openPage();
  await page.goto(`${server.base}/dev/outbox`);
  await page.fill('input[name="to"]', "984-1234567");
  for (let tries = 0; tries < 20 && (await page.$("output")) === null; tries++) {
    await page.click("button");
    await page.waitForLoadState();
  }
  const code = await page.textContent("output");
  assert.match(code ?? "", /^\d{6}$/);

  // A click copies the code, a part of the number finds it, and a later message appears by itself.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click(".code");
  await page.waitForSelector(".code:has-text('Copied')");
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), code);
  await page.fill('input[name="to"]', "98412-345");
  await page.waitForFunction("location.search === '?to=98412-345'");
  assert.equal(await page.textContent("output"), code);
  await page.fill('input[name="to"]', "somebody@example");
  await page.waitForSelector("#messages p");
  await fetch(`${server.base}/api/auth/otp/request`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ identifier: "somebody@example.com" }),
  });
  await page.waitForSelector("#messages:has-text('somebody@example.com') output");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await page.evaluate("getComputedStyle(document.documentElement).colorScheme"), "light dark");
  const verified = await fetch(`${server.base}/api/auth/otp/verify`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ identifier: "9841234567", otp: code }),
  });
  assert.equal(verified.status, 200);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/outbox.png` });
  assert.deepEqual(outside, []);
  assert.deepEqual(complaints, []);
});
