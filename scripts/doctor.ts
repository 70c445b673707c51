import { join } from "node:path";
import { choice, readArguments, text } from "./arguments.ts";
import { checkAssociations, getOnce } from "./operations/check-associations.ts";
import { readConfiguration } from "./operations/configuration.ts";
import { diagnoseDeployed, diagnoseDevelopment } from "./operations/diagnose.ts";
import { formatFinding } from "./operations/finding.ts";
import { stateFolder } from "./operations/local-database.ts";
import { listSecretNames } from "./operations/secret-names.ts";
import { root, wranglerIn } from "./operations/wrangler.ts";

const { options } = readArguments({
  name: "doctor",
  about: "Lists missing and weak settings; exits with 0 if there are no errors, otherwise 1.",
  options: {
    env: choice("NAME", "environment, if it is not development", ["production", "staging"]),
    config: text("FILE", "configuration of the Worker", { default: join(root, "wrangler.toml") }),
  },
});

const config = readConfiguration(options.config, options.env);
const findings = options.env
  ? [
      ...diagnoseDeployed(
        options.env,
        config,
        listSecretNames(wranglerIn(root), options.config, options.env),
        Date.now(),
      ),
      ...(await checkAssociations(config, getOnce)),
    ]
  : diagnoseDevelopment(config, stateFolder(), Date.now());
for (const finding of findings) console.log(formatFinding(finding));
const errors = findings.filter(({ level }) => level === "error").length;
const name = options.env ?? "development";
console.log(
  errors === 0 ? `${name} is ready.` : `${name} is not ready: fix ${errors} ${errors === 1 ? "error" : "errors"}.`,
);
process.exit(errors === 0 ? 0 : 1);
