import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "./chromium.ts";
import { startDevServer } from "./dev-server.ts";

let server: Awaited<ReturnType<typeof startDevServer>>;
let browser: Browser;

before(async () => {
  browser = await launchBrowser();
  server = await startDevServer("dev-social.ts");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const [name, provider] of [
  ["Google", "GOOGLE"],
  ["Apple", "APPLE"],
] as const) {
  test(`a person signs in with ${name} twice to the same account, and no token appears in a URL`, async () => {
    const login = `asha.${Date.now()}`;
    const ids: string[] = [];
    for (let visit = 1; visit <= 2; visit++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const addresses: string[] = [];
      page.on("request", (request) => addresses.push(request.url()));
      await page.goto(`http://localhost:${server.port + 4}/`);
      await page.click(`text=Continue with ${name}`);
      await page.fill("input[name=login]", login);
      await page.fill("input[name=password]", "any");
      await page.click("button[type=submit]");
      // The second page asks for consent.
      await page.waitForSelector("input[name=login]", { state: "detached" });
      await page.click("button[type=submit]");
      await page.waitForURL(/\/api\/auth\/social\/success/);
      const answer = JSON.parse((await page.textContent("body")) ?? "");
      assert.equal(answer.success, true);
      const { access_token, user } = answer.data;
      assert.equal(user.social_provider, provider);
      const me = await fetch(`${server.base}/api/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
      assert.equal(((await me.json()) as { data: { id: string } }).data.id, user.id);
      assert.deepEqual(
        addresses.filter((address) => address.includes("eyJ")),
        [],
      );
      ids.push(user.id);
      await context.close();
    }
    assert.equal(ids[0], ids[1]);
  });
}
