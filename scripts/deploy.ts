import { parseArgs } from "node:util";
import { newDeployment } from "./operations/new-deployment.ts";
import { rehearseDeployment, runDeployment } from "./operations/run-deployment.ts";

// `npm run deploy`: creates missing resources, sets missing secrets, migrates, and gives the new version the traffic
// with health checks.

const USAGE = `npm run deploy -- [--env staging | --promote] [--dry-run] [--shares 10,50] [--pause SECONDS] [--url URL] [--location HINT]

--env        staging, or production (default)
--promote    deploy to production the bundle that staging runs
--dry-run    only print the commands and build the bundle, without account or network
--shares     percentages of the traffic for the new version, one after another, before all of it (default: none)
--pause      seconds to watch each share (default: 300)
--url        the URL of the API, if it is not ISSUER
--location   location hint of new databases and buckets (default: apac, the nearest to Nepal)`;

const options = {
  env: { type: "string", default: "production" },
  promote: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
  shares: { type: "string", default: "" },
  pause: { type: "string", default: "300" },
  url: { type: "string" },
  location: { type: "string", default: "apac" },
  help: { type: "boolean", short: "h", default: false },
} as const;

function refuse(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function parseOrRefuse() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const values = parseOrRefuse();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const { env } = values;
if (env !== "production" && env !== "staging") refuse("--env must be staging or production.");
if (values.promote && env === "staging") refuse("--promote deploys to production.");
const shares = values.shares === "" ? [] : values.shares.split(",").map(Number);
if (!shares.every((share, nth) => Number.isInteger(share) && share > (shares[nth - 1] ?? 0) && share < 100)) {
  refuse("--shares must be growing whole percentages below 100, such as 10,50.");
}
if (!/^\d{1,5}$/.test(values.pause)) refuse("--pause must be a number of seconds.");

try {
  const { url, location, promote: isPromotion } = values;
  const deployment = newDeployment({ env, isPromotion, url, location, shares, pauseMs: Number(values.pause) * 1000 });
  const isOk = values["dry-run"] ? rehearseDeployment(deployment) : await runDeployment(deployment);
  process.exit(isOk ? 0 : 1);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
