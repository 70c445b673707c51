import { parseArgs } from "node:util";
import { newDeployment } from "./operations/new-deployment.ts";
import { rehearseRollback, runRollback } from "./operations/run-rollback.ts";

// `npm run rollback`: gives all traffic to an earlier version.

const USAGE = `npm run rollback -- [--env staging] [--to VERSION] [--dry-run] [--url URL]

--env        staging, or production (default)
--to         the id of the version (default: the one that served traffic before the present one)
--dry-run    only print the commands, without account or network
--url        the URL of the API, if it is not ISSUER`;

const options = {
  env: { type: "string", default: "production" },
  to: { type: "string" },
  "dry-run": { type: "boolean", default: false },
  url: { type: "string" },
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
if (values.to !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(values.to)) {
  refuse("--to must be the id of a version. See npx wrangler versions list.");
}

try {
  const deployment = newDeployment({ env, url: values.url, location: "", shares: [], pauseMs: 0 });
  if (values["dry-run"]) rehearseRollback(deployment, values.to);
  else if (!(await runRollback(deployment, values.to))) process.exit(1);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
