import { readFileSync, writeFileSync } from "node:fs";
import { isZeroId, queueNames } from "./configuration.ts";
import { type Deployment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { readJsonOutput } from "./wrangler.ts";
import { type IdPlace, replaceZeroId } from "./zero-ids.ts";

/** wrangler would ask whether to write its binding into the file, and be answered yes. */
const KEEP_CONFIG = "--update-config=false";
const MAY_CREATE = "See wrangler's words above: the account must be on Workers Paid, and the token may create this";

/** Makes the D1 database where there is none of its name, and writes its id where wrangler.toml has zeros. */
export function databaseStep(deployment: Deployment, binding: string): Step {
  const name = deployment.config().d1_databases.find((each) => each.binding === binding)?.database_name ?? binding;
  const list = ["d1", "list", "--json", ...at(deployment)];
  const create = ["d1", "create", name, "--location", deployment.location, KEEP_CONFIG, ...at(deployment)];
  const header = "[[env.production.d1_databases]]";
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

/** Makes the KV namespace where there is none of its title, and writes its id where wrangler.toml has zeros. */
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
      const header = "[[env.production.kv_namespaces]]";
      adopt(deployment, { name, read, create, configured }, { header, having: ["binding", "KV"], key: "id" });
    },
  };
}

interface Named {
  name: string;
  /** What the account has. */
  read(): { name: string; id: string }[];
  create: readonly string[];
  /** The id that wrangler.toml has now. */
  configured: string | undefined;
}

function adopt(deployment: Deployment, { name, read, create, configured }: Named, place: IdPlace): void {
  const existing = read();
  const isThere = existing.some(({ id }) => id === configured);
  if (isThere) {
    deployment.say("  is there, and in wrangler.toml");
    return;
  }
  if (!isZeroId(configured)) {
    const account = "Choose the account by CLOUDFLARE_ACCOUNT_ID, or put zeros there to make a new one";
    throw new StepFailed(`${configured} of wrangler.toml is not in this account`, account);
  }
  let found = existing.find((each) => each.name === name);
  if (found) deployment.say("  is there");
  else {
    mustRun(deployment, create, MAY_CREATE);
    found = read().find((each) => each.name === name);
    if (!found) throw new StepFailed(`${name} was created, and is not listed yet`, "Wait a moment");
    deployment.say("  created");
  }
  writeFileSync(deployment.configPath, replaceZeroId(readFileSync(deployment.configPath, "utf8"), place, found.id));
  deployment.say(`  its id is in wrangler.toml now: ${found.id}. Commit it`);
}

/** Makes the R2 bucket where there is none. */
export function bucketStep(deployment: Deployment, name: string): Step {
  const info = ["r2", "bucket", "info", name, "--json", ...at(deployment)];
  const create = ["r2", "bucket", "create", name, "--location", deployment.location, KEEP_CONFIG, ...at(deployment)];
  const todo = "R2 must be switched on for the account, in the dashboard, and the token may write to it";
  return existenceStep(deployment, `R2 bucket ${name}`, {
    info,
    create,
    todo,
    isMissing: /code: 10006|does not exist/,
  });
}

/** Makes the queues where there are none, dead letters too: a deployment with a queue that is not there is refused. */
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
  /** What wrangler says when there is none; any other failure stops. */
  isMissing: RegExp;
  todo: string;
}

function existenceStep(deployment: Deployment, title: string, { info, create, isMissing, todo }: Existence): Step {
  return {
    title,
    commands: [info, create],
    run() {
      const { ok, output } = deployment.wrangler(info);
      if (ok) return deployment.say("  is there");
      if (!isMissing.test(output)) throw new StepFailed(`wrangler ${info.join(" ")}\n${output}`, todo);
      mustRun(deployment, create, todo);
      deployment.say("  created");
    },
  };
}

/** These commands name no environment: wrangler would put its name before that of a namespace. */
const at = ({ configPath }: Deployment) => ["--config", configPath];
