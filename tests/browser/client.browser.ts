import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildSync } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type HostileProxy, startHostileProxy } from "../../client/tests/hostile-proxy.ts";
import { readCode } from "../../client/tests/life.ts";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";

// The client package in a browser: the example app, and several tabs of one app on a bad network.

const ROUNDS = 6;
const TABS = 3;

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

const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);

test("the example app signs up, shows the profile, uploads a document and signs out", async () => {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${server.base}/example/`);
  await page.fill("#identifier", "asha@example.com");
  await page.click("#ask button");
  await page.waitForSelector("#status:not(:empty)");
  await page.fill("[name=otp]", await readCode(server.base, "asha@example.com"));
  await page.click("#enter button");
  await page.waitForSelector("body.in #profile");
  assert.match((await page.textContent("#profile")) ?? "", /"username": "asha"/);
  await page.reload();
  await page.waitForSelector("body.in #profile");
  await page.fill("[name=number]", "12-34-56-78901");
  await page.setInputFiles("[name=front]", { name: "front.png", mimeType: "image/png", buffer: PICTURE });
  await page.click("#upload button");
  await page.waitForSelector("#status:has-text('PENDING')");
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/example.png` });
  await page.click("#logout button");
  await page.waitForSelector("body.out #ask");
  assert.deepEqual(complaints, []);
});

/** Tabs of one app on a bad network in front of the server. */
async function openTabs(proxy: HostileProxy, prepare?: (context: BrowserContext) => Promise<void>): Promise<Page[]> {
  const entryPoints = [join(import.meta.dirname, "..", "..", "client", "tests", "tab.ts")];
  const bundle = buildSync({ entryPoints, bundle: true, format: "iife", write: false });
  proxy.serve("/tab", "text/html", '<!doctype html><title>tab</title><script src="/tab.js"></script>');
  proxy.serve("/tab.js", "text/javascript", bundle.outputFiles[0]?.text ?? "");
  const context = await browser.newContext();
  await prepare?.(context);
  const tabs: Page[] = [];
  for (let i = 0; i < TABS; i++) {
    const tab = await context.newPage();
    await tab.goto(`${proxy.url}/tab`);
    tabs.push(tab);
  }
  return tabs;
}

const withoutLocks = async (context: BrowserContext): Promise<void> => {
  await context.addInitScript("Object.defineProperty(navigator, 'locks', { value: undefined })");
};

for (const [name, seed, prepare] of [
  ["by Web Locks", 1, undefined],
  ["by their storage, where there are no Web Locks", 2, withoutLocks],
] as const) {
  test(`tabs on a bad network refresh one at a time ${name}, and nobody is signed out`, async () => {
    const proxy = await startHostileProxy(server.base, seed);
    try {
      const tabs = await openTabs(proxy, prepare);
      const [first, second] = tabs as [Page, Page];
      assert.equal(await first.evaluate("typeof navigator.locks"), prepare ? "undefined" : "object");
      await first.evaluate(`tab.signUp("tabs${seed}@example.com")`);
      for (let round = 1; round <= ROUNDS; round++) {
        await first.evaluate("tab.expire()");
        const reasons = await Promise.all(tabs.map((tab) => tab.evaluate<string[]>("tab.use()")));
        assert.deepEqual(reasons.flat(), []);
        assert.equal(await first.evaluate("tab.rotations()"), round);
      }
      const progress = await second.evaluate<number[]>("tab.upload()");
      assert.equal(progress.at(-1), 1);
      proxy.calm();
      await second.evaluate("tab.logout()");
      for (const tab of tabs) await tab.waitForFunction("tab.signedOut.length > 0");
      assert.deepEqual(await first.evaluate("tab.signedOut"), ["elsewhere"]);
      assert.deepEqual(await second.evaluate("tab.signedOut"), ["logout"]);
    } finally {
      await proxy.stop();
    }
  });
}
