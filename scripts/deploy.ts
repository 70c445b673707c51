import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { readConfiguration, textVars } from "./operations/configuration.ts";
import { rehearseDeployment, runDeployment } from "./operations/run-deployment.ts";
import { root, wranglerIn } from "./operations/wrangler.ts";

// `npm run deploy`: creates missing resources, sets missing secrets, migrates, deploys and checks the health of the
// deployment.

const { values } = parseArgs({
  options: {
    "dry-run": { type: "boolean", default: false },
    /** The URL of the API, if it is not the issuer. */
    url: { type: "string" },
    /** Location hint of new databases and buckets; apac is the nearest to Nepal. */
    location: { type: "string", default: "apac" },
  },
});

const configPath = join(root, "wrangler.toml");
const origin = values.url ?? textVars(readConfiguration(configPath, "production")).ISSUER ?? "";
if (!URL.canParse(origin)) {
  console.error(`${origin || "ISSUER"} is not a URL. Set ISSUER in [env.production.vars] of wrangler.toml.`);
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

const isOk = values["dry-run"] ? rehearseDeployment(deployment) : await runDeployment(deployment);
process.exit(isOk ? 0 : 1);
