import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { checkBindings } from "./check-bindings.ts";
import { checkLocalDatabases, checkMachine } from "./check-machine.ts";
import { checkSettings } from "./check-settings.ts";
import { textVars, type WranglerConfig } from "./configuration.ts";
import { error, type Finding, warning } from "./finding.ts";
import { checkUnseenSecrets, productionSettings, putSecret } from "./provider-secrets.ts";
import { root } from "./wrangler.ts";

/** What is missing or weak for `npm run dev`: the settings, the secrets of .dev.vars and the local databases. */
export function diagnoseDevelopment(config: WranglerConfig, state: string, now: number): Finding[] {
  const file = join(root, ".dev.vars");
  const secrets = existsSync(file) ? parseEnv(readFileSync(file, "utf8")) : undefined;
  const settings = secrets
    ? checkSettings({ ...textVars(config), ...secrets, EMAIL: {} }, { now, isProduction: false })
    : [error(".dev.vars", "is missing, and every secret with it", "npm run dev makes it")];
  return [...checkMachine(config), ...checkBindings(config, undefined), ...settings, ...checkLocalDatabases(state)];
}

/**
 * What is missing or weak for a deployment.
 *
 * @param secretNames those that are set or about to be; undefined where that is not known, as without an account.
 */
export function diagnoseProduction(
  config: WranglerConfig,
  secretNames: readonly string[] | undefined,
  now: number,
): Finding[] {
  const vars = textVars(config);
  const required = config.secrets?.required ?? [];
  const unset = secretNames ? required.filter((name) => !secretNames.includes(name)) : [];
  return [
    ...checkMachine(config),
    ...checkBindings(config, "production"),
    ...checkSettings(productionSettings(vars, secretNames), { now, isProduction: true }),
    ...(secretNames ? [] : checkUnseenSecrets(vars)),
    ...unset.map((name) => error(name, "is not set", `npm run deploy, or ${putSecret(name)}`)),
    ...(secretNames?.includes("TEST_IDENTIFIERS")
      ? [warning("TEST_IDENTIFIERS", "is set, and its end cannot be read", "Delete it when the store's review is over")]
      : []),
  ];
}
