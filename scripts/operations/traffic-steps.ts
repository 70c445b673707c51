import { bundleArguments, recordRelease } from "./bundle-step.ts";
import { associationRoutes, checkAssociations } from "./check-associations.ts";
import { hostOf, type WranglerConfig } from "./configuration.ts";
import { asTyped, type Deployment, inEnvironment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { formatFinding } from "./finding.ts";
import { isServing, waitUntilHealthy } from "./health-check.ts";
import {
  isService,
  listDeployments,
  listDeploymentsCommand,
  mainVersionOf,
  readVersionId,
  viewVersionCommand,
} from "./versions.ts";

/** The versions of one release, known once the upload has run. */
interface Release {
  /** The version that served most of the traffic; undefined on the first deployment. */
  old?: string | undefined;
  fresh?: string;
}

/**
 * Uploads the Worker, gives it the traffic in shares with a health check after each, and applies routes, crons and
 * queue consumers. A share without a healthy response gives all traffic back to the old version.
 */
export function trafficSteps(deployment: Deployment): Step[] {
  const release: Release = {};
  return [
    uploadStep(deployment, release),
    shareStep(deployment, release),
    triggerStep(deployment, release),
    associationStep(deployment),
  ];
}

/** Whether wrangler.toml itself says at which addresses the Worker is. */
const isRouted = ({ routes, workers_dev }: WranglerConfig) => (routes?.length ?? 0) > 0 || workers_dev === true;

/** Routes of the domain of the passkeys, which the commands add if wrangler.toml has none. */
const routeArguments = (config: WranglerConfig) =>
  isRouted(config) ? [] : associationRoutes(config).flatMap((route) => ["--route", route]);

function uploadStep(deployment: Deployment, release: Release): Step {
  const config = deployment.config();
  const host = hostOf(config);
  const address = isRouted(config) || host === undefined ? [] : ["--domain", host];
  const bundle = bundleArguments(deployment);
  const upload = ["versions", "upload", ...bundle, ...inEnvironment(deployment)];
  // Only this command gives the Worker a host: the issuer's, if wrangler.toml has no route.
  const deploy = ["deploy", ...bundle, ...inEnvironment(deployment), ...address, ...routeArguments(config)];
  return {
    title: `Worker ${config.name}`,
    commands: [listDeploymentsCommand(deployment), viewVersionCommand(deployment, "VERSION"), upload, deploy],
    async run() {
      const [latest] = listDeployments(deployment);
      const serving = latest && mainVersionOf(latest);
      release.old = serving !== undefined && isService(deployment, serving) ? serving : undefined;
      // Without its responses, nobody can see whether the new version is healthy.
      if (release.old && !(await isServing(deployment))) throw unanswered(deployment, release.old, deploy);
      if (!release.old && deployment.shares.length > 0)
        deployment.say("  no version serves yet: --shares has no effect");
      const todo = release.old
        ? "Check that the API token has the permission Workers Scripts: Edit"
        : `Check that the zone of ${host} is in this account and that the API token may edit its Workers routes`;
      release.fresh = readVersionId(mustRun(deployment, release.old ? upload : deploy, todo).stdout);
      deployment.say(`  ${release.old ? "uploaded" : "deployed"} version ${release.fresh}`);
    },
  };
}

function unanswered({ origin, env }: Deployment, version: string, deploy: readonly string[]): StepFailed {
  return new StepFailed(
    `version ${version} has the traffic, but ${origin}/api/health does not respond; nothing was uploaded`,
    `Wait some minutes if the domain is new. Otherwise check the network of this machine and npx wrangler tail --env ${env}. If the first deployment stopped before the Worker had its host, run ${asTyped(deploy)}`,
  );
}

/** The command that gives the new version a share of the traffic, and the old one the rest. */
const split = (deployment: Deployment, fresh: string, old: string, share: number) => [
  "versions",
  "deploy",
  `${fresh}@${share}%`,
  ...(share < 100 ? [`${old}@${100 - share}%`] : []),
  "--yes",
  ...inEnvironment(deployment),
];

function shareStep(deployment: Deployment, release: Release): Step {
  const shares = [0, ...deployment.shares, 100];
  return {
    title: `Traffic, with GET ${deployment.origin}/api/health after each share`,
    commands: shares.map((share) => split(deployment, "NEW", "OLD", share)),
    async run() {
      const { old, fresh = "" } = release;
      if (old === undefined) {
        await waitUntilHealthy(deployment, { versionId: fresh });
        recordRelease(deployment, fresh);
        return deployment.say("  100 %: all bindings respond");
      }
      for (const share of shares) {
        mustRun(
          deployment,
          split(deployment, fresh, old, share),
          `Check npx wrangler deployments list --env ${deployment.env}`,
        );
        try {
          const isPartial = share > 0 && share < 100;
          await waitUntilHealthy(deployment, { versionId: fresh, isOverride: share < 100 });
          if (isPartial) await deployment.wait(deployment.pauseMs);
          if (isPartial) await waitUntilHealthy(deployment, { versionId: fresh, isOverride: true });
        } catch (failure) {
          if (!(failure instanceof StepFailed)) throw failure;
          giveBack(deployment, old);
          throw new StepFailed(`${failure.message}\n  All traffic goes to version ${old} again.`, failure.todo);
        }
        deployment.say(`  ${share} %: all bindings respond`);
      }
      recordRelease(deployment, fresh);
    },
  };
}

function giveBack(deployment: Deployment, old: string): void {
  mustRun(
    deployment,
    ["versions", "deploy", `${old}@100%`, "--yes", ...inEnvironment(deployment)],
    `Run npx wrangler rollback ${old} --env ${deployment.env}: the new version is unhealthy`,
  );
}

/** A version holds code and bindings; routes, crons and queue consumers belong to the Worker. */
function triggerStep(deployment: Deployment, release: Release): Step {
  const apply = ["triggers", "deploy", ...inEnvironment(deployment), ...routeArguments(deployment.config())];
  return {
    title: "Routes, crons and queue consumers",
    commands: [apply],
    run() {
      if (release.old === undefined) return deployment.say("  applied with the Worker");
      mustRun(deployment, apply, "Check that the API token may edit the zone's Workers routes and the queues");
      deployment.say("  applied");
    },
  };
}

/** Looks at the files of the domain of the passkeys, without which apps cannot use them. */
function associationStep(deployment: Deployment): Step {
  return {
    title: "Association files of the domain of the passkeys",
    commands: [],
    async run() {
      const findings = await checkAssociations(deployment.config(), deployment.getOnce);
      for (const finding of findings) deployment.say(`  ${formatFinding(finding)}`);
      if (findings.length === 0) deployment.say("  in order");
    },
  };
}
