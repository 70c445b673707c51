import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

// `npm run races -- --seeds 50`: runs every race in every mode, once per seed, with 100 clients.

const { values } = parseArgs({ options: { seeds: { type: "string", default: "10" } } });
if (!/^[1-9]\d*$/.test(values.seeds)) {
  console.error("--seeds must be a whole number of at least 1.");
  process.exit(2);
}
const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  ["--disable-warning=ExperimentalWarning", vitest, "run", "tests/races", "--testTimeout=3600000"],
  {
    cwd: root,
    env: { ...process.env, RACE_SEEDS: values.seeds, RACE_CLIENTS: "100" },
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
