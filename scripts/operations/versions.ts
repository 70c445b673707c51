import { type Deployment, inEnvironment, mustRun, StepFailed } from "./deployment.ts";
import { isUnknownWorker } from "./secret-names.ts";
import { readJsonOutput } from "./wrangler.ts";

/** A past or the present deployment: which versions serve which percentage of the traffic. */
export interface PastDeployment {
  created_on: string;
  versions: { version_id: string; percentage: number }[];
}

export const listDeploymentsCommand = (deployment: Pick<Deployment, "configPath" | "env">) => [
  "deployments",
  "list",
  "--json",
  ...inEnvironment(deployment),
];

/** The latest deployments, newest first; none if the Worker does not exist yet. */
export function listDeployments(deployment: Deployment): PastDeployment[] {
  const command = listDeploymentsCommand(deployment);
  const { ok, stdout, output } = deployment.wrangler(command);
  if (ok) {
    const found = readJsonOutput(stdout) as PastDeployment[];
    return found.toSorted((a, b) => b.created_on.localeCompare(a.created_on));
  }
  if (isUnknownWorker(output)) return [];
  const todo = "Check that the API token has the permission Workers Scripts: Edit";
  throw new StepFailed(`wrangler ${command.join(" ")}\n${output}`, todo);
}

/** The version that serves most of the traffic of a deployment. */
export const mainVersionOf = ({ versions }: PastDeployment): string | undefined =>
  versions.toSorted((a, b) => b.percentage - a.percentage)[0]?.version_id;

export const viewVersionCommand = (deployment: Pick<Deployment, "configPath" | "env">, versionId: string) => [
  "versions",
  "view",
  versionId,
  "--json",
  ...inEnvironment(deployment),
];

/** Whether a version is the service: setting the secrets of a new Worker makes versions that have nothing but secrets. */
export function isService(deployment: Deployment, versionId: string): boolean {
  const todo = "Check that the API token has the permission Workers Scripts: Edit";
  const { stdout } = mustRun(deployment, viewVersionCommand(deployment, versionId), todo);
  const { resources } = readJsonOutput(stdout) as { resources: { bindings?: { type: string }[] } };
  return (resources.bindings ?? []).some(({ type }) => type !== "secret_text");
}

/** Reads the version that wrangler says it has made. @throws StepFailed if the output names none. */
export function readVersionId(output: string): string {
  const [, id] = /Version ID: ([0-9a-f-]{36})/.exec(output) ?? [];
  if (id === undefined) throw new StepFailed(`wrangler named no version:\n${output}`, "Check wrangler's version");
  return id;
}
