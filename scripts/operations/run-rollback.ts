import { asTyped, type Deployment, inEnvironment, mustRun, StepFailed } from "./deployment.ts";
import { waitUntilHealthy } from "./health-check.ts";
import { putSecret } from "./provider-secrets.ts";
import { isService, listDeployments, listDeploymentsCommand, mainVersionOf, viewVersionCommand } from "./versions.ts";

const rollbackCommand = (deployment: Deployment, versionId: string) => [
  "rollback",
  versionId,
  "--yes",
  "--message",
  "npm run rollback",
  ...inEnvironment(deployment),
];

/** What a rollback leaves and what it brings back; a version has the secrets of its time. */
const effectsIn = (env: Deployment["env"]) =>
  "Migrations stay: the older version runs on the new schema, as every migration must allow.\n" +
  "Secrets do not: those of that version are back. Set each that has changed since again, as in " +
  `${putSecret("NAME", env)}. If only a secret had changed, that version has the same code: choose an older one with --to.`;

/**
 * Gives all traffic to an earlier version and waits until it responds. Returns whether it does.
 *
 * @param to the version; by default the latest one that served traffic before the present one.
 */
export async function runRollback(deployment: Deployment, to: string | undefined): Promise<boolean> {
  try {
    const [present, ...earlier] = listDeployments(deployment);
    const current = present && mainVersionOf(present);
    const others = earlier.map(mainVersionOf).filter((version) => version !== undefined && version !== current);
    const found = to ?? others.find((version) => version !== undefined && isService(deployment, version));
    if (found === undefined) {
      throw new StepFailed(
        "there is no earlier version",
        `See npx wrangler versions list --env ${deployment.env}, and use --to`,
      );
    }
    deployment.say(`From version ${current} to ${found}`);
    mustRun(deployment, rollbackCommand(deployment, found), `See npx wrangler versions list --env ${deployment.env}`);
    await waitUntilHealthy(deployment, { versionId: found });
    deployment.say(`Version ${found} responds. ${effectsIn(deployment.env)}`);
    return true;
  } catch (failure) {
    if (!(failure instanceof StepFailed)) throw failure;
    deployment.say(`✗ ${failure.message}\nTo do: ${failure.todo}.`);
    return false;
  }
}

/** Prints the commands of a rollback, without account or network. */
export function rehearseRollback(deployment: Deployment, to: string | undefined): void {
  deployment.say(`$ ${asTyped(listDeploymentsCommand(deployment))}`);
  if (to === undefined) deployment.say(`$ ${asTyped(viewVersionCommand(deployment, "PREVIOUS"))}`);
  deployment.say(`$ ${asTyped(rollbackCommand(deployment, to ?? "PREVIOUS"))}`);
  deployment.say(`GET ${deployment.origin}/api/health, until that version responds\n${effectsIn(deployment.env)}`);
}
