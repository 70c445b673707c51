import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { readArguments, text } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";

const { options } = readArguments({
  name: "faults",
  about: "Injects every fault at every binding call of every flow, and runs the other crash tests in full.",
  options: { only: text("NAME", "only flows whose name contains this", { default: "" }) },
});
// The tests serve the built assets.
await import("./build-assets.ts");

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
showProgress("injecting the faults");
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    options.only ? "tests/faults/faults.test.ts" : "tests/faults",
    "--silent=false",
    "--testTimeout=3600000",
  ],
  {
    cwd: root,
    env: { ...process.env, FAULTS_WHOLE: "yes", FAULTS_ONLY: options.only },
    stdio: "inherit",
  },
);
process.exit(status ?? 1);
