import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { count, readArguments } from "./arguments.ts";

const { options } = readArguments({
  name: "homes",
  about: "Moves users between two databases while they use the service, and proves that nothing is lost or done twice.",
  options: { users: count("N", "number of users", { default: 1000 }) },
});
const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    vitest,
    "run",
    "tests/homes",
    "--testTimeout=3600000",
    "--reporter=verbose",
  ],
  { cwd: root, env: { ...process.env, HOMES_USERS: String(options.users) }, stdio: "inherit" },
);
process.exit(status ?? 1);
