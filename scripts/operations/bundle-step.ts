import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Deployment, inEnvironment, mustRun, type Step, StepFailed } from "./deployment.ts";
import { healthIn } from "./health-check.ts";

/** The bundle that staging runs: the digest of its files, and the id of its version there. */
interface Manifest {
  sha256: string;
  versionId: string;
}

const fileOf = ({ releaseFolder }: Deployment) => join(releaseFolder, "index.js");
const manifestOf = ({ releaseFolder }: Deployment) => join(releaseFolder, "release.json");

/** Arguments by which wrangler uploads the built bundle; without one it builds its own. */
export const bundleArguments = (deployment: Deployment): string[] =>
  deployment.isBuilt ? [fileOf(deployment), "--no-bundle"] : ["--minify"];

/** Builds the bundle for staging, or checks that the one to promote is the one that staging runs. */
export function bundleSteps(deployment: Deployment): Step[] {
  if (deployment.env === "staging") return [buildStep(deployment)];
  return deployment.isBuilt ? [promotionStep(deployment)] : [];
}

function buildStep(deployment: Deployment): Step {
  const build = ["deploy", "--dry-run", "--minify", "--outdir", deployment.releaseFolder, ...inEnvironment(deployment)];
  return {
    title: "Bundle",
    commands: [build],
    run() {
      mustRun(deployment, build, "Run npm test");
      deployment.say(`  built ${digestOf(deployment).slice(0, 12)}`);
    },
  };
}

function promotionStep(deployment: Deployment): Step {
  return {
    title: `Bundle that ${deployment.stagingOrigin} runs`,
    commands: [],
    async run() {
      const todo = "Run npm run deploy -- --env staging on this machine, test staging, and promote it then";
      if (!existsSync(manifestOf(deployment))) throw new StepFailed("staging was not deployed from here", todo);
      const manifest = JSON.parse(readFileSync(manifestOf(deployment), "utf8")) as Manifest;
      if (digestOf(deployment) !== manifest.sha256) {
        throw new StepFailed("the bundle or the assets changed since staging was deployed", todo);
      }
      const { text } = await deployment.get(`${deployment.stagingOrigin}/api/health`);
      const running = healthIn(text)?.version_id;
      if (running !== manifest.versionId) {
        throw new StepFailed(`staging runs version ${running ?? "unknown"}, not ${manifest.versionId}`, todo);
      }
      deployment.say(`  ${manifest.sha256.slice(0, 12)}, as on staging`);
    },
  };
}

/** Records which bundle the environment runs, so that production can get the same one. */
export function recordRelease(deployment: Deployment, versionId: string): void {
  if (deployment.env !== "staging") return;
  const manifest: Manifest = { sha256: digestOf(deployment), versionId };
  writeFileSync(manifestOf(deployment), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** SHA-256 over the names and bytes of the bundle and of the static assets. */
function digestOf(deployment: Deployment): string {
  const hash = createHash("sha256").update(readFileSync(fileOf(deployment)));
  const assets = globSync("**/*", { cwd: deployment.assetsFolder, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  for (const path of assets.map(({ parentPath, name }) => join(parentPath, name)).sort()) {
    hash.update(`\0${path.slice(deployment.assetsFolder.length)}\0`).update(readFileSync(path));
  }
  return hash.digest("hex");
}
