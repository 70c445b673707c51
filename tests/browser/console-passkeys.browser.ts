import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { databaseFile, localDatabases } from "../../scripts/operations/local-database.ts";
import { launchBrowser } from "./chromium.ts";
import { findBarriers, watch } from "./console-stage.ts";
import { startDevServer } from "./dev-server.ts";
import { apiOf, staffCommand } from "./people.ts";
import { addAuthenticator } from "./virtual-authenticator.ts";

// The staff console where a role works only with a passkey (STAFF_PASSKEYS=required), with Chromium's virtual
// authenticator.

const state = mkdtempSync(join(tmpdir(), "users-api-"));
const [CHIEF, MEMBER] = ["chief@example.com", "member@example.com"];

let server: Awaited<ReturnType<typeof startDevServer>>;
let api: ReturnType<typeof apiOf>;
let browser: Browser;

before(async () => {
  process.env.STAFF_PASSKEYS = "required";
  server = await startDevServer("dev.ts", state);
  api = apiOf(server.base);
  browser = await launchBrowser();
  for (const person of [CHIEF, MEMBER]) await api.enterByCode(person, "register");
  // They had their roles before passkeys were required.
  query("update users set role = iif(email = ?, 'admin', 'staff')", CHIEF);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

interface Desk {
  page: Page;
  authenticator: Awaited<ReturnType<typeof addAuthenticator>>;
  press(name: string): Promise<void>;
  heading(name: string): Promise<void>;
  shows(text: string | RegExp): Promise<void>;
  /** Nobody is shut out of what the page shows, and it has done nothing forbidden. */
  expectClean(what: string): Promise<void>;
}

/** A browser of its own with an authenticator, from a network of its own, on the console. */
async function openDesk(network: number, mayFail: RegExp): Promise<Desk> {
  const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1280, height: 800 } });
  await context.setExtraHTTPHeaders({ "cf-connecting-ip": `10.88.${network}.1` });
  const { page, faults } = await watch(await context.newPage(), server.base);
  const authenticator = await addAuthenticator(page);
  await page.goto(`${server.base}/console`);
  return {
    page,
    authenticator,
    press: (name) => page.getByRole("button", { name, exact: true }).first().click(),
    heading: (name) => page.getByRole("heading", { level: 1, name }).waitFor(),
    shows: (text) => page.getByText(text).first().waitFor(),
    async expectClean(what) {
      await page.waitForSelector(".loading", { state: "detached" });
      await page.waitForSelector("[aria-busy=true]", { state: "detached" });
      assert.deepEqual(await findBarriers(page), [], what);
      // The browser reports refusals of the server too.
      assert.deepEqual(
        faults.splice(0).filter((fault) => !mayFail.test(fault)),
        [],
        what,
      );
    },
  };
}

async function signInByCode({ page, press }: Desk, identifier: string): Promise<void> {
  // The person had their last code long ago.
  query("update otp_challenges set created_at = created_at - 3600000");
  await page.fill("input[name=identifier]", identifier);
  await press("Send a code");
  await page.waitForSelector("input[name=otp]");
  await page.fill("input[name=otp]", await api.newCode(identifier));
  await press("Sign in");
}

/** Runs SQL on the server's database. */
function query(sql: string, ...values: (string | number)[]): Record<string, unknown> | undefined {
  const [primary] = localDatabases;
  const database = new DatabaseSync(databaseFile(state, primary), { timeout: 5_000 });
  try {
    return database.prepare(sql).get(...values);
  } finally {
    database.close();
  }
}

const HTTP_REFUSALS = /Failed to load resource: the server responded with a status of (400|403|409)/;
let office: Desk;
let desk: Desk;

test("a member of staff without a passkey is refused, on a page that says what to do", async () => {
  desk = await openDesk(1, HTTP_REFUSALS);
  await desk.expectClean("sign-in");
  await signInByCode(desk, MEMBER);
  await desk.heading("A passkey is needed");
  await desk.shows("Ask an admin to open your account under People");
  await desk.expectClean("refused");
  assert.equal(await desk.page.getByRole("link", { name: "People" }).count(), 0);
  await desk.page.reload();
  await desk.heading("A passkey is needed");
  await desk.press("Sign out");
  await desk.heading("Sign in");
});

test("the first admin enrols in the window of the command, and opens one for the member", async () => {
  await staffCommand(state, "enrol", CHIEF);
  office = await openDesk(2, HTTP_REFUSALS);
  await signInByCode(office, CHIEF);
  await office.shows("You can add one until");
  await office.expectClean("open window");
  await office.press("Add a passkey");
  await office.page.waitForSelector(".frame");
  assert.equal((await office.authenticator.credentials()).length, 1);

  const { page } = office;
  await page.goto(`${server.base}/console/people`);
  await page.locator("tbody a", { hasText: "member" }).first().click();
  await office.press("Reset passkeys");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("First passkey, known at the office");
  await dialog.getByRole("button", { name: "Reset passkeys" }).click();
  await dialog.waitFor({ state: "detached" });
  await office.expectClean("reset");
});

test("the member enrols by the keyboard alone, works, and signs in by passkey without typing", async () => {
  const { page } = desk;
  await signInByCode(desk, MEMBER);
  await desk.shows("You can add one until");
  await page.getByRole("button", { name: "Add a passkey" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".frame");
  await page.goto(`${server.base}/console/people`);
  await page.waitForSelector("tbody tr");
  await desk.press("Sign out");

  // The browser offers the passkey in the field itself.
  await page.waitForSelector(".frame");
  await desk.press("Sign out");
  await page.waitForSelector(".frame");
  await desk.expectClean("signed in by the field's offer");

  const [passkey] = await desk.authenticator.credentials();
  assert.equal(passkey?.isResidentCredential, true);
  const offers = await page.getAttribute("html", "data-passkeys");
  assert.equal(offers, "localhost");
});

test("an act that needs a recent proof asks for it, and then succeeds; without the proof it does not happen", async () => {
  const { page } = office;
  await page.goto(`${server.base}/console/people`);
  await page.locator("tbody a", { hasText: "member" }).first().click();
  await page.waitForSelector(".grid");
  query("update sessions set passkey_at = passkey_at - 660000, created_at = created_at - 660000");
  await office.press("Reset passkeys");
  const act = page.getByRole("dialog", { name: "Remove every passkey?" });
  const question = page.getByRole("dialog", { name: "Prove that it is you" });
  await act.getByLabel("Reason").fill("Lost the phone, known by video call");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await question.waitFor();
  await office.expectClean("proof");
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  await act.getByRole("alert").waitFor();
  const count = () =>
    query("select count(*) as n from passkeys p join users u on u.id = p.user_id where u.email = ?", MEMBER)?.n;
  assert.equal(count(), 1);
  await act.getByRole("button", { name: "Reset passkeys" }).click();
  await question.waitFor();
  // The question's button has the focus.
  await question.getByRole("button", { name: "Use your passkey" }).waitFor();
  await page.keyboard.press("Enter");
  await act.waitFor({ state: "detached" });
  assert.equal(count(), 0);
  await office.expectClean("done");
});

test("after a pause the passkey is asked for", async () => {
  const { page, authenticator } = office;
  await page.clock.install();
  await page.goto(`${server.base}/console/people`);
  await page.waitForSelector("tbody tr");
  await page.clock.fastForward("16:00");
  await office.heading("Paused");
  await office.expectClean("paused");
  const verified = (isUserVerified: boolean) =>
    authenticator.devtools.send("WebAuthn.setUserVerified", {
      authenticatorId: authenticator.authenticatorId,
      isUserVerified,
    });
  await verified(false);
  await office.press("Continue");
  await office.shows("No passkey was used.");
  assert.equal(await page.locator("tbody").count(), 0);
  await verified(true);
  await office.press("Continue");
  await page.waitForSelector("tbody tr");
});

test("a question that a pause has hidden does not hold up the acts that follow", async () => {
  const { page } = office;
  await page.locator("tbody a", { hasText: "member" }).first().click();
  await page.waitForSelector(".grid");
  const act = page.getByRole("dialog", { name: "Remove every passkey?" });
  const question = page.getByRole("dialog", { name: "Prove that it is you" });
  const ask = async () => {
    query("update sessions set passkey_at = passkey_at - 660000, created_at = created_at - 660000");
    await office.press("Reset passkeys");
    await act.getByLabel("Reason").fill("Lost the phone");
    await act.getByRole("button", { name: "Reset passkeys" }).click();
    await question.waitFor();
  };
  await ask();
  await page.clock.fastForward("16:00");
  await office.heading("Paused");
  await office.press("Continue");
  await page.waitForSelector(".grid");
  await ask();
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await act.waitFor({ state: "detached" });
  query("update sessions set passkey_at = passkey_at + 660000, created_at = created_at + 660000");
});

test("own passkeys are listed, added and removed; the last one stays", async () => {
  const { page } = office;
  await page.goto(`${server.base}/console/passkeys`);
  await office.heading("Your passkeys");
  await page.waitForSelector("tbody tr");
  await office.expectClean("own passkeys");
  const dialog = page.getByRole("dialog");
  await office.press("Add a passkey");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await office.shows("This device already has a passkey of yours.");
  await office.expectClean("add");
  // Another device.
  const { authenticatorId } = office.authenticator;
  await office.authenticator.devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.keyboard.press("Escape");
  await office.press("Remove the passkey without a name");
  await dialog.getByRole("button", { name: "Remove", exact: true }).click();
  await dialog.getByRole("alert").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("tbody tr").count(), 1);
});
