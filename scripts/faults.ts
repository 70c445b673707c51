import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

// `npm run faults`: injects every fault at every binding call of every flow, and runs the other tests of crashes whole;
// `-- --only refresh` limits it to flows whose name matches.

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    values.only ? "tests/faults/faults.test.ts" : "tests/faults",
    "--silent=false",
    "--testTimeout=1200000",
  ],
  {
    cwd: root,
    env: { ...process.env, FAULTS_WHOLE: "yes", FAULTS_ONLY: values.only },
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
