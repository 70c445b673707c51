import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { checkBindings } from "./check-bindings.ts";
import { checkLocalDatabases, checkMachine } from "./check-machine.ts";
import { checkSettings } from "./check-settings.ts";
import { type DeployedEnvironment, textVars, type WranglerConfig } from "./configuration.ts";
import { error, type Finding, warning } from "./finding.ts";
import { checkUnseenSecrets, productionSettings, putSecret } from "./provider-secrets.ts";
import { root } from "./wrangler.ts";

/** Lists missing and weak settings for `npm run dev`: variables, secrets in .dev.vars and local databases. */
export function diagnoseDevelopment(config: WranglerConfig, state: string, now: number): Finding[] {
  const file = join(root, ".dev.vars");
  const secrets = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : undefined;
  const settings = secrets
    ? checkSettings({ ...textVars(config), ...secrets, EMAIL: {} }, { now, env: undefined })
    : [error(".dev.vars", "is missing, and with it every secret", "Run npm run dev to create it")];
  return [...checkMachine(config), ...checkBindings(config, undefined), ...settings, ...checkLocalDatabases(state)];
}

/**
 * Lists missing and weak settings for a deployment.
 *
 * @param secretNames secrets that are set or about to be set; undefined if unknown, for example without an account.
 */
export function diagnoseDeployed(
  env: DeployedEnvironment,
  config: WranglerConfig,
  secretNames: readonly string[] | undefined,
  now: number,
): Finding[] {
  const vars = textVars(config);
  const required = config.secrets?.required ?? [];
  const unset = secretNames ? required.filter((name) => !secretNames.includes(name)) : [];
  return [
    ...checkMachine(config),
    ...checkBindings(config, env),
    ...checkSettings(productionSettings(vars, secretNames), { now, env }),
    ...(secretNames ? [] : checkUnseenSecrets(vars, env)),
    ...unset.map((name) => error(name, "is not set", `Run npm run deploy, or ${putSecret(name, env)}`)),
    ...(secretNames?.includes("TEST_IDENTIFIERS")
      ? [
          warning(
            "TEST_IDENTIFIERS",
            "is set, and its end date cannot be checked",
            "Delete it when the app store review is over",
          ),
        ]
      : []),
  ];
}
