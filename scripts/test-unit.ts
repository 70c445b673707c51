import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { flag, readArguments } from "./arguments.ts";
import { vitestArguments, vitestOptions } from "./vitest-options.ts";
import { runShards, runVitest } from "./vitest-shards.ts";

const { options, operands } = readArguments({
  name: "test:unit",
  about: "Runs all tests in two parallel processes, or those of FILE in one.",
  operands: "[FILE…]",
  options: { ...vitestOptions.options, operations: flag("also run the tests of the commands, at the same time") },
  notes: vitestOptions.notes,
});
const { operations: withOperations, ...own } = options;
const given = vitestArguments(own, operands);

// The tests serve the built assets.
await import("./build-assets.ts");

const root = join(import.meta.dirname, "..");

if (given.filters.length > 0) process.exit(await runVitest([...given.options, ...given.filters]));

const isReporting = (option: string) => /^--(reporter|outputFile)/.test(option);
const [operations, vitest] = await Promise.all([
  withOperations ? testCommands() : undefined,
  runShards({
    choosing: given.options.filter((option) => !isReporting(option)),
    reporting: given.options.filter(isReporting),
  }),
]);
if (operations) console.log(`Tests of the commands\n${operations.output}`);
// Not process.exit, which would lose output that a slow reader has not taken yet.
process.exitCode = Math.max(vitest, operations?.code ?? 0);

/** Runs the tests of the commands; returns their exit code and what they printed. */
function testCommands() {
  return new Promise<{ code: number; output: string }>((resolve) => {
    let output = "";
    const files = globSync("tests/operations/*.node.ts", { cwd: root });
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--test", ...files], {
      cwd: root,
      // They start Node a hundred times.
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "node"),
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${pathToFileURL(join(root, "scripts", "import-hooks.js"))}`,
      },
      stdio: ["inherit", "pipe", "inherit"],
    });
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
