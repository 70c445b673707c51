import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { localSecrets } from "../../scripts/operations/prepare.ts";
import { ADMIN_EMAIL } from "../../scripts/seed/people.ts";
import { seedUsers } from "../../scripts/seed/seed-users.ts";
import { launchBrowser } from "./chromium.ts";
import { type Certificate, drawCertificate } from "./console-documents.ts";
import { startDevServer } from "./dev-server.ts";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Rules of axe: WCAG 2.2 levels A and AA, and its best practices. */
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** A person with an account. */
export interface Person {
  id: string;
  email: string;
  token: string;
}

/** The development server with seeded users and a browser. */
export interface Stage {
  base: string;
  browser: Browser;
  /** The seeded admin. */
  admin: Person;
  /** Calls the API; the body is JSON or a form. @returns `data`. */
  api(method: string, path: string, options?: { token?: string; body?: object | FormData }): Promise<never>;
  /** Creates an account by e-mail. */
  signUp(name: string, profile?: { full_name: string; date_of_birth?: string; address?: string }): Promise<Person>;
  /** Submits identity documents of the person, drawn for this purpose. */
  submit(
    person: Person,
    number: string,
    sides: { front: Certificate | Blob; back?: Certificate | Blob },
  ): Promise<void>;
  /** A member of staff, made by the admin. */
  newStaff(name: string): Promise<Person>;
  /** Sends an event as another service of the platform does, by RPC. */
  sendEvent(event: object): Promise<void>;
  /** The newest code that was sent to the address. */
  readCode(to: string, sentBefore?: number): Promise<string>;
  close(): Promise<void>;
}

export async function openStage(users = 300): Promise<Stage> {
  const state = mkdtempSync(join(tmpdir(), "users-api-console-"));
  const until = Date.parse(new Date().toISOString().slice(0, 10));
  await seedUsers({ persistTo: state, state, users, seed: 7, until, secrets: localSecrets(), onProgress: () => {} });
  const server = await startDevServer("dev.ts", state);
  const browser = await launchBrowser();
  const { base } = server;

  const api: Stage["api"] = async (method, path, { token, body } = {}) => {
    const isForm = body instanceof FormData;
    const response = await fetch(base + path, {
      method,
      headers: {
        // Another network than the browser's, so that its own requests for codes need not wait.
        "CF-Connecting-IP": "10.20.30.40",
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body && !isForm ? { "Content-Type": "application/json" } : {}),
      },
      ...(body ? { body: isForm ? body : JSON.stringify(body) } : {}),
    });
    const answer = (await response.json()) as { data: never };
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer.data;
  };

  const messagesTo = async (to: string): Promise<{ code: string }[]> => {
    const headers = { accept: "application/json" };
    const response = await fetch(`${base}/dev/outbox?to=${encodeURIComponent(to)}`, { headers });
    return ((await response.json()) as { messages: { code: string }[] }).messages;
  };
  const readCode: Stage["readCode"] = async (to, sentBefore = 0) => {
    for (let i = 0; i < 100; i++) {
      const messages = await messagesTo(to);
      if (messages[0] && messages.length > sentBefore) return messages[0].code;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`no code for ${to}`);
  };

  /** Proves the address and enters, by `login` or `register`. */
  async function enter(email: string, step: "login" | "register", more: object = {}): Promise<Person> {
    await api("POST", "/api/auth/otp/request", { body: { identifier: email } });
    const otp = await readCode(email);
    const verified: { verification_token: string } = await api("POST", "/api/auth/otp/verify", {
      body: { identifier: email, otp },
    });
    const body = { identifier: email, verification_token: verified.verification_token, ...more };
    const entered: { user_id: string; access_token: string } = await api("POST", `/api/auth/${step}`, { body });
    return { id: entered.user_id, email, token: entered.access_token };
  }

  const signUp: Stage["signUp"] = async (name, profile) => {
    const email = `${name.toLowerCase().replaceAll(/\W+/g, ".")}@example.com`;
    const person = await enter(email, "register");
    if (profile) await api("PATCH", "/api/users/profile", { token: person.token, body: profile });
    return person;
  };

  const admin = await enter(ADMIN_EMAIL, "login");

  // Only the submissions of the test wait.
  const { results }: { results: { user: { id: string } }[] } = await api(
    "GET",
    "/api/users/kyc/submissions?mask=true&page_size=100",
    { token: admin.token },
  );
  for (const { user } of results.slice(0, 50)) {
    const body = { status: "REJECTED", rejection_reason: "Not part of the test." };
    await api("PATCH", `/api/users/${user.id}/kyc`, { token: admin.token, body });
  }

  return {
    base,
    browser,
    admin,
    api,
    signUp,
    readCode,
    async sendEvent(event) {
      await fetch(`http://localhost:${server.port + 1}/events`, { method: "POST", body: JSON.stringify(event) });
    },
    async submit({ token }, number, sides) {
      const form = new FormData();
      form.set("document_type", "CITIZENSHIP");
      form.set("document_number", number);
      for (const [side, given] of Object.entries(sides)) {
        const file = given instanceof Blob ? given : await drawCertificate(browser, given);
        form.set(`document_${side}`, file, `${side}.${file.type.split("/")[1]}`);
      }
      await api("POST", "/api/users/kyc", { token, body: form });
    },
    async newStaff(name) {
      const person = await signUp(name, { full_name: name });
      await api("PUT", `/api/users/${person.id}/role`, {
        token: admin.token,
        body: { role: "staff", reason: "Joined the support team" },
      });
      return person;
    },
    async close() {
      await browser.close();
      await server.stop();
    },
  };
}

/** A page of the console, and everything that it must not do. */
export interface ConsolePage {
  page: Page;
  /** Violations of the Content-Security-Policy, errors of scripts, and requests to other hosts. */
  faults: string[];
}

export async function openPage({ browser, base }: Stage, options: BrowserContextOptions = {}): Promise<ConsolePage> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    timezoneId: "Asia/Kathmandu",
    reducedMotion: "reduce",
    ...options,
  });
  return watch(await context.newPage(), base);
}

/** Records what the page must not do. */
export async function watch(page: Page, base: string): Promise<ConsolePage> {
  const faults: string[] = [];
  page.on("console", (message) => {
    // A report that was not ordered yet is answered with 404, which the browser reports too.
    if (message.location().url.endsWith("/analytics-report")) return;
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== base) faults.push(`request: ${url.origin}`);
  });
  await page.exposeFunction("tellViolation", (text: string) => void faults.push(`policy: ${text}`));
  await page.addInitScript({
    content: `document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
      tellViolation(effectiveDirective + " " + blockedURI));`,
  });
  return { page, faults };
}

/** Signs in by a code, as a person does. */
export async function signIn(stage: Stage, page: Page, { email }: Pick<Person, "email">): Promise<void> {
  await page.goto(`${stage.base}/console`);
  await page.fill("input[name=identifier]", email);
  await page.getByRole("button", { name: "Send a code" }).click();
  await page.waitForSelector("input[name=otp]");
  await page.fill("input[name=otp]", await stage.readCode(email, 1));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector(".frame");
}

/** What axe finds on the page as it is: rule and element. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async (tags) => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
      };
    };
    const { violations } = await axe.run({ runOnly: tags });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`),
    );
  }, AXE_TAGS);
}
