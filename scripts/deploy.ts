import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { readConfiguration, textVars } from "./operations/configuration.ts";
import { rehearseDeployment, runDeployment } from "./operations/run-deployment.ts";
import { root, wranglerIn } from "./operations/wrangler.ts";

// `npm run deploy`: makes what the account lacks, sets what is not set, migrates, deploys, and asks whether it answers.

const { values } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    /** Where the API answers, if not at the issuer. */
    url: { type: "string" },
    /** A location hint for new databases and buckets: apac is the nearest to Nepal. */
    location: { type: "string", default: "apac" },
  },
});

const configPath = join(root, "wrangler.toml");
const origin = values.url ?? textVars(readConfiguration(configPath, "production")).ISSUER ?? "";
if (!URL.canParse(origin)) {
  console.error(`${origin || "ISSUER"} is no address: put yours into [env.production.vars] of wrangler.toml.`);
  process.exit(1);
}
const config = () => readConfiguration(configPath, "production");
const deployment = {
  wrangler: wranglerIn(root),
  configPath: relative(process.cwd(), configPath) || configPath,
  config,
  secretsFile: join(root, ".secrets.production.json"),
  environment: process.env,
  location: values.location,
  origin: new URL(origin).origin,
  get: async (url: string) => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      return { status: response.status, text: await response.text() };
    } catch {
      return { status: 0, text: "" };
    }
  },
  wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  now: () => Date.now(),
  say: (line: string) => console.log(line),
};

const isWell = values["dry-run"] ? rehearseDeployment(deployment) : await runDeployment(deployment);
process.exit(isWell ? 0 : 1);
