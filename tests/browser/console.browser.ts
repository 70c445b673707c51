import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { KEYS } from "../../console/ui/key-list.ts";
import { printCertificate } from "./console-documents.ts";
import { findBarriers, openPage, openStage, type Person, type Stage, signIn } from "./console-stage.ts";

/** Text that would act if it were ever read as HTML. */
const CANARY = "<img src=x onerror=document.title='hit'>";

let stage: Stage;
let staff: Person;
let sita: Person;
let page: Page;
let faults: string[];

before(async () => {
  stage = await openStage();
  staff = await stage.newStaff("Bina Rai");
  const full_name = "Sita Shrestha";
  sita = await stage.signUp("Sita S", { full_name, date_of_birth: "1994-05-12", address: "Lakeside, Pokhara" });
  ({ page, faults } = await openPage(stage));
});
after(() => stage?.close());

const visit = async (path: string) => {
  await page.goto(`${stage.base}/console${path}`);
  await page.waitForSelector(".frame");
};
/** Goes to a screen without loading the page: a load refreshes the session, which a user may do 60 times a minute. */
const turnTo = (path: string) =>
  page.evaluate(
    `history.pushState(null, "", "/console${path}"); dispatchEvent(new PopStateEvent("popstate"));
      new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))`,
  );
const heading = (name: string | RegExp) => page.getByRole("heading", { level: 1, name }).waitFor();
const press = (name: string | RegExp) => page.getByRole("button", { name }).first().click();
const follow = (name: string) => page.getByRole("link", { name, exact: true }).first().click();
const shows = (text: string | RegExp) => page.getByText(text).first().waitFor();

/** Nobody is shut out of what the page shows, and it has done nothing forbidden. */
async function expectClean(state: string): Promise<void> {
  await page.waitForSelector(".loading", { state: "detached" });
  await page.waitForSelector("[aria-busy=true]", { state: "detached" });
  assert.deepEqual(await findBarriers(page), [], state);
  assert.deepEqual(faults, [], state);
}

/** Does what the open dialog asks, with a reason. */
async function confirm(verb: string, reason?: string): Promise<void> {
  const dialog = page.getByRole("dialog");
  if (reason) await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button", { name: verb, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

test("1: staff sign in by a code, stay signed in after a reload and in a second tab, and sign out in both", async () => {
  await page.goto(`${stage.base}/console`);
  await heading("Sign in");
  await expectClean("sign-in");
  await signIn(stage, page, staff);
  await page.reload();
  await page.waitForSelector(".frame");
  const second = await page.context().newPage();
  await second.goto(`${stage.base}/console/people`);
  await second.waitForSelector("tbody tr");
  await second.getByRole("button", { name: "Sign out" }).click();
  await second.waitForSelector(".gate");
  await page.waitForSelector(".gate");
  await shows("You signed out in another tab.");
  await expectClean("signed out");
  await second.close();
  await page.context().close();
  ({ page, faults } = await openPage(stage));
  // The browser's first code was requested seconds ago, so this one is another member of staff.
  staff = await stage.newStaff("Hari Thapa");
  await signIn(stage, page, staff);
});

test("1: a sign-out that does not reach the server is told, also after a reload, and is repeated", async () => {
  const { page: shared } = await openPage(stage);
  await signIn(stage, shared, await stage.newStaff("Kamala Bista"));
  let isCut = true;
  await shared.route("**/console/session", (route) => (isCut ? route.abort() : route.continue()));
  const told = shared.getByText("Your session has not ended yet").first();
  await shared.getByRole("button", { name: "Sign out" }).click();
  await told.waitFor();
  assert.deepEqual(await findBarriers(shared), []);
  await shared.reload();
  await told.waitFor();
  assert.equal(await shared.locator(".frame").count(), 0, "the next person is not signed in by the cookie");
  isCut = false;
  await shared.getByRole("button", { name: "Sign out again" }).click();
  await shared.getByText("You are signed out.").waitFor();
  const refreshed = shared.waitForResponse("**/console/session/refresh");
  await shared.reload();
  assert.equal((await (await refreshed).json()).data, null, "the session has ended");
  await shared.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
  await shared.context().close();
});

test("1: a page that loads during a limit or without a connection says which, and when to try again", async () => {
  const { page: started } = await openPage(stage);
  const error = { code: "rate_limit_exceeded", message: "Too many requests." };
  await started.route("**/console/session/refresh", (route) =>
    route.fulfill({ status: 429, headers: { "Retry-After": "30" }, json: { success: false, error } }),
  );
  await started.goto(`${stage.base}/console`);
  await started.getByText("Too many requests. Try again in 30 seconds.").waitFor();
  await started.unroute("**/console/session/refresh");
  await started.route("**/console/session/refresh", (route) => route.abort());
  await started.reload();
  await started.getByText("The server was not reached. Load the page again.").waitFor();
  await started.context().close();
});

test("2: a person is found, their address is hidden until it is asked for, and the trail tells both", async () => {
  await visit("/people");
  await page.keyboard.press("/");
  await page.keyboard.type("shrestha sita");
  await page.keyboard.press("Enter");
  await page.locator("tbody a", { hasText: "Sita Shrestha" }).first().waitFor();
  await page.waitForSelector("input[type=search]:focus");
  await expectClean("found people");
  assert.doesNotMatch(page.url(), /sita/);
  await page.locator("tr", { hasText: "sita.s" }).getByRole("link").click();
  await heading("Sita Shrestha");
  await page.waitForSelector("h1:focus");
  await page.waitForSelector(".grid");
  await expectClean("person");
  assert.doesNotMatch((await page.textContent("main")) ?? "", /sita\.s@example\.com|1994-05-12|Lakeside/);
  await page.getByRole("button", { name: "Show the email address" }).click();
  await shows("sita.s@example.com");
  await follow("Trail");
  await shows("View user field");
  await shows("View user");
  await expectClean("trail");
  await page.getByRole("combobox").selectOption("Fields shown to staff");
  await page.locator(".trail tbody tr").nth(1).waitFor({ state: "detached" });
  await shows("View user field");
  await page.getByRole("combobox").selectOption("Passkeys");
  await shows("Nothing was recorded.");
  await expectClean("trail of one kind");
  await page.getByRole("combobox").selectOption("Everything");
  await shows("View user field");
  for (const part of ["Access", "Sessions", "Notes", "Report"]) {
    await follow(part);
    await expectClean(part);
  }
});

test("2: people are listed by the days on which they joined, which stay in the address", async () => {
  const joined = () => page.locator("tbody td[data-name=Joined]").count();
  await visit("/people");
  await page.waitForSelector("tbody tr");
  const today = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Kathmandu" }).format();
  await page.getByLabel("Joined from").fill(today);
  await page.waitForURL(`**/people?start_date=${today}`);
  await page.waitForSelector("tbody tr");
  assert.ok((await joined()) > 0);
  await page.getByLabel("Joined from").fill("2000-01-01");
  await page.getByLabel("Joined until").fill("2000-01-31");
  await shows("Nobody was found.");
  await expectClean("people by day");
  await page.reload();
  assert.equal(await page.getByLabel("Joined until").inputValue(), "2000-01-31");
  await page.getByLabel("Joined from").fill("2000-02-01");
  await shows("“Joined until” is before “Joined from”.");
  assert.equal(await page.getByLabel("Joined until").inputValue(), "2000-01-31", "what was typed stays");
  await expectClean("people by days in the wrong order");
  await page.getByLabel("Joined from").fill("");
  await page.getByLabel("Joined until").fill("");
  await page.waitForSelector("tbody tr");
});

test("3: a ban needs a reason and ends the sessions; activating lifts it; a note stays", async () => {
  await visit(`/people/${sita.id}`);
  await press("Ban");
  await expectClean("dialog");
  await page.keyboard.press("Escape");
  await press("Ban");
  await confirm("Ban", CANARY);
  await shows("Banned");
  await follow("Sessions");
  await shows("not signed in anywhere");
  await press("Activate");
  await confirm("Activate");
  await page.waitForSelector(".mark.good:has-text('Active')");
  await follow("Notes");
  await press("Write a note");
  await page.getByRole("dialog").getByLabel("Note").fill(`Called back. ${CANARY}`);
  await confirm("Save");
  await shows("Called back.");
  await expectClean("notes");
});

test("3: the late answer of an act that was left leaves the next dialog open", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  await page.route("**/unlock", async (route) => {
    await held;
    await route.fulfill({ json: { success: true, data: {} } });
  });
  await visit(`/people/${sita.id}`);
  await press("Unlock");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Reason").fill("Asked by phone");
  await dialog.getByRole("button", { name: "Unlock", exact: true }).click();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await press("Ban");
  const answered = page.waitForResponse("**/unlock");
  release();
  await answered;
  await page.waitForTimeout(300);
  assert.equal(await page.getByRole("dialog", { name: "Ban this account?" }).count(), 1);
  await page.keyboard.press("Escape");
  await page.unroute("**/unlock");
});

/** The pictures that the case shows are loaded. */
const pictures = (count = 1) =>
  page
    .locator(".picture img:visible")
    .nth(count - 1)
    .waitFor();

test("4, 5: cases are decided by keys alone; a case that a colleague decided is told; without keys none acts", async () => {
  const names = ["Anil Karki", "Binod Lama", "Chandra Rana", "Dolma Sherpa", "Ekta Jha"];
  const people: Person[] = [];
  for (const [i, name] of names.entries()) {
    const person = await stage.signUp(name, { full_name: name, date_of_birth: "1990-01-01", address: "Patan" });
    const drawn = { name, number: `27-01-75-0000${i}`, born: "2046-09-17", address: "Patan" };
    const front =
      i === 2 ? await printCertificate(stage.browser, drawn) : { ...drawn, ...(i === 1 ? { turns: 1 } : {}) };
    await stage.submit(person, i === 4 ? "27 01 75 00000" : drawn.number, {
      front,
      ...(i === 0 ? { back: { ...drawn, isBack: true as const } } : {}),
    });
    people.push(person);
  }
  const statusOf = async (person: Person) => {
    const user: { kyc: { status: string } } = await stage.api("GET", `/api/users/${person.id}`, {
      token: stage.admin.token,
    });
    return user.kyc.status;
  };
  await visit("/review");
  await heading("Anil Karki");
  await pictures();
  await shows("2046-09-17");
  await shows("Another account has this number.");
  await expectClean("case");
  const onButtons = await page.locator("button kbd").allTextContents();
  await page.keyboard.press("a");
  assert.equal(await page.getByRole("button", { name: /^Approve Enter/ }).count(), 0, "one side was not shown yet");
  await page.keyboard.press("3");
  await pictures(2);
  await page.keyboard.press("a");
  await page.keyboard.press("Enter");

  await heading("Binod Lama");
  await pictures();
  await page.keyboard.press("r");
  await page.keyboard.press("+");
  await page.keyboard.press("0");
  await page.keyboard.press("x");
  await page.keyboard.press("4");
  await expectClean("reasons");
  await page.keyboard.press("Control+Enter");

  await heading("Chandra Rana");
  await page.waitForSelector("iframe.picture");
  await page.keyboard.press("a");
  await page.keyboard.press("Enter");

  await heading("Dolma Sherpa");
  await pictures();
  const dolma = people[3] as Person;
  await stage.api("PATCH", `/api/users/${dolma.id}/kyc`, {
    token: stage.admin.token,
    body: { status: "REJECTED", rejection_reason: "The picture is blurred." },
  });
  await page.keyboard.press("a");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  // The browser reports the refusal too.
  assert.deepEqual(
    faults.splice(0).filter((fault) => !fault.includes("409")),
    [],
  );
  await expectClean("a case that a colleague decided");
  await page.keyboard.press("j");
  await heading("Ekta Jha");
  onButtons.push(...(await page.locator("button kbd").allTextContents()));
  const decided = await Promise.all(people.map(statusOf));
  assert.deepEqual(decided, ["APPROVED", "REJECTED", "APPROVED", "REJECTED", "PENDING"]);

  await page.keyboard.press("?");
  await expectClean("keys");
  await page.getByLabel("Single keys act").uncheck();
  await page.keyboard.press("Escape");
  await pictures();
  for (const key of ["a", "x", "j", "k"]) await page.keyboard.press(key);
  await heading("Ekta Jha");
  assert.equal(await page.locator("fieldset").count(), 0);
  await press("Keys");
  await page.getByLabel("Single keys act").check();
  await page.keyboard.press("Escape");

  await visit(`/review/${people[0]?.id}`);
  await page.getByRole("button", { name: "Take the decision back" }).waitFor();
  onButtons.push(...(await page.locator("button kbd").allTextContents()));
  // The search is a field, and the list of keys has a button of its own in the menu.
  const ofReview = KEYS.flatMap(([keys]) => keys.split(", ")).filter((key) => key !== "/" && key !== "?");
  assert.deepEqual([...new Set(onButtons)].sort(), ofReview.sort());
  await press(/^Take the decision back/);
  await confirm("Take back", "The number is forged");
  await shows("Waiting");
  await shows("took the last decision back");
  assert.equal(await statusOf(people[0] as Person), "PENDING");
});

test("6: a picture whose link has expired comes again by itself", async () => {
  let isExpired = true;
  await page.route("**/api/users/kyc/documents/**", (route) => {
    if (!isExpired) return route.continue();
    isExpired = false;
    return route.fulfill({ status: 404, body: "" });
  });
  await visit("/review");
  await pictures();
  assert.equal(isExpired, false);
  await page.unroute("**/api/users/kyc/documents/**");
  // The browser reports the refused picture itself.
  assert.deepEqual(
    faults.splice(0).filter((fault) => !fault.includes("404")),
    [],
  );
});

test("5: the late answer of a decision takes nobody away from where they went", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const cases = "**/api/users/*/kyc";
  await page.route(cases, async (route) => {
    if (route.request().method() !== "PATCH") return route.continue();
    await held;
    await route.fulfill({ json: { success: true, data: {} } });
  });
  await visit("/review");
  await pictures();
  await page.keyboard.press("x");
  await page.keyboard.press("1");
  const asked = page.waitForRequest((request) => request.method() === "PATCH");
  await page.keyboard.press("Control+Enter");
  await asked;
  await follow("People");
  await heading("People");
  const answered = page.waitForResponse((response) => response.request().method() === "PATCH");
  release();
  await answered;
  await page.waitForTimeout(300);
  assert.match(page.url(), /\/people$/);
  await page.unroute(cases);
});

test("5: after the last case of the queue nothing is opened again; a case taken back waits again", async () => {
  const cases = "**/api/users/*/kyc";
  const queue = "**/api/users/kyc/submissions?*";
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const decided = new Map<string, string>();
  let left = 2;
  await page.route(queue, async (route) => {
    const answer = await (await route.fetch()).json();
    if (left === 0) await held;
    answer.data.results.splice(left);
    answer.data.total_count = left;
    await route.fulfill({ json: answer });
  });
  await page.route(cases, async (route) => {
    const request = route.request();
    if (request.method() === "PATCH") {
      decided.set(request.url(), request.postDataJSON().status);
      return route.fulfill({ json: { success: true, data: {} } });
    }
    const answer = await (await route.fetch()).json();
    answer.data.status = decided.get(request.url()) ?? answer.data.status;
    await route.fulfill({ json: answer });
  });
  const reject = async () => {
    await pictures();
    // A case whose decision was taken back has its pictures before it can be decided again.
    await page.getByRole("button", { name: /^Reject/ }).waitFor();
    await page.keyboard.press("x");
    await page.keyboard.press("1");
    await page.keyboard.press("Control+Enter");
  };
  await visit("/review");
  await shows("Identity review, 1 of 2");
  await reject();
  await shows("Identity review, 1 of 1");
  await page.goBack();
  await press(/^Take the decision back/);
  await confirm("Take back", "The picture is sharp");
  await shows("Identity review, 1 of 2");
  await reject();
  await shows("Identity review, 1 of 1");
  left = 0;
  await reject();
  await page.waitForURL("**/review");
  await page.waitForTimeout(300);
  assert.match(page.url(), /\/review$/, "while the queue loads");
  release();
  await shows("No documents wait for a decision.");
  await page.unroute(cases);
  await page.unroute(queue);
});

test("7: a locked person's access shows the lock and the codes, and unlocking lifts it", async () => {
  await stage.api("POST", "/api/auth/otp/request", { body: { identifier: "anil.karki@example.com" } }).catch(() => {});
  const identifier = "gita.magar@example.com";
  const gita = await stage.signUp("Gita Magar", { full_name: "Gita Magar" });
  await page.request.post(`${stage.base}/api/auth/otp/request`, { data: { identifier } });
  const code = await stage.readCode(identifier, 1);
  for (let i = 0; i < 5; i++) {
    const otp = String((Number(code) + 1 + i) % 1_000_000).padStart(6, "0");
    await page.request.post(`${stage.base}/api/auth/otp/verify`, { data: { identifier, otp } });
  }
  await visit(`/people/${gita.id}/access`);
  await shows("Sign-in locks");
  await shows("Delivered, not entered");
  await page.waitForSelector("td[data-name='Locked until'] time");
  await expectClean("locked");
  await press("Unlock");
  await confirm("Unlock", "Asked by phone");
  // The focus is where it was before the dialog.
  await page.waitForSelector("button:focus:has-text('Unlock')");
  await shows("No wrong codes were counted.");
});

test("8: the screens of admins are unknown to staff", async () => {
  await visit("/letters");
  await heading("Not found");
  assert.equal(await page.getByRole("link", { name: "Dead letters" }).count(), 0);
  const answer = await page.request.get(`${stage.base}/api/staff/dead-letters`);
  assert.equal(answer.status(), 401);
});

test("9: the answer of a refresh that comes after the sign-out lets nobody in", async () => {
  const late = (await openPage(stage)).page;
  await signIn(stage, late, await stage.newStaff("Dil Rai"));
  await late.clock.install();
  await late.goto(`${stage.base}/console/today`);
  await late.waitForSelector(".frame");
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const refreshes = "**/console/session/refresh";
  await late.route(refreshes, async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response });
  });
  const asked = late.waitForRequest(refreshes);
  await late.clock.fastForward("14:50");
  await late.getByRole("link", { name: "People", exact: true }).click();
  await asked;
  await late.getByRole("button", { name: "Sign out" }).click();
  await late.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
  const answered = late.waitForResponse(refreshes);
  release();
  await answered;
  await late.waitForTimeout(300);
  assert.equal(await late.locator(".frame").count(), 0);
  await late.context().close();
});

test("9: after 15 minutes without input nothing is shown until somebody continues; an ended session asks to sign in", async () => {
  await page.clock.install();
  await visit("/people");
  await page.waitForSelector("tbody tr");
  await page.clock.fastForward("16:00");
  await heading("Paused");
  assert.equal(await page.locator("tbody").count(), 0);
  await expectClean("paused");
  await press("Continue");
  await page.waitForSelector("tbody tr");
  await page.clock.fastForward("16:00");
  await heading("Paused");
  await stage.api("DELETE", `/api/users/${staff.id}/sessions`, { token: stage.admin.token });
  await press("Continue");
  await heading("Sign in");
  await shows("Your session has ended.");
  await page.context().close();
});

test("8: an admin replays two dead letters and discards one", async () => {
  ({ page, faults } = await openPage(stage));
  await signIn(stage, page, stage.admin);
  for (let i = 0; i < 3; i++) {
    // Another service tells about a user who does not exist.
    const event = { id: crypto.randomUUID(), type: "points.changed", user_id: crypto.randomUUID(), data: {} };
    await stage.sendEvent({ ...event, source: "rentals", occurred_at: new Date().toISOString() });
  }
  await page.waitForTimeout(2_000);
  await visit("/letters");
  await page.locator(".letter").nth(2).waitFor();
  await expectClean("dead letters");
  await page.locator(".letter input").nth(0).check();
  await page.locator(".letter input").nth(1).check();
  await press("Replay 2");
  await confirm("Replay", "The cause is mended");
  await shows("2 replayed.");
  await page.locator(".letter input").nth(0).check();
  await press("Discard 1");
  await confirm("Discard", "Nobody knows this user");
  await shows("1 discarded.");
  await page.getByLabel("State").selectOption("DISCARDED");
  await shows("settled");
  assert.equal(await page.locator(".letter").count(), 1);
});

test("8: more dead letters than one call settles can be chosen, but not sent", async () => {
  const letters = "**/api/staff/dead-letters?*";
  const results = Array.from({ length: 51 }, (_, i) => ({
    ...{ id: `letter-${i}`, event_id: null, queue: "tasks", type: "user.updated", user_id: null, reason: "No answer" },
    ...{ attempts: 3, created_at: "2026-01-01T00:00:00.000Z", settled_at: null, payload: null, trace: null },
  }));
  await page.route(letters, (route) =>
    route.fulfill({ json: { success: true, data: { results, next_cursor: null } } }),
  );
  await visit("/letters");
  await page.locator(".letter").nth(50).waitFor();
  for (const box of await page.locator(".letter input").all()) await box.check();
  await shows("Choose at most 50.");
  assert.equal(await page.getByRole("button", { name: "Replay 51" }).isDisabled(), true);
  assert.equal(await page.getByRole("button", { name: "Discard 51" }).isDisabled(), true);
  await page.locator(".letter input").nth(0).uncheck();
  assert.equal(await page.getByRole("button", { name: "Replay 50" }).isEnabled(), true);
  await page.unroute(letters);
});

test("8: the jobs say which run failed, which is late and which is not", async () => {
  const now = Date.now();
  const at = (minutesAgo: number) => new Date(now - minutesAgo * 60_000).toISOString();
  const run = { finished_at: null, closed_as: null, processed: 0, chunks: 1 };
  const data = [
    { ...run, name: "given_up", period_started_at: at(3_000), finished_at: at(5), closed_as: "FAILED" },
    { ...run, name: "just_due", period_started_at: at(30) },
    { ...run, name: "long_due", period_started_at: at(90) },
    { ...run, name: "well_done", period_started_at: at(90), finished_at: at(89) },
  ];
  await page.route("**/api/staff/jobs", (route) => route.fulfill({ json: { success: true, data } }));
  await visit("/jobs");
  await page.locator("tbody tr").nth(3).waitFor();
  const marks = data.map(({ name }) => page.locator("tr", { hasText: name }).locator(".mark").allTextContents());
  assert.deepEqual(await Promise.all(marks), [["Failed"], ["Running"], ["Late"], []]);
  await expectClean("jobs");
  await page.unroute("**/api/staff/jobs");
});

test("10 to 12: an admin's screens, hostile text, widths, colours, 200 percent, and print", async () => {
  const hostile = await stage.signUp("Mallory", { full_name: CANARY, address: CANARY });
  await visit(`/people/${hostile.id}`);
  await shows(CANARY);
  assert.notEqual(await page.title(), "hit");
  const screens = ["/today", "/people", `/people/${sita.id}`, "/delivery", "/letters", "/staff", "/jobs", "/review"];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1440, 768, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const screen of screens) {
        await turnTo(screen);
        await page.waitForSelector("h1");
        const state = `${screen}, ${width}, ${colorScheme}`;
        await expectClean(state);
        const overhang = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert.ok(Number(overhang) <= 0, `${state}: scrolls sideways by ${overhang}`);
      }
    }
  }
  await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
  await expectClean("forced colours");
  // 200 % of 1440 pixels leaves 720.
  await page.setViewportSize({ width: 720, height: 450 });
  await visit(`/people/${sita.id}`);
  await page.waitForSelector(".grid");
  assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth")) <= 0);
  await page.emulateMedia({ media: "print", forcedColors: "none" });
  assert.equal(await page.locator(".side").isVisible(), false);
  assert.equal(await page.getByRole("heading", { level: 1 }).isVisible(), true);
});
