import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { newSecrets } from "../secrets.ts";
import { type Deployment, inEnvironment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { diagnoseDeployed } from "./diagnose.ts";
import { formatFinding } from "./finding.ts";
import { optionalSecrets } from "./provider-secrets.ts";
import { rebuildDue, SEARCH_IS_EMPTY } from "./search-rebuild.ts";
import { isUnknownWorker } from "./secret-names.ts";
import { readJsonOutput } from "./wrangler.ts";

const listSecrets = (deployment: Deployment) => ["secret", "list", ...inEnvironment(deployment)];

export function accountStep(deployment: Deployment): Step {
  const whoami = ["whoami", "--json"];
  return {
    title: "Account",
    commands: [whoami],
    run() {
      mustRun(
        deployment,
        whoami,
        "Sign in with npx wrangler login, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID",
      );
    },
  };
}

/** Checks the configuration before anything is created: refuses what the Worker would refuse, and example values. */
export function configurationStep(deployment: Deployment): Step {
  return { title: "Configuration", commands: [], run: () => refuseUnfit(deployment, undefined) };
}

/** Refuses a provider whose secret is neither set nor given. */
export function providersStep(deployment: Deployment): Step {
  return {
    title: "Provider secrets",
    commands: [listSecrets(deployment)],
    run() {
      const required = deployment.config().secrets?.required ?? [];
      refuseUnfit(deployment, [...readSecretNames(deployment), ...required, ...givenSecrets(deployment)]);
    },
  };
}

function refuseUnfit(deployment: Deployment, secretNames: readonly string[] | undefined): void {
  const findings = diagnoseDeployed(deployment.env, deployment.config(), secretNames, deployment.now());
  const unfit = findings.filter(({ kind }) => kind !== "zero-id");
  for (const finding of unfit) deployment.say(`  ${formatFinding(finding)}`);
  if (unfit.some(({ level }) => level === "error")) {
    throw new StepFailed("the configuration has errors", "Fix each line that begins with ✗");
  }
}

function readSecretNames(deployment: Deployment): string[] {
  const { ok, stdout, output } = deployment.wrangler(listSecrets(deployment));
  if (ok) return (readJsonOutput(stdout) as { name: string }[]).map(({ name }) => name);
  if (isUnknownWorker(output)) return [];
  throw new StepFailed(
    `wrangler ${listSecrets(deployment).join(" ")}\n${output}`,
    "Check that the API token has the permission Workers Scripts: Edit",
  );
}

const givenSecrets = ({ environment }: Deployment) => optionalSecrets.filter((name) => environment[name]);

/** Sets missing secrets; never overwrites one that is set. */
export function secretsStep(deployment: Deployment): Step {
  const bulk = ["secret", "bulk", ...inEnvironment(deployment)];
  return {
    title: "Secrets",
    commands: [listSecrets(deployment), bulk],
    run() {
      const set = readSecretNames(deployment);
      const required = (deployment.config().secrets?.required ?? []).filter((name) => !set.includes(name));
      const given = givenSecrets(deployment).filter((name) => !set.includes(name));
      if (required.length + given.length === 0) return deployment.say("  all secrets are set");
      const values = { ...keptSecrets(deployment, required), ...pick(deployment.environment, given) };
      mustRun(
        deployment,
        bulk,
        "Check that the API token has the permission Workers Scripts: Edit",
        JSON.stringify(values),
      );
      deployment.say(`  set: ${[...required, ...given].join(", ")}`);
    },
  };
}

/**
 * Returns new secrets and stores them in the deployer's file first: the platform never shows a secret again, and
 * rotation requires the old one.
 */
function keptSecrets({ secretsFile, say }: Deployment, names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  const kept = existsSync(secretsFile) ? (JSON.parse(readFileSync(secretsFile, "utf8")) as Record<string, string>) : {};
  const secrets = { ...pick(newSecrets(), names), ...kept };
  writeFileSync(secretsFile, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  say(`  saved in ${secretsFile}: move them to your vault and delete the file`);
  return pick(secrets, names);
}

function pick(from: Readonly<Record<string, string | undefined>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? ""]));
}

export function migrationStep(deployment: Deployment, binding: string): Step {
  const apply = ["d1", "migrations", "apply", binding, "--remote", ...inEnvironment(deployment)];
  return {
    title: `Migrations of ${binding}`,
    commands: [apply],
    run() {
      mustRun(deployment, apply, "Fix the migration that failed. It was rolled back; earlier ones were applied");
      deployment.say("  applied");
    },
  };
}

/** Makes the rebuild of the search due if it is empty although there are users, as after a migration that creates it. */
export function searchStep(deployment: Deployment): Step {
  const execute = (binding: string, sql: string) =>
    ["d1", "execute", binding, "--remote", ...inEnvironment(deployment), "--json", "--command", sql] as const;
  const look = execute("SEARCH_DB", SEARCH_IS_EMPTY);
  const todo = "Run npm run tasks -- run rebuild_user_search --remote if the search finds nobody";
  return {
    title: "Search",
    commands: [look],
    run() {
      const [found] = readJsonOutput(mustRun(deployment, look, todo).stdout) as { results: unknown[] }[];
      if (!found?.results.length) return deployment.say("  has entries");
      mustRun(deployment, execute("DB", rebuildDue(deployment.now())), todo);
      deployment.say("  is empty: the cron adds the users, if there are any");
    },
  };
}
