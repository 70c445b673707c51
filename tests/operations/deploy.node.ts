import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { readConfiguration } from "../../scripts/operations/configuration.ts";
import { deploymentSteps, rehearseDeployment, runDeployment } from "../../scripts/operations/run-deployment.ts";
import { root } from "../../scripts/operations/wrangler.ts";
import { parseConfig } from "../../src/config.ts";
import { FakeAccount } from "./fake-account.ts";

let folder = "";
let account = new FakeAccount();
let isDown = false;
beforeEach(() => {
  account = new FakeAccount();
  isDown = false;
  folder = mkdtempSync(join(tmpdir(), "users-api-deploy-"));
  writeFileSync(join(folder, "wrangler.toml"), readFileSync(join(root, "wrangler.toml"), "utf8"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => join(folder, name);
const toml = () => readFileSync(file("wrangler.toml"), "utf8");

/** What a deployer does first: sets the domains and an email sender. */
function fillIn(): void {
  const filled = toml()
    .replaceAll("api.example.com", "api.powerbank.test")
    .replaceAll("dashboard.example.com", "dashboard.powerbank.test")
    .replaceAll('"example.com"', '"powerbank.test"')
    .replace('SMS_DAILY_BUDGET = "2000"', 'SMS_DAILY_BUDGET = "2000"\nEMAIL_FROM = "no-reply@powerbank.test"');
  writeFileSync(file("wrangler.toml"), filled);
}

/** A deployment to the simulated account, and what it printed. */
function newDeployment(environment: Record<string, string> = {}) {
  const output: string[] = [];
  const configPath = file("wrangler.toml");
  const deployment = {
    wrangler: account.wrangler,
    configPath,
    config: () => readConfiguration(configPath, "production"),
    secretsFile: file("secrets.json"),
    environment,
    location: "apac",
    origin: "https://api.powerbank.test",
    get: async (url: string) => {
      assert.equal(url, "https://api.powerbank.test/api/health");
      const isUp = account.deployments.length > 0 && !isDown;
      return { status: isUp ? 200 : 503, text: "" };
    },
    wait: async () => {},
    now: () => Date.now(),
    say: (line: string) => output.push(line),
  };
  return { deployment, output };
}

async function deploy(environment?: Record<string, string>): Promise<{ isOk: boolean; text: string }> {
  const { deployment, output } = newDeployment(environment);
  const isOk = await runDeployment(deployment);
  return { isOk, text: output.join("\n") };
}

test("the first deployment creates everything, the second creates nothing", async () => {
  fillIn();
  const before = toml();
  const first = await deploy();
  assert.ok(first.isOk, first.text);

  const made = structuredClone({ ...account, wrangler: undefined });
  assert.deepEqual(
    made.databases.map(({ name }) => name),
    ["users", "users-search"],
  );
  assert.deepEqual(
    made.namespaces.map(({ title }) => title),
    ["users-api-kv"],
  );
  assert.deepEqual(made.buckets, ["kyc-documents"]);
  assert.deepEqual(made.queues.toSorted(), [
    "users-dead-letters",
    "users-otp",
    "users-platform-events",
    "users-search",
    "users-tasks",
  ]);
  assert.deepEqual(made.migrated, ["DB", "SEARCH_DB"]);
  assert.match(made.deployments[0]?.join(" ") ?? "", /--env production.* --domain api\.powerbank\.test/);

  const { vars, d1_databases, kv_namespaces } = readConfiguration(file("wrangler.toml"), "production");
  assert.deepEqual(
    d1_databases.map(({ database_id }) => database_id),
    made.databases.map(({ uuid }) => uuid),
  );
  assert.equal(kv_namespaces[0]?.id, made.namespaces[0]?.id);
  assert.equal(diffLines(before, toml()), 3, "only the three ids changed");
  assert.equal(parseConfig({ ...vars, ...made.secrets, EMAIL: {} }).issuer, "https://api.powerbank.test");

  const written = toml();
  const second = await deploy();
  assert.ok(second.isOk, second.text);
  for (const kind of ["databases", "namespaces", "buckets", "queues", "secrets"] as const) {
    assert.deepEqual(account[kind], made[kind], kind);
  }
  assert.equal(toml(), written);
  assert.equal(account.deployments.length, 2);
});

function diffLines(a: string, b: string): number {
  const others = b.split("\n");
  return a.split("\n").filter((line, i) => line !== others[i]).length + Math.abs(a.split("\n").length - others.length);
}

test("new secrets are saved for the deployer only and never printed", async () => {
  fillIn();
  const { text } = await deploy({ FCM_SERVICE_ACCOUNT: "given by the environment" });
  const { secrets } = account;
  assert.equal(secrets.FCM_SERVICE_ACCOUNT, "given by the environment");
  assert.equal(statSync(file("secrets.json")).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(file("secrets.json"), "utf8"));
  assert.deepEqual(Object.keys(kept), ["ACCESS_TOKEN_KEYS", "TOKEN_SECRETS", "DATA_SECRETS", "LOOKUP_SECRET"]);
  const calls = account.calls.join("\n");
  for (const [name, value] of Object.entries(secrets)) {
    if (name in kept) assert.equal(value, kept[name], name);
    assert.ok(!text.includes(value) && !calls.includes(value), name);
  }
});

test("a secret that is already set is never overwritten", async () => {
  fillIn();
  await deploy();
  const secrets = { ...account.secrets };
  const { LOOKUP_SECRET, ...others } = secrets;
  account.secrets = others;
  rmSync(file("secrets.json"));
  const { isOk, text } = await deploy();
  assert.ok(isOk, text);
  assert.notEqual(account.secrets.LOOKUP_SECRET, LOOKUP_SECRET);
  assert.deepEqual({ ...account.secrets, LOOKUP_SECRET }, secrets);
});

test("a failed step stops the deployment and says what to do, and the next run continues", async () => {
  fillIn();
  const { deployment } = newDeployment();
  const commands = new Set(
    deploymentSteps(deployment)
      .flatMap((step) => step.commands)
      .map(
        (args) =>
          args
            .filter((each) => each !== "--json")
            .join(" ")
            .split(" --")[0] ?? "",
      ),
  );
  assert.ok(commands.size >= 18, [...commands].join("\n"));
  const secretsBefore = new Map<string, string>();
  for (const command of commands) {
    account.failing = command;
    const { isOk, text } = await deploy();
    assert.ok(!isOk, `${command} failed, and the deployment did not stop`);
    assert.match(text, /✗ wrangler .*\n.*fetch failed/, command);
    assert.match(text.split("\n").at(-1) ?? "", /^ {2}To do: .+\. Then run the same command again/);
    for (const [name, value] of Object.entries(account.secrets)) {
      assert.equal(value, secretsBefore.get(name) ?? value, `${name} changed`);
      secretsBefore.set(name, value);
    }
  }
  account.failing = undefined;
  const { isOk, text } = await deploy();
  assert.ok(isOk, text);
  assert.equal(account.databases.length, 2);
  assert.equal(account.queues.length, 5);
});

test("an unhealthy Worker is reported with where to look", async () => {
  fillIn();
  isDown = true;
  const { isOk, text } = await deploy();
  assert.ok(!isOk);
  assert.match(text, /✗ 503[\s\S]*To do: .*wrangler tail/);
});

test("an id from another account stops the deployment", async () => {
  fillIn();
  await deploy();
  account = new FakeAccount();
  const { isOk, text } = await deploy();
  assert.ok(!isOk);
  assert.match(text, /is not in this account/);
});

test("example values stop a deployment before anything is created, with one line each", async () => {
  const { isOk, text } = await deploy();
  assert.ok(!isOk);
  for (const name of ["ISSUER", "OTP_AUTOFILL_DOMAIN", "CORS_ORIGINS", "SMS", "email"]) {
    assert.equal(text.split("\n").filter((line) => line.startsWith(`  ✗ ${name}: `)).length, 1, name);
  }
  assert.deepEqual(account.calls, [], "wrangler was not called");
});

test("a provider without its secret stops a deployment, and with it the deployment succeeds", async () => {
  fillIn();
  writeFileSync(
    file("wrangler.toml"),
    toml().replace("[env.production.vars]", '[env.production.vars]\nSPARROW_FROM = "PowerBank"'),
  );
  const without = await deploy();
  assert.ok(!without.isOk);
  assert.match(without.text, /✗ SPARROW_TOKEN: required with SPARROW_FROM/);
  assert.deepEqual(account.databases, []);
  const given = await deploy({ SPARROW_TOKEN: "a token" });
  assert.ok(given.isOk, given.text);
  assert.equal(account.secrets.SPARROW_TOKEN, "a token");
});

test("a dry run prints every command and only builds the bundle", () => {
  const { deployment, output } = newDeployment();
  account.secrets = { a: "", b: "", c: "", d: "" };
  account.isWorkerThere = true;
  assert.ok(rehearseDeployment(deployment), output.join("\n"));
  for (const step of deploymentSteps(deployment)) assert.ok(output.includes(step.title));
  assert.equal(account.calls.length, 1);
  assert.match(account.calls[0] ?? "", /^deploy --dry-run /);
  assert.ok(output.some((line) => line.includes("! ISSUER: https://api.example.com is an example")));
});
