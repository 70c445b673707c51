import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";

let server: Awaited<ReturnType<typeof startDevServer>>;
let browser: Browser;
/** Stands in for an app's page, which receives one-time codes and errors. */
const app = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>App</title>");
});
let appUri = "";

before(async () => {
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  const address = app.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  appUri = `http://localhost:${address.port}/signed-in`;
  process.env.SOCIAL_REDIRECT_URIS = appUri;
  browser = await launchBrowser();
  server = await startDevServer("dev-social.ts");
});

after(async () => {
  await browser?.close();
  await server?.stop();
  app.close();
});

/** Fills in the provider's login page and confirms its consent page. */
async function consent(page: Page, login: string): Promise<void> {
  await page.fill("input[name=login]", login);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
  await page.waitForSelector("input[name=login]", { state: "detached" });
  await page.click("button[type=submit]");
}

/** A login URL; with `state`, one for an app. */
async function loginUrl(provider: "google" | "apple", state?: string): Promise<string> {
  const challenge = createHash("sha256").update(randomBytes(32)).digest("base64url");
  const query = state === undefined ? {} : { redirect_uri: appUri, code_challenge: challenge, state };
  const answer = await fetch(`${server.base}/api/auth/${provider}/login?${new URLSearchParams(query)}`);
  return ((await answer.json()) as { data: { login_url: string } }).data.login_url;
}

for (const [provider, name] of [
  ["google", "Google"],
  ["apple", "Apple"],
] as const) {
  test(`the pages of the simulated ${name} name it and load nothing from other hosts`, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const outside: string[] = [];
    page.on("request", (request) => {
      if (new URL(request.url()).hostname !== "localhost") outside.push(request.url());
    });
    await page.goto(await loginUrl(provider));
    await page.waitForSelector(`.stand-in:has-text("${name}, simulated")`);
    await page.fill("input[name=login]", "asha");
    await page.fill("input[name=password]", "any");
    await page.click("button[type=submit]");
    await page.waitForSelector(`.stand-in:has-text("${name}, simulated")`);
    assert.deepEqual(outside, []);
    await context.close();
  });

  test(`the ID token of the simulated ${name} is shown with a curl command that signs in`, async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`http://localhost:${server.port + 4}/${provider}/token`);
    await consent(page, "asha.token");
    const command = await page.getAttribute("button", "data-command");
    const [, body = "", url = ""] = /-d '(.*)' (\S+)$/.exec(command ?? "") ?? [];
    const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    assert.equal(answer.status, 200, await answer.text());
  });
}

/** Starts a flow and returns its page and the state that it sent to the provider. */
async function openFlow(context: BrowserContext, url: string): Promise<{ page: Page; state: string }> {
  const page = await context.newPage();
  let state = "";
  page.on("request", (request) => {
    state ||= new URL(request.url()).searchParams.get("state") ?? "";
  });
  await page.goto(url);
  await page.waitForSelector("input[name=login]");
  return { page, state };
}

/** Asserts that the page shows the outcome, has links to try again or none, and contains neither a token nor a script. */
async function assertPage(page: Page, title: string, links: number): Promise<void> {
  assert.equal(await page.textContent("h1"), title);
  const content = await page.content();
  assert.match(content, /You may close this window/);
  assert.doesNotMatch(content, /eyJ|<script/);
  assert.equal((await page.$$("a")).length, links);
}

for (const [name, provider] of [
  ["Google", "GOOGLE"],
  ["Apple", "APPLE"],
] as const) {
  const path = provider === "GOOGLE" ? "google" : "apple";

  test(`a person who signs in twice through ${name} gets the same account, and no token is on the screen or in a URL`, async () => {
    const login = `asha.${Date.now()}`;
    const ids: string[] = [];
    for (let visit = 1; visit <= 2; visit++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const addresses: string[] = [];
      const complaints: string[] = [];
      page.on("request", (request) => addresses.push(request.url()));
      page.on("console", (message) => {
        if (message.type() === "error" && page.url().startsWith(server.base)) complaints.push(message.text());
      });
      await page.goto(`http://localhost:${server.port + 4}/`);
      await page.click(`text=Continue with ${name}`);
      await consent(page, login);
      await page.waitForURL(/\/api\/auth\/social\/success/);
      await assertPage(page, "You are signed in", 0);
      if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/signed-in.png` });
      // The same request for JSON, with the browser's cookies, returns the tokens.
      const json = await context.request.get(page.url(), { headers: { accept: "application/json" } });
      const answer = await json.json();
      assert.equal(answer.success, true, JSON.stringify(answer));
      const { access_token, user } = answer.data;
      assert.equal(user.social_provider, provider);
      const me = await fetch(`${server.base}/api/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
      assert.equal(((await me.json()) as { data: { id: string } }).data.id, user.id);
      assert.deepEqual(
        addresses.filter((address) => address.includes("eyJ")),
        [],
      );
      assert.deepEqual(complaints, []);
      ids.push(user.id);
      await context.close();
    }
    assert.equal(ids[0], ids[1]);
  });

  test(`a popup that signs in through ${name} keeps its opener at every step`, async () => {
    for (const state of [undefined, "popup"]) {
      const context = await browser.newContext();
      const opener = await context.newPage();
      await opener.goto(`http://localhost:${server.port + 4}/`);
      const opened = context.waitForEvent("page");
      // Scripts are strings, because this project has no DOM types.
      const address = JSON.stringify(await loginUrl(path, state));
      await opener.evaluate(`void (globalThis.popup = open(${address}, "sign-in", "width=400,height=600"))`);
      const popup = await opened;
      const isCutOff = () => opener.evaluate("popup.closed");
      await popup.waitForSelector("input[name=login]");
      assert.equal(await isCutOff(), false, "at the provider");
      await consent(popup, `popup.${Date.now()}`);
      await popup.waitForURL(state === undefined ? /\/api\/auth\/social\/success/ : /\/signed-in\?code=/);
      assert.equal(await isCutOff(), false, "at the end");
      assert.equal(await popup.evaluate("opener !== null"), true);
      await opener.evaluate("popup.close()");
      await context.close();
    }
  });

  test(`a cancelled and a failed sign-in through ${name} are reported to the person and to the app`, async () => {
    for (const state of [undefined, "of the app"]) {
      const context = await browser.newContext();
      const cancelled = await openFlow(context, await loginUrl(path, state));
      await cancelled.page.click("text=Cancel");
      // A second flow in the same browser, whose code the provider does not know.
      const failed = await openFlow(context, await loginUrl(path, state));
      const fields = { code: "unknown", state: failed.state };
      if (path === "google") {
        await failed.page.goto(`${server.base}/api/auth/google/callback?${new URLSearchParams(fields)}`);
      } else {
        const form = { action: `${server.base}/api/auth/apple/callback`, ...fields };
        await failed.page.evaluate(`{
          const { action, ...fields } = ${JSON.stringify(form)};
          const form = Object.assign(document.createElement("form"), { method: "post", action });
          for (const [name, value] of Object.entries(fields)) {
            form.append(Object.assign(document.createElement("input"), { name, value }));
          }
          document.body.append(form);
          form.submit();
        }`);
      }
      for (const [{ page }, error] of [
        [cancelled, "access_denied"],
        [failed, "social_auth_failed"],
      ] as const) {
        await page.waitForURL(state === undefined ? /\/api\/auth\/social\/error\?/ : /\/signed-in\?/);
        const { searchParams } = new URL(page.url());
        assert.equal(searchParams.get("error"), error);
        assert.equal(searchParams.get("state"), state ?? null);
        if (state === undefined) {
          await assertPage(page, "Sign-in failed", 2);
          await page.click(`text=Try again with ${name}`);
          await page.waitForSelector("input[name=login]");
        }
      }
      await context.close();
    }
  });
}

for (const provider of ["google", "apple"] as const) {
  test(`the page of the stand-ins gives an ID token of ${provider} with which a native app signs in`, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://localhost:${server.port + 4}/${provider}/token`);
    await consent(page, "Nima Sherpa");
    const body = (await page.textContent("#body")) ?? "";
    const answer = await fetch(`${server.base}/api/auth/${provider}/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    await context.close();
  });
}
