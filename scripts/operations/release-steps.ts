import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { newSecrets } from "../secrets.ts";
import { hostOf } from "./configuration.ts";
import { type Deployment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { diagnoseProduction } from "./diagnose.ts";
import { formatFinding } from "./finding.ts";
import { optionalSecrets } from "./provider-secrets.ts";
import { isUnknownWorker } from "./secret-names.ts";
import { readJsonOutput } from "./wrangler.ts";

const HEALTH_TRIES = 24;
const HEALTH_PAUSE_MS = 5_000;

const inProduction = ({ configPath }: Deployment) => ["--env", "production", "--config", configPath];
const listSecrets = (deployment: Deployment) => ["secret", "list", ...inProduction(deployment)];

export function accountStep(deployment: Deployment): Step {
  const whoami = ["whoami", "--json"];
  return {
    title: "The account",
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

/** Refuses, before anything is made, what the Worker would refuse and what is still an example. */
export function configurationStep(deployment: Deployment): Step {
  return { title: "The configuration", commands: [], run: () => refuseUnfit(deployment, undefined) };
}

/** Refuses a provider whose secret is neither set nor given. */
export function providersStep(deployment: Deployment): Step {
  return {
    title: "Secrets of providers",
    commands: [listSecrets(deployment)],
    run() {
      const required = deployment.config().secrets?.required ?? [];
      refuseUnfit(deployment, [...readSecretNames(deployment), ...required, ...givenSecrets(deployment)]);
    },
  };
}

function refuseUnfit(deployment: Deployment, secretNames: readonly string[] | undefined): void {
  const findings = diagnoseProduction(deployment.config(), secretNames, deployment.now());
  const unfit = findings.filter(({ kind }) => kind !== "zero-id");
  for (const finding of unfit) deployment.say(`  ${formatFinding(finding)}`);
  if (unfit.some(({ level }) => level === "error")) {
    throw new StepFailed("not fit to be deployed", "Mend each line that begins with ✗");
  }
}

function readSecretNames(deployment: Deployment): string[] {
  const { ok, stdout, output } = deployment.wrangler(listSecrets(deployment));
  if (ok) return (readJsonOutput(stdout) as { name: string }[]).map(({ name }) => name);
  if (isUnknownWorker(output)) return [];
  throw new StepFailed(
    `wrangler ${listSecrets(deployment).join(" ")}\n${output}`,
    "The token must be for Workers Scripts",
  );
}

const givenSecrets = ({ environment }: Deployment) => optionalSecrets.filter((name) => environment[name]);

/** Sets the secrets that are not set: never another value over one that is. */
export function secretsStep(deployment: Deployment): Step {
  const bulk = ["secret", "bulk", ...inProduction(deployment)];
  return {
    title: "Secrets",
    commands: [listSecrets(deployment), bulk],
    run() {
      const set = readSecretNames(deployment);
      const required = (deployment.config().secrets?.required ?? []).filter((name) => !set.includes(name));
      const given = givenSecrets(deployment).filter((name) => !set.includes(name));
      if (required.length + given.length === 0) return deployment.say("  all are set");
      const values = { ...keptSecrets(deployment, required), ...pick(deployment.environment, given) };
      mustRun(deployment, bulk, "The token must be for Workers Scripts", JSON.stringify(values));
      deployment.say(`  set: ${[...required, ...given].join(", ")}`);
    },
  };
}

/** Fresh secrets, kept in the deployer's file before they are used: the platform shows no secret again, and rotating one needs it. */
function keptSecrets({ secretsFile, say }: Deployment, names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  const kept = existsSync(secretsFile) ? (JSON.parse(readFileSync(secretsFile, "utf8")) as Record<string, string>) : {};
  const secrets = { ...pick(newSecrets(), names), ...kept };
  writeFileSync(secretsFile, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  say(`  kept in ${secretsFile}: put them into your vault, and delete the file`);
  return pick(secrets, names);
}

function pick(from: Readonly<Record<string, string | undefined>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? ""]));
}

export function migrationStep(deployment: Deployment, binding: string): Step {
  const apply = ["d1", "migrations", "apply", binding, "--remote", ...inProduction(deployment)];
  return {
    title: `Migrations of ${binding}`,
    commands: [apply],
    run() {
      mustRun(deployment, apply, "The migration that failed was rolled back, those before it stand");
      deployment.say("  are applied");
    },
  };
}

/** Deploys, at the issuer's host where wrangler.toml has no route of its own. */
export function deployStep(deployment: Deployment): Step {
  const config = deployment.config();
  const host = hostOf(config);
  const isRouted = (config.routes?.length ?? 0) > 0 || config.workers_dev === true || host === undefined;
  const deploy = ["deploy", "--minify", ...inProduction(deployment), ...(isRouted ? [] : ["--domain", host])];
  return {
    title: `The Worker ${config.name}`,
    commands: [deploy],
    run() {
      mustRun(
        deployment,
        deploy,
        `The zone of ${host} must be in this account, and the token may edit its Workers routes`,
      );
      deployment.say("  is deployed");
    },
  };
}

export function healthStep(deployment: Deployment): Step {
  const url = `${deployment.origin}/api/health`;
  return {
    title: `Health: GET ${url}`,
    commands: [],
    async run() {
      let last = { status: 0, text: "" };
      for (let tries = 0; tries < HEALTH_TRIES; tries++) {
        if (tries > 0) await deployment.wait(HEALTH_PAUSE_MS);
        last = await deployment.get(url);
        if (last.status === 200) return deployment.say("  200: every binding answers");
      }
      const answer = last.status === 0 ? "nothing answers" : `${last.status} ${last.text.slice(0, 500)}`;
      const todo = "A new domain's certificate may take some minutes. Else look at npx wrangler tail --env production";
      throw new StepFailed(answer, todo);
    },
  };
}
