import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readConfiguration } from "./operations/configuration.ts";
import { diagnoseDeployed, diagnoseDevelopment } from "./operations/diagnose.ts";
import { formatFinding } from "./operations/finding.ts";
import { defaultState } from "./operations/local-database.ts";
import { listSecretNames } from "./operations/secret-names.ts";
import { root, wranglerIn } from "./operations/wrangler.ts";

// `npm run doctor [-- --env production|staging]`: lists missing and weak settings; exits with 0 if there are no errors,
// otherwise 1.

const { values } = parseArgs({
  options: { env: { type: "string" }, config: { type: "string", default: join(root, "wrangler.toml") } },
});
const { env } = values;
if (env !== undefined && env !== "production" && env !== "staging") {
  console.error("--env must be production or staging. Without it, the command checks development.");
  process.exit(2);
}

const config = readConfiguration(values.config, env);
const state = process.env.PERSIST_TO ? resolve(process.env.PERSIST_TO) : defaultState;
const findings = env
  ? diagnoseDeployed(env, config, listSecretNames(wranglerIn(root), values.config, env), Date.now())
  : diagnoseDevelopment(config, state, Date.now());
for (const finding of findings) console.log(formatFinding(finding));
const errors = findings.filter(({ level }) => level === "error").length;
const name = env ?? "development";
console.log(
  errors === 0 ? `${name} is ready.` : `${name} is not ready: fix ${errors} ${errors === 1 ? "error" : "errors"}.`,
);
process.exit(errors === 0 ? 0 : 1);
