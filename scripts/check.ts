import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { readArguments } from "./arguments.ts";
import { vitestArguments, vitestOptions } from "./vitest-options.ts";

const { options, operands } = readArguments({
  name: "test",
  about: "Runs all checks and tests: the linter, the type checker, the size of the bundle, and the tests.",
  operands: "[FILE…]",
  ...vitestOptions,
});
const given = vitestArguments(options, operands);
const root = join(import.meta.dirname, "..");

const steps: [script: string, args?: string[]][] = [
  ["types"],
  ["lint"],
  ["typecheck"],
  ["bundle"],
  ["test:unit", ["--", "--operations", ...given.options, ...given.filters]],
];
for (const [script, args = []] of steps) {
  console.log(`\n— npm run ${script}`);
  const { status } = spawnSync("npm", ["run", "-s", script, ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
