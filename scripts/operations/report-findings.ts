import { checkAssociations, getOnce } from "./check-associations.ts";
import { type DeployedEnvironment, readConfiguration } from "./configuration.ts";
import { diagnoseDeployed, diagnoseDevelopment } from "./diagnose.ts";
import { formatFinding } from "./finding.ts";
import { stateFolder } from "./local-database.ts";
import { listSecretNames } from "./secret-names.ts";
import { root, wranglerIn } from "./wrangler.ts";

/**
 * Prints the missing and weak settings of an environment, or of development.
 *
 * @returns whether there are no errors.
 */
export async function isReady(configPath: string, env: DeployedEnvironment | undefined): Promise<boolean> {
  const config = readConfiguration(configPath, env);
  const findings = env
    ? [
        ...diagnoseDeployed(env, config, listSecretNames(wranglerIn(root), configPath, env), Date.now()),
        ...(await checkAssociations(config, getOnce)),
      ]
    : diagnoseDevelopment(config, stateFolder(), Date.now());
  for (const finding of findings) console.log(formatFinding(finding));
  const errors = findings.filter(({ level }) => level === "error").length;
  const name = env ?? "development";
  console.log(
    errors === 0 ? `${name} is ready.` : `${name} is not ready: fix ${errors} ${errors === 1 ? "error" : "errors"}.`,
  );
  return errors === 0;
}
