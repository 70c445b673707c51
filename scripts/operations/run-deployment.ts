import { asTyped, type Deployment, type Step, StepFailed } from "./deployment.ts";
import { diagnoseProduction } from "./diagnose.ts";
import { formatFinding } from "./finding.ts";
import {
  accountStep,
  configurationStep,
  deployStep,
  healthStep,
  migrationStep,
  providersStep,
  secretsStep,
} from "./release-steps.ts";
import { bucketStep, databaseStep, namespaceStep, queueSteps } from "./resource-steps.ts";

/** Everything that a deployment does, in order. Each is safe to run again; a later one needs those before it. */
export function deploymentSteps(deployment: Deployment): Step[] {
  const { d1_databases, r2_buckets } = deployment.config();
  const databases = d1_databases.map(({ binding }) => binding);
  return [
    configurationStep(deployment),
    accountStep(deployment),
    providersStep(deployment),
    ...databases.map((binding) => databaseStep(deployment, binding)),
    namespaceStep(deployment),
    ...r2_buckets.map(({ bucket_name }) => bucketStep(deployment, bucket_name ?? "")),
    ...queueSteps(deployment),
    secretsStep(deployment),
    ...databases.map((binding) => migrationStep(deployment, binding)),
    deployStep(deployment),
    healthStep(deployment),
  ];
}

/** Runs every step and tells whether all stand; stops at the first that fails, with what to do. */
export async function runDeployment(deployment: Deployment): Promise<boolean> {
  for (const step of deploymentSteps(deployment)) {
    deployment.say(step.title);
    try {
      await step.run();
    } catch (failure) {
      if (!(failure instanceof StepFailed)) throw failure;
      deployment.say(`  ✗ ${failure.message}`);
      deployment.say(`  To do: ${failure.todo}. Then run the same command again: what is done stays done.`);
      return false;
    }
  }
  deployment.say(`Users API is deployed at ${deployment.origin}.`);
  return true;
}

/** Prints every step with its commands, and runs what needs neither account nor network; tells whether that went well. */
export function rehearseDeployment(deployment: Deployment): boolean {
  for (const { title, commands } of deploymentSteps(deployment)) {
    deployment.say(title);
    for (const command of commands) deployment.say(`  $ ${asTyped(command)}`);
  }
  deployment.say("\nWhat can be run here:");
  const findings = diagnoseProduction(deployment.config(), undefined, deployment.now());
  for (const finding of findings) deployment.say(`  ${formatFinding({ ...finding, level: "warning" })}`);
  const bundle = ["deploy", "--dry-run", "--minify", "--env", "production", "--config", deployment.configPath];
  deployment.say(`  $ ${asTyped(bundle)}`);
  const { ok, output } = deployment.wrangler(bundle);
  deployment.say(output.replaceAll(/^/gm, "  "));
  return ok;
}
