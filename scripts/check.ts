import { spawn } from "node:child_process";
import { join } from "node:path";
import { readArguments } from "./arguments.ts";
import { passedOn, vitestOptions } from "./vitest-options.ts";

const { options, operands } = readArguments({
  name: "test",
  about: "Runs all checks and tests: the linter, the type checker, the size of the bundle, and the tests.",
  operands: "[FILE…]",
  ...vitestOptions,
});
const root = join(import.meta.dirname, "..");

/** The steps, one row after the other; those of a row run at the same time. */
const rows: [script: string, args?: string[]][][] = [
  [["types"]],
  // The type checker alone would leave a core idle.
  [["typecheck"], ["lint"], ["bundle"]],
  [["test:unit", ["--", "--operations", ...passedOn(options, operands)]]],
];
for (const row of rows) {
  console.log(`\n— npm run ${row.map(([script]) => script).join(", ")}`);
  const codes = await Promise.all(row.map(([script, args = []]) => run(script, args, row.length > 1)));
  const failed = codes.find((code) => code !== 0);
  if (failed !== undefined) {
    process.exitCode = failed;
    break;
  }
}

/** Runs a script of package.json and returns its exit code; with `isHeld`, prints its output only when it ends. */
function run(script: string, args: string[], isHeld: boolean): Promise<number> {
  return new Promise((resolve) => {
    const stdio = ["inherit", isHeld ? "pipe" : "inherit", "inherit"] as const;
    const child = spawn("npm", ["run", "-s", script, ...args], { cwd: root, stdio: [...stdio] });
    const held: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => held.push(chunk));
    child.on("close", (code) => {
      if (held.length > 0) console.log(`${Buffer.concat(held)}`.trimEnd());
      resolve(code ?? 1);
    });
  });
}
