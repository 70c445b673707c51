import { readFileSync, writeFileSync } from "node:fs";
import { isZeroId, queueNames } from "./configuration.ts";
import { type Deployment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { readJsonOutput } from "./wrangler.ts";
import { type IdPlace, replaceZeroId } from "./zero-ids.ts";

/** Otherwise wrangler asks whether to write its own binding into the file, and the answer would be yes. */
const KEEP_CONFIG = "--update-config=false";
const MAY_CREATE =
  "See wrangler's message above. Check that the account is on Workers Paid and that the API token may create this";

/** Creates the D1 database if the account has none of this name, and replaces its placeholder id in wrangler.toml. */
export function databaseStep(deployment: Deployment, binding: string): Step {
  const name = deployment.config().d1_databases.find((each) => each.binding === binding)?.database_name ?? binding;
  const list = ["d1", "list", "--json", ...at(deployment)];
  const create = ["d1", "create", name, "--location", deployment.location, KEEP_CONFIG, ...at(deployment)];
  const header = `[[env.${deployment.env}.d1_databases]]`;
  return {
    title: `D1 database ${name} (${binding})`,
    commands: [list, create],
    run() {
      const read = () =>
        (readJsonOutput(mustRun(deployment, list, MAY_CREATE).stdout) as { name: string; uuid: string }[]).map(
          (each) => ({ name: each.name, id: each.uuid }),
        );
      const configured = deployment.config().d1_databases.find((each) => each.binding === binding)?.database_id;
      adopt(
        deployment,
        { name, read, create, configured },
        { header, having: ["binding", binding], key: "database_id" },
      );
    },
  };
}

/** Creates the KV namespace if the account has none of this title, and replaces its placeholder id in wrangler.toml. */
export function namespaceStep(deployment: Deployment): Step {
  const { name: worker } = deployment.config();
  const name = `${worker}-kv`;
  const list = ["kv", "namespace", "list", ...at(deployment)];
  const create = ["kv", "namespace", "create", name, KEEP_CONFIG, ...at(deployment)];
  return {
    title: `KV namespace ${name} (KV)`,
    commands: [list, create],
    run() {
      const read = () =>
        (readJsonOutput(mustRun(deployment, list, MAY_CREATE).stdout) as { title: string; id: string }[]).map(
          (each) => ({ name: each.title, id: each.id }),
        );
      const configured = deployment.config().kv_namespaces.find(({ binding }) => binding === "KV")?.id;
      const header = `[[env.${deployment.env}.kv_namespaces]]`;
      adopt(deployment, { name, read, create, configured }, { header, having: ["binding", "KV"], key: "id" });
    },
  };
}

interface Named {
  name: string;
  /** The resources of the account. */
  read(): { name: string; id: string }[];
  create: readonly string[];
  /** The id in wrangler.toml. */
  configured: string | undefined;
}

function adopt(deployment: Deployment, { name, read, create, configured }: Named, place: IdPlace): void {
  const existing = read();
  const isThere = existing.some(({ id }) => id === configured);
  if (isThere) {
    deployment.say("  exists and is in wrangler.toml");
    return;
  }
  if (!isZeroId(configured)) {
    const account =
      "Select the right account with CLOUDFLARE_ACCOUNT_ID, or set the id to zeros to create a new resource";
    throw new StepFailed(`the id ${configured} in wrangler.toml is not in this account`, account);
  }
  let found = existing.find((each) => each.name === name);
  if (found) deployment.say("  exists");
  else {
    mustRun(deployment, create, MAY_CREATE);
    found = read().find((each) => each.name === name);
    if (!found) throw new StepFailed(`${name} was created but is not listed yet`, "Wait a moment");
    deployment.say("  created");
  }
  writeFileSync(deployment.configPath, replaceZeroId(readFileSync(deployment.configPath, "utf8"), place, found.id));
  deployment.say(`  wrote its id to wrangler.toml: ${found.id}. Commit the file`);
}

/** Creates the R2 bucket if it does not exist. */
export function bucketStep(deployment: Deployment, name: string): Step {
  const info = ["r2", "bucket", "info", name, "--json", ...at(deployment)];
  const create = ["r2", "bucket", "create", name, "--location", deployment.location, KEEP_CONFIG, ...at(deployment)];
  const todo = "Check that R2 is enabled for the account in the dashboard and that the API token may write to it";
  return existenceStep(deployment, `R2 bucket ${name}`, {
    info,
    create,
    todo,
    isMissing: /code: 10006|does not exist/,
  });
}

/** Creates missing queues, including dead-letter queues: a deployment that names a missing queue is refused. */
export function queueSteps(deployment: Deployment): Step[] {
  return queueNames(deployment.config()).map((name) =>
    existenceStep(deployment, `Queue ${name}`, {
      info: ["queues", "info", name, ...at(deployment)],
      create: ["queues", "create", name, ...at(deployment)],
      todo: MAY_CREATE,
      isMissing: /does not exist/,
    }),
  );
}

interface Existence {
  info: readonly string[];
  create: readonly string[];
  /** Matches wrangler's output if the resource does not exist; any other failure stops the deployment. */
  isMissing: RegExp;
  todo: string;
}

function existenceStep(deployment: Deployment, title: string, { info, create, isMissing, todo }: Existence): Step {
  return {
    title,
    commands: [info, create],
    run() {
      const { ok, output } = deployment.wrangler(info);
      if (ok) return deployment.say("  exists");
      if (!isMissing.test(output)) throw new StepFailed(`wrangler ${info.join(" ")}\n${output}`, todo);
      mustRun(deployment, create, todo);
      deployment.say("  created");
    },
  };
}

/** Options without an environment, whose name wrangler would put before the name of a new namespace. */
const at = ({ configPath }: Deployment) => ["--config", configPath];
