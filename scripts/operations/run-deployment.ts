import { bundleSteps } from "./bundle-step.ts";
import { asTyped, type Deployment, inEnvironment, type Step, StepFailed } from "./deployment.ts";
import { diagnoseDeployed } from "./diagnose.ts";
import { formatFinding } from "./finding.ts";
import {
  accountStep,
  configurationStep,
  migrationStep,
  providersStep,
  searchStep,
  secretsStep,
} from "./release-steps.ts";
import { bucketStep, databaseStep, namespaceStep, queueSteps } from "./resource-steps.ts";
import { trafficSteps } from "./traffic-steps.ts";

/** All steps of a deployment, in order. Each is safe to run again and requires the ones before it. */
export function deploymentSteps(deployment: Deployment): Step[] {
  const { d1_databases, r2_buckets } = deployment.config();
  const databases = d1_databases.map(({ binding }) => binding);
  return [
    configurationStep(deployment),
    ...bundleSteps(deployment),
    accountStep(deployment),
    providersStep(deployment),
    ...databases.map((binding) => databaseStep(deployment, binding)),
    namespaceStep(deployment),
    ...r2_buckets.map(({ bucket_name }) => bucketStep(deployment, bucket_name ?? "")),
    ...queueSteps(deployment),
    secretsStep(deployment),
    ...databases.map((binding) => migrationStep(deployment, binding)),
    searchStep(deployment),
    ...trafficSteps(deployment),
  ];
}

/** Runs the steps and returns whether all succeeded. Stops at the first failure and prints what to do. */
export async function runDeployment(deployment: Deployment): Promise<boolean> {
  for (const step of deploymentSteps(deployment)) {
    deployment.say(step.title);
    try {
      await step.run();
    } catch (failure) {
      if (!(failure instanceof StepFailed)) throw failure;
      deployment.say(`  ✗ ${failure.message}`);
      deployment.say(`  To do: ${failure.todo}. Then run the same command again: completed steps are not repeated.`);
      return false;
    }
  }
  deployment.say(`Users API is deployed at ${deployment.origin}.`);
  return true;
}

/**
 * Prints all steps with their commands and runs only checks that need neither account nor network. Returns whether the
 * bundle builds.
 */
export function rehearseDeployment(deployment: Deployment): boolean {
  for (const { title, commands } of deploymentSteps(deployment)) {
    deployment.say(title);
    for (const command of commands) deployment.say(`  $ ${asTyped(command)}`);
  }
  deployment.say("\nLocal checks:");
  const findings = diagnoseDeployed(deployment.env, deployment.config(), undefined, deployment.now());
  for (const finding of findings) deployment.say(`  ${formatFinding({ ...finding, level: "warning" })}`);
  const bundle = ["deploy", "--dry-run", "--minify", ...inEnvironment(deployment)];
  deployment.say(`  $ ${asTyped(bundle)}`);
  const { ok, output } = deployment.wrangler(bundle);
  deployment.say(output.replaceAll(/^/gm, "  "));
  return ok;
}
