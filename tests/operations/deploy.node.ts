import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type DeployedEnvironment, readConfiguration } from "../../scripts/operations/configuration.ts";
import { asTyped, type Deployment } from "../../scripts/operations/deployment.ts";
import { deploymentSteps, rehearseDeployment, runDeployment } from "../../scripts/operations/run-deployment.ts";
import { rehearseRollback, runRollback } from "../../scripts/operations/run-rollback.ts";
import { root } from "../../scripts/operations/wrangler.ts";
import { parseConfig } from "../../src/config.ts";
import type { Config } from "../../src/platform/config/config.ts";
import { FakeAccount } from "./fake-account.ts";

let folder = "";
let account = new FakeAccount();
/** The account while it holds staging's Worker; tests that use it exchange the two. */
let stagingAccount = new FakeAccount();
beforeEach(() => {
  account = new FakeAccount();
  stagingAccount = new FakeAccount();
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
    .replaceAll("staging.example.com", "staging.powerbank.test")
    .replaceAll("dashboard.example.com", "dashboard.powerbank.test")
    .replaceAll('"example.com"', '"powerbank.test"')
    .replaceAll(/^SMS_DAILY_BUDGET = "(2000|50)"/gm, '$&\nEMAIL_FROM = "no-reply@powerbank.test"');
  writeFileSync(file("wrangler.toml"), filled);
}

const APPS = { PASSKEY_IOS_APPS: "ABCDE12345.np.powerbank.app" };
/** What the domain of the passkeys serves. */
let associated: Deployment["getOnce"] = async () => ({ status: 404, text: "", contentType: "text/html" });

/** Names an app that uses the passkeys. */
const nameApps = () =>
  writeFileSync(
    file("wrangler.toml"),
    toml().replace(/^PASSKEY_RP_ID = "powerbank.test"/m, `$&\nPASSKEY_IOS_APPS = "${APPS.PASSKEY_IOS_APPS}"`),
  );

/** A deployment to the simulated account, and what it printed. */
function newDeployment(
  environment: Record<string, string> = {},
  shares: readonly number[] = [],
  { env = "production", isPromotion = false }: { env?: DeployedEnvironment; isPromotion?: boolean } = {},
) {
  const output: string[] = [];
  const waits: number[] = [];
  const configPath = file("wrangler.toml");
  const startedAt = Date.now();
  let waitedMs = 0;
  const deployment: Deployment = {
    env,
    stagingOrigin: "https://api.staging.powerbank.test",
    isBuilt: env === "staging" || isPromotion,
    releaseFolder: folder,
    assetsFolder: join(folder, "assets"),
    wrangler: account.wrangler,
    configPath,
    config: () => readConfiguration(configPath, env),
    secretsFile: file("secrets.json"),
    environment,
    location: "apac",
    origin: env === "staging" ? "https://api.staging.powerbank.test" : "https://api.powerbank.test",
    shares,
    pauseMs: 300_000,
    get: async (url: string, headers?: Record<string, string>) => {
      assert.ok([`${deployment.origin}/api/health`, `${deployment.stagingOrigin}/api/health`].includes(url), url);
      return (url.startsWith(deployment.origin) ? account : stagingAccount).health(headers);
    },
    getOnce: async (url) => associated(url),
    wait: async (ms: number) => {
      waits.push(ms);
      waitedMs += ms;
    },
    // Only waiting takes time, so that no result depends on how fast the machine is.
    now: () => startedAt + waitedMs,
    say: (line: string) => output.push(line),
  };
  return { deployment, output, waits };
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
  const deploys = () => account.calls.filter((call) => /^(deploy|versions upload|triggers deploy) /.test(call));
  assert.match(deploys()[0] ?? "", /^deploy .*--env production.* --domain api\.powerbank\.test/);
  assert.equal(account.main, account.versions.at(-1));

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
  assert.deepEqual(
    deploys().map((call) => call.split(" --")[0]),
    ["deploy", "versions upload", "triggers deploy"],
  );
  assert.equal(account.main, account.versions.at(-1));
  assert.equal(new Set(account.versions).size, 4, "two empty ones of the secrets, and two releases");
});

test("an empty search is rebuilt after the migrations, and one with entries is left alone", async () => {
  fillIn();
  const first = await deploy();
  assert.ok(first.isOk, first.text);
  assert.equal(account.executed.length, 1);
  assert.match(account.executed[0] ?? "", /insert or ignore into job_runs[\s\S]+'rebuild_user_search'/);
  const calls = account.calls.map((call) => call.split(" --")[0]);
  assert.ok(calls.lastIndexOf("d1 migrations apply SEARCH_DB") < calls.indexOf("d1 execute SEARCH_DB"));
  account.hasSearchEntries = true;
  const second = await deploy();
  assert.ok(second.isOk, second.text);
  assert.equal(account.executed.length, 1);
});

function diffLines(a: string, b: string): number {
  const others = b.split("\n");
  return a.split("\n").filter((line, i) => line !== others[i]).length + Math.abs(a.split("\n").length - others.length);
}

test("new secrets are saved for the deployer only and never printed", async () => {
  fillIn();
  const given = JSON.stringify({
    project_id: "power-bank",
    client_email: "push@power-bank.iam.gserviceaccount.com",
    private_key: "-----BEGIN PRIVATE KEY-----",
  });
  const { isOk, text } = await deploy({ FCM_SERVICE_ACCOUNT: given });
  assert.ok(isOk, text);
  const { secrets } = account;
  assert.equal(secrets.FCM_SERVICE_ACCOUNT, given);
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
  const all = deploymentSteps(deployment)
    .flatMap((step) => step.commands)
    .map(
      (args) =>
        args
          .filter((each) => each !== "--json")
          .join(" ")
          .split(" --")[0] ?? "",
    )
    .map((command) => command.replace(/^(versions (?:deploy|view)) .*/, "$1"));
  const commands = new Set(all);
  assert.ok(commands.size >= 20, [...commands].join("\n"));
  /** Commands of later deployments, when a version serves the traffic. */
  const isLater = (command: string) => /^(deployments|versions|triggers) /.test(command);
  const secretsBefore = new Map<string, string>();
  const expectStop = async (command: string) => {
    account.failing = command;
    const { isOk, text } = await deploy();
    assert.ok(!isOk, `${command} failed, and the deployment did not stop`);
    assert.match(text, /✗ wrangler .*\n.*fetch failed/, command);
    assert.match(text.split("\n").at(-1) ?? "", /^ {2}To do: .+\. Then run the same command again/);
    for (const [name, value] of Object.entries(account.secrets)) {
      assert.equal(value, secretsBefore.get(name) ?? value, `${name} changed`);
      secretsBefore.set(name, value);
    }
  };
  for (const command of commands) if (!isLater(command)) await expectStop(command);
  account.failing = undefined;
  assert.ok((await deploy()).isOk);
  for (const command of commands) if (isLater(command)) await expectStop(command);
  account.failing = undefined;
  const { isOk, text } = await deploy();
  assert.ok(isOk, text);
  assert.equal(account.databases.length, 2);
  assert.equal(account.queues.length, 5);
});

/** Makes the next version fail its health check. */
function failNextVersion(): void {
  const { wrangler } = account;
  Object.assign(account, {
    wrangler: (...given: Parameters<typeof wrangler>) => {
      const known = account.versions.length;
      const result = wrangler(...given);
      for (const version of account.versions.slice(known)) account.unhealthy.add(version);
      return result;
    },
  });
}

test("an unhealthy Worker is reported with where to look", async () => {
  fillIn();
  failNextVersion();
  const { isOk, text } = await deploy();
  assert.ok(!isOk);
  assert.match(text, /✗ 503[\s\S]*To do: .*wrangler tail/);
});

test("a new version gets the traffic in shares, each watched and checked", async () => {
  fillIn();
  await deploy();
  const old = account.main;
  const before = account.deployments.length;
  const { deployment, output, waits } = newDeployment({}, [10, 50]);
  assert.ok(await runDeployment(deployment), output.join("\n"));
  const fresh = account.main;
  assert.notEqual(fresh, old);
  const shares = account.deployments
    .slice(before)
    .map(({ versions }) =>
      versions.map(({ version_id, percentage }) => [version_id === fresh ? "new" : "old", percentage]),
    );
  assert.deepEqual(shares, [
    [
      ["new", 0],
      ["old", 100],
    ],
    [
      ["new", 10],
      ["old", 90],
    ],
    [
      ["new", 50],
      ["old", 50],
    ],
    [["new", 100]],
  ]);
  assert.deepEqual(waits, [300_000, 300_000]);
});

test("an unhealthy new version gets no traffic, and the old one keeps all of it", async () => {
  fillIn();
  await deploy();
  const old = account.main;
  failNextVersion();
  const { deployment, output } = newDeployment({}, [10]);
  assert.equal(await runDeployment(deployment), false);
  assert.match(output.join("\n"), /✗ 503[\s\S]*All traffic goes to version \S+ again/);
  assert.deepEqual(account.deployments.at(-1)?.versions, [{ version_id: old, percentage: 100 }]);
  assert.ok(!account.calls.some((call) => call.includes("@10%")), "it never got a share");
});

const SILENT = { status: 0, text: "" };
const REFUSED = { status: 503, text: JSON.stringify({ success: false, error: { code: "x" }, request_id: "r" }) };

test("a live service that gives no response for a minute keeps its version, and nothing is uploaded", async () => {
  fillIn();
  await deploy();
  const [versions, deployments] = [[...account.versions], [...account.deployments]];
  for (const silence of [SILENT, { status: 530, text: "<html>" }, { status: 200, text: "null" }]) {
    const { deployment, output, waits } = newDeployment({}, [10]);
    deployment.get = async () => silence;
    assert.equal(await runDeployment(deployment), false);
    const text = output.join("\n");
    assert.match(text, /✗ version \S+ has the traffic, but \S+\/api\/health does not respond; nothing was uploaded/);
    assert.match(text, /had its host, run npx wrangler deploy .* --domain api\.powerbank\.test/);
    assert.equal(
      waits.reduce((sum, each) => sum + each, 0),
      60_000,
    );
    assert.deepEqual([account.versions, account.deployments], [versions, deployments]);
  }
});

test("a live service that responds late or refuses its configuration gets the new version in shares", async () => {
  fillIn();
  await deploy();
  for (const first of [[SILENT, SILENT], [REFUSED]]) {
    const before = account.deployments.length;
    const { deployment, output } = newDeployment({}, [10]);
    const { get } = deployment;
    const responses = [...first];
    deployment.get = async (url, headers) => responses.shift() ?? get(url, headers);
    assert.ok(await runDeployment(deployment), output.join("\n"));
    const shares = account.deployments.slice(before).map(({ versions }) => versions[0]?.percentage);
    assert.deepEqual(shares, [0, 10, 100]);
  }
});

test("a first deployment with --shares says that they have no effect", async () => {
  fillIn();
  const { deployment, output } = newDeployment({}, [10]);
  assert.ok(await runDeployment(deployment), output.join("\n"));
  assert.ok(output.includes("  no version serves yet: --shares has no effect"));
});

test("the health check of all traffic requires the new version's id, since the old one responds too", async () => {
  fillIn();
  await deploy();
  const old = account.main;
  const { deployment, output } = newDeployment();
  deployment.get = async () => ({ status: 200, text: JSON.stringify({ data: { version_id: old, bindings: {} } }) });
  assert.equal(await runDeployment(deployment), false);
  assert.match(output.join("\n"), /✗ version \S+ responds, not \S+/);
});

test("a rollback returns to the version before, or to the one that is named, and checks that it responds", async () => {
  fillIn();
  await deploy();
  const first = account.main;
  await deploy();
  const second = account.main;
  await deploy();
  const { deployment, output } = newDeployment();
  assert.ok(await runRollback(deployment, undefined), output.join("\n"));
  assert.equal(account.main, second);
  assert.ok(await runRollback(deployment, first), output.join("\n"));
  assert.equal(account.main, first);
  assert.match(output.join("\n"), /Migrations stay/);
  assert.match(output.join("\n"), /wrangler secret put NAME --env production/);
  assert.equal(await runRollback(deployment, crypto.randomUUID()), false);
  account.unhealthy.add(String(second));
  assert.equal(await runRollback(deployment, second), false);
  assert.match(output.at(-1) ?? "", /✗ 503/);
});

test("a rollback without an earlier version says so, and a rehearsal calls nothing", async () => {
  fillIn();
  const { deployment, output } = newDeployment();
  rehearseRollback(deployment, undefined);
  assert.deepEqual(account.calls, []);
  assert.match(output.join("\n"), /wrangler rollback PREVIOUS/);
  assert.equal(await runRollback(deployment, undefined), false);
  assert.match(output.at(-1) ?? "", /there is no earlier version/);
  // The only earlier versions are those of the secrets, which serve nothing.
  await deploy();
  const only = account.main;
  assert.equal(await runRollback(deployment, undefined), false);
  assert.match(output.at(-1) ?? "", /there is no earlier version/);
  assert.equal(account.main, only);
});

test("a promotion deploys exactly the bundle that staging runs, and refuses any other", async () => {
  fillIn();
  mkdirSync(file("assets"));
  writeFileSync(file("assets/page.html"), "a page");
  const promote = async () => {
    const { deployment, output } = newDeployment({}, [], { isPromotion: true });
    return { isOk: await runDeployment(deployment), text: output.join("\n") };
  };
  assert.match((await promote()).text, /✗ staging was not deployed from here/);
  [account, stagingAccount] = [stagingAccount, account];
  const staged = newDeployment({}, [], { env: "staging" });
  assert.ok(await runDeployment(staged.deployment), staged.output.join("\n"));
  assert.match(
    account.calls.find((call) => /^deploy (?!--dry-run)/.test(call)) ?? "",
    /index\.js --no-bundle --env staging/,
  );
  [account, stagingAccount] = [stagingAccount, account];
  const promoted = await promote();
  assert.ok(promoted.isOk, promoted.text);
  const deploy = account.calls.find((call) => call.startsWith("deploy "));
  assert.match(deploy ?? "", new RegExp(`^deploy ${file("index.js")} --no-bundle --env production`));
  assert.ok(!account.calls.some((call) => call.includes("--minify")), "nothing was built again");

  writeFileSync(file("assets/page.html"), "another page");
  assert.match((await promote()).text, /✗ the bundle or the assets changed since staging was deployed/);
  writeFileSync(file("assets/page.html"), "a page");
  [account, stagingAccount] = [stagingAccount, account];
  account.wrangler(["versions", "deploy", `${account.versions[0]}@100%`]);
  [account, stagingAccount] = [stagingAccount, account];
  assert.match((await promote()).text, /✗ staging runs version \S+, not \S+/);
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

/** Each provider with a secret and variables, the first of which switches it on. */
const providers = [
  {
    name: "Sparrow",
    vars: { SPARROW_FROM: "PowerBank" },
    secret: ["SPARROW_TOKEN", "a token"],
    settingsIn: ({ providers: { sparrow } }: Config) => sparrow,
  },
  {
    name: "the SMS fallback",
    vars: { SMS_FALLBACK_URL: "https://sms.powerbank.test/send" },
    secret: ["SMS_FALLBACK_SECRET", `whsec_${btoa("a".repeat(24))}`],
    settingsIn: ({ providers: { smsFallback } }: Config) => smsFallback,
  },
  {
    name: "Google",
    vars: { GOOGLE_CLIENT_ID: "id", GOOGLE_NATIVE_CLIENT_IDS: "other" },
    secret: ["GOOGLE_CLIENT_SECRET", "a secret"],
    settingsIn: ({ social: { google } }: Config) => google,
  },
  {
    name: "Apple",
    vars: { APPLE_CLIENT_ID: "id", APPLE_TEAM_ID: "team", APPLE_KEY_ID: "key" },
    secret: ["APPLE_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----"],
    settingsIn: ({ social: { apple } }: Config) => apple,
  },
] as const;

/** Lists each command from now on after which a version with traffic refuses its configuration. */
function watchOutages(): string[] {
  const { wrangler } = account;
  const outages: string[] = [];
  Object.assign(account, {
    wrangler: (...given: Parameters<typeof wrangler>) => {
      const result = wrangler(...given);
      if (!account.isServing) outages.push(given[0].join(" "));
      return result;
    },
  });
  return outages;
}

for (const { name, vars, secret, settingsIn } of providers) {
  for (const way of ["by the environment", "by wrangler secret put"]) {
    test(`the service stays up while ${name} is added, with its secret set ${way}, and removed`, async () => {
      fillIn();
      assert.ok((await deploy()).isOk);
      const outages = watchOutages();
      const without = toml();
      const [secretName, value] = secret;
      const isInEnvironment = way === "by the environment";
      if (!isInEnvironment) assert.ok(account.wrangler(["secret", "put", secretName], value).ok);
      const lines = Object.entries(vars).map(([variable, text]) => `\n${variable} = "${text}"`);
      writeFileSync(file("wrangler.toml"), without.replace("[env.production.vars]", `$&${lines.join("")}`));
      const addition = newDeployment(isInEnvironment ? { [secretName]: value } : {}, [50]);
      assert.ok(await runDeployment(addition.deployment), addition.output.join("\n"));
      assert.ok(account.config && settingsIn(account.config));

      writeFileSync(file("wrangler.toml"), without);
      const removal = newDeployment({}, [50]);
      assert.ok(await runDeployment(removal.deployment), removal.output.join("\n"));
      assert.ok(account.config && !settingsIn(account.config));
      const warning = `! ${secretName}: is not used, because ${Object.keys(vars)[0]} is not set`;
      assert.ok(removal.output.some((line) => line.includes(warning)));
      assert.ok(account.wrangler(["secret", "delete", secretName]).ok);
      const { isOk, text } = await deploy();
      assert.ok(isOk && !text.includes("is not used"), text);
      assert.deepEqual(outages, []);
    });
  }
}

test("a dry run prints every command and only builds the bundle", () => {
  const { deployment, output } = newDeployment();
  account.secrets = { a: "", b: "", c: "", d: "" };
  account.isWorkerThere = true;
  assert.ok(rehearseDeployment(deployment), output.join("\n"));
  for (const step of deploymentSteps(deployment)) {
    assert.ok(output.includes(step.title));
    for (const command of step.commands) assert.ok(output.includes(`  $ ${asTyped(command)}`), command.join(" "));
  }
  assert.equal(account.calls.length, 1);
  assert.match(account.calls[0] ?? "", /^deploy --dry-run /);
  assert.ok(output.some((line) => line.includes("! ISSUER: https://api.example.com is an example")));
});

test("the paths of the association files are routed, and what is wrong with the files is reported", async () => {
  fillIn();
  nameApps();
  const path = "powerbank.test/.well-known/apple-app-site-association";
  const reports: string[] = [];
  const app = APPS.PASSKEY_IOS_APPS;
  for (const [status, text, contentType] of [
    [301, "", "text/html"],
    [404, "", "text/html"],
    [200, "<html>", "text/html"],
    [200, "{}", "application/json"],
    [200, JSON.stringify({ applinks: {}, webcredentials: { apps: [app, "other"] } }), "application/json"],
  ] as const) {
    associated = async (url) => {
      assert.equal(url, `https://${path}`);
      return { status, text, contentType };
    };
    const { isOk, text: printed } = await deploy();
    assert.ok(isOk, printed);
    reports.push(/domain of the passkeys\n(.*)/.exec(printed)?.[1] ?? "");
  }
  const todo = `Route ${path} of the domain to this Worker, see docs/passkeys.md.`;
  assert.deepEqual(reports, [
    `  ! https://${path}: redirects (301), which Apple and Google do not follow. ${todo}`,
    `  ! https://${path}: responds with 404. ${todo}`,
    `  ! https://${path}: is text/html, not application/json. ${todo}`,
    `  ! https://${path}: does not name ${app}. ${todo}`,
    "  in order",
  ]);
  const [first] = account.calls.filter((call) => call.startsWith("deploy "));
  assert.match(first ?? "", new RegExp(`--domain api.powerbank.test --route ${path}$`));
  assert.ok(account.calls.some((call) => call.startsWith("triggers deploy ") && call.endsWith(`--route ${path}`)));
});

test("a deployment adds no routes for association files unless apps or related pages are configured", async () => {
  fillIn();
  const { isOk, text } = await deploy();
  assert.ok(isOk, text);
  assert.ok(!account.calls.some((call) => call.includes("--route")));
});
