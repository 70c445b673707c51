import { type GivenDeployment, newDeployment } from "./new-deployment.ts";
import { rehearseDeployment, runDeployment } from "./run-deployment.ts";
import { rehearseRollback, runRollback } from "./run-rollback.ts";

/** Deploys from this machine, or only prints the commands and builds the bundle. False, after a message, on failure. */
export const deploy = (given: GivenDeployment, isRehearsal: boolean) =>
  reported(async () => {
    const deployment = newDeployment(given);
    return isRehearsal ? rehearseDeployment(deployment) : await runDeployment(deployment);
  });

/**
 * Gives all traffic to an earlier version, by default to the one before the present one, or only prints the commands.
 * False, after a message, on failure.
 */
export const rollBack = (given: GivenDeployment, version: string | undefined, isRehearsal: boolean) =>
  reported(async () => {
    const deployment = newDeployment(given);
    if (!isRehearsal) return await runRollback(deployment, version);
    rehearseRollback(deployment, version);
    return true;
  });

async function reported(work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}
