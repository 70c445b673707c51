import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { readConfiguration } from "../../scripts/operations/configuration.ts";
import { deploymentSteps, rehearseDeployment, runDeployment } from "../../scripts/operations/run-deployment.ts";
import { root, wranglerIn } from "../../scripts/operations/wrangler.ts";
import { parseConfig } from "../../src/platform/config/config.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "users-api-deploy-"));
  writeFileSync(join(folder, "wrangler.toml"), readFileSync(join(root, "wrangler.toml"), "utf8"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => join(folder, name);
const account = () => JSON.parse(readFileSync(file("account.json"), "utf8"));
const toml = () => readFileSync(file("wrangler.toml"), "utf8");

/** What a deployer does first: names a domain, and how codes leave. */
function fillIn(): void {
  const filled = toml()
    .replaceAll("api.example.com", "api.powerbank.test")
    .replaceAll("dashboard.example.com", "dashboard.powerbank.test")
    .replaceAll('"example.com"', '"powerbank.test"')
    .replace('SMS_DAILY_BUDGET = "2000"', 'SMS_DAILY_BUDGET = "2000"\nEMAIL_FROM = "no-reply@powerbank.test"');
  writeFileSync(file("wrangler.toml"), filled);
}

/** A deployment to an account in the folder, and what it said. */
function newDeployment(environment: Record<string, string> = {}) {
  const said: string[] = [];
  const configPath = file("wrangler.toml");
  const deployment = {
    wrangler: wranglerIn(root, join(import.meta.dirname, "fake-wrangler.ts"), { FAKE_ACCOUNT: folder }),
    configPath,
    config: () => readConfiguration(configPath, "production"),
    secretsFile: file("secrets.json"),
    environment,
    location: "apac",
    origin: "https://api.powerbank.test",
    get: async (url: string) => {
      assert.equal(url, "https://api.powerbank.test/api/health");
      const isUp = existsSync(file("account.json")) && account().deployments.length > 0 && !existsSync(file("down"));
      return { status: isUp ? 200 : 503, text: "" };
    },
    wait: async () => {},
    now: () => Date.now(),
    say: (line: string) => said.push(line),
  };
  return { deployment, said };
}

async function deploy(environment?: Record<string, string>): Promise<{ isWell: boolean; text: string }> {
  const { deployment, said } = newDeployment(environment);
  const isWell = await runDeployment(deployment);
  return { isWell, text: said.join("\n") };
}

test("the first deployment makes everything, the second nothing", async () => {
  fillIn();
  const before = toml();
  const first = await deploy();
  assert.ok(first.isWell, first.text);

  const made = account();
  assert.deepEqual(
    made.databases.map(({ name }: { name: string }) => name),
    ["users", "users-search"],
  );
  assert.deepEqual(
    made.namespaces.map(({ title }: { title: string }) => title),
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
  assert.ok(made.deployments[0].join(" ").includes("--env production"));
  assert.ok(made.deployments[0].join(" ").includes("--domain api.powerbank.test"));

  const { vars, d1_databases, kv_namespaces } = readConfiguration(file("wrangler.toml"), "production");
  assert.deepEqual(
    d1_databases.map(({ database_id }) => database_id),
    made.databases.map(({ uuid }: { uuid: string }) => uuid),
  );
  assert.equal(kv_namespaces[0]?.id, made.namespaces[0].id);
  assert.equal(diffLines(before, toml()), 3, "only the three ids are others");
  assert.equal(parseConfig({ ...vars, ...made.secrets, EMAIL: {} }).issuer, "https://api.powerbank.test");

  const written = toml();
  const second = await deploy();
  assert.ok(second.isWell, second.text);
  const again = account();
  for (const kind of ["databases", "namespaces", "buckets", "queues", "secrets"]) {
    assert.deepEqual(again[kind], made[kind], kind);
  }
  assert.equal(toml(), written);
  assert.equal(again.deployments.length, 2);
});

function diffLines(a: string, b: string): number {
  const others = b.split("\n");
  return a.split("\n").filter((line, i) => line !== others[i]).length + Math.abs(a.split("\n").length - others.length);
}

test("secrets are kept for the deployer alone, and never said", async () => {
  fillIn();
  const { text } = await deploy({ FCM_SERVICE_ACCOUNT: "given by the environment" });
  const { secrets } = account();
  assert.equal(secrets.FCM_SERVICE_ACCOUNT, "given by the environment");
  assert.equal(statSync(file("secrets.json")).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(file("secrets.json"), "utf8"));
  assert.deepEqual(Object.keys(kept), ["ACCESS_TOKEN_KEYS", "TOKEN_SECRETS", "DATA_SECRETS", "LOOKUP_SECRET"]);
  const calls = readFileSync(file("calls"), "utf8");
  for (const [name, value] of Object.entries<string>(secrets)) {
    if (name in kept) assert.equal(value, kept[name], name);
    assert.ok(!text.includes(value) && !calls.includes(value), name);
  }
});

test("a secret that is set is never set again", async () => {
  fillIn();
  await deploy();
  const { secrets, ...rest } = account();
  const { LOOKUP_SECRET, ...others } = secrets;
  writeFileSync(file("account.json"), JSON.stringify({ ...rest, secrets: others }));
  rmSync(file("secrets.json"));
  const { isWell, text } = await deploy();
  assert.ok(isWell, text);
  assert.notEqual(account().secrets.LOOKUP_SECRET, LOOKUP_SECRET);
  assert.deepEqual({ ...account().secrets, LOOKUP_SECRET }, secrets);
});

test("each step that fails stops the deployment with what to do, and the next run goes on", async () => {
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
    writeFileSync(file("failing"), command);
    const { isWell, text } = await deploy();
    assert.ok(!isWell, `${command} failed, and the deployment did not stop`);
    assert.match(text, /✗ wrangler .*\n.*fetch failed/, command);
    assert.match(text.split("\n").at(-1) ?? "", /^ {2}To do: .+\. Then run the same command again/);
    for (const [name, value] of Object.entries<string>(existsSync(file("account.json")) ? account().secrets : {})) {
      assert.equal(value, secretsBefore.get(name) ?? value, `${name} changed`);
      secretsBefore.set(name, value);
    }
  }
  rmSync(file("failing"));
  const { isWell, text } = await deploy();
  assert.ok(isWell, text);
  assert.equal(account().databases.length, 2);
  assert.equal(account().queues.length, 5);
});

test("a Worker that does not answer is told, with what to look at", async () => {
  fillIn();
  writeFileSync(file("down"), "");
  const { isWell, text } = await deploy();
  assert.ok(!isWell);
  assert.match(text, /✗ 503[\s\S]*To do: .*wrangler tail/);
});

test("an id of another account is not taken for this one's", async () => {
  fillIn();
  await deploy();
  rmSync(file("account.json"));
  const { isWell, text } = await deploy();
  assert.ok(!isWell);
  assert.match(text, /is not in this account/);
});

test("what is still an example stops a deployment before it has made anything, a line each", async () => {
  const { isWell, text } = await deploy();
  assert.ok(!isWell);
  for (const name of ["ISSUER", "OTP_AUTOFILL_DOMAIN", "CORS_ORIGINS", "SMS", "e-mail"]) {
    assert.equal(text.split("\n").filter((line) => line.startsWith(`  ✗ ${name}: `)).length, 1, name);
  }
  assert.ok(!existsSync(file("calls")), "wrangler was not called");
});

test("a provider whose secret is nowhere stops a deployment, and goes on with it", async () => {
  fillIn();
  writeFileSync(
    file("wrangler.toml"),
    toml().replace("[env.production.vars]", '[env.production.vars]\nSPARROW_FROM = "PowerBank"'),
  );
  const without = await deploy();
  assert.ok(!without.isWell);
  assert.match(without.text, /✗ SPARROW_TOKEN: missing beside SPARROW_FROM/);
  assert.ok(!existsSync(file("account.json")) || account().databases.length === 0);
  const given = await deploy({ SPARROW_TOKEN: "a token" });
  assert.ok(given.isWell, given.text);
  assert.equal(account().secrets.SPARROW_TOKEN, "a token");
});

test("a rehearsal prints every command and calls none but the bundle's", () => {
  const { deployment, said } = newDeployment();
  writeFileSync(
    file("account.json"),
    JSON.stringify({ secrets: { a: "", b: "", c: "", d: "" }, workerExists: true, deployments: [] }),
  );
  assert.ok(rehearseDeployment(deployment), said.join("\n"));
  for (const step of deploymentSteps(deployment)) assert.ok(said.includes(step.title));
  assert.equal(readFileSync(file("calls"), "utf8").trim().split("\n").length, 1);
  assert.match(readFileSync(file("calls"), "utf8"), /^deploy --dry-run /);
  assert.ok(said.some((line) => line.includes("! ISSUER: https://api.example.com is an example")));
});
