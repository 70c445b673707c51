import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { count, readArguments, text } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";

const { options } = readArguments({
  name: "races",
  about: "Runs every race in every mode, once per seed, with 100 clients.",
  options: {
    seeds: count("N", "number of seeds", { default: 10 }),
    only: text("NAME", "only races whose name contains this, such as R20", { default: "" }),
  },
});
const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
showProgress("running the races");
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    "tests/races",
    "--testTimeout=3600000",
    ...(options.only ? ["-t", options.only] : []),
  ],
  {
    cwd: root,
    env: { ...process.env, RACE_SEEDS: String(options.seeds), RACE_CLIENTS: "100" },
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
