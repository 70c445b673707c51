import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { flag, readArguments } from "./arguments.ts";
import { vitestArguments, vitestOptions } from "./vitest-options.ts";

const { options, operands } = readArguments({
  name: "test:unit",
  about:
    "Runs all tests in two parallel processes, because the process that serves the storage of a run uses one core; or those of FILE in one process.",
  operands: "[FILE…]",
  options: { ...vitestOptions.options, operations: flag("also run the tests of the commands, at the same time") },
  notes: vitestOptions.notes,
});
const { operations: withOperations, ...own } = options;
const given = vitestArguments(own, operands);

const SHARDS = 2;

// The tests serve what it builds.
await import("./build-assets.ts");

const root = join(import.meta.dirname, "..");
/** The tests of the commands start Node a hundred times. */
const COMPILE_CACHE = { NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "node") };
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const isFiltered = given.filters.length > 0;

/** What workerd prints about header values that tests send on purpose. */
const EXPECTED_LINE = /^A header value for "[\w-]+" contains non-ASCII characters/;

interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Returns the output instead of showing it. */
  isHeld?: boolean;
  /** Shows the output without the expected lines, and without colors. */
  hidesExpected?: boolean;
}

/** Runs a script by Node and returns its exit code and, if `isHeld`, what it printed. */
function run(args: string[], { env = {}, isHeld = false, hidesExpected = false }: RunOptions = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    let output = "";
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["inherit", isHeld || hidesExpected ? "pipe" : "inherit", hidesExpected ? "pipe" : "inherit"],
    });
    if (hidesExpected) for (const name of ["stdout", "stderr"] as const) showUnexpected(child[name], process[name]);
    else
      child.stdout?.on("data", (chunk) => {
        output += chunk;
      });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

function showUnexpected(from: Readable | null, to: NodeJS.WriteStream): void {
  if (!from) return;
  createInterface({ input: from }).on("line", (line) => {
    if (!EXPECTED_LINE.test(line)) to.write(`${line}\n`);
  });
}

/** Runs vitest; `cache` separates parallel runs. */
const runVitest = (args: string[], cache = "vitest", hidesExpected = false) =>
  run([vitest, "run", ...args], { env: { VITEST_CACHE: join("node_modules", `.${cache}`) }, hidesExpected });

if (isFiltered) process.exit((await runVitest([...given.options, ...given.filters])).code);

const reports = mkdtempSync(join(tmpdir(), "users-api-tests-"));
const shards = Array.from({ length: SHARDS }, (_, i) => i + 1);
const progress = `--reporter=${join(import.meta.dirname, "vitest-progress.ts")}`;
const blob = (shard: number) => ["--reporter=blob", progress, `--outputFile.blob=${join(reports, `${shard}.json`)}`];
console.log(`Running all tests in ${SHARDS} parallel processes. The report is shown at the end.`);
const [operations, ...done] = await Promise.all([
  withOperations
    ? run(["--test", ...globSync("tests/operations/*.node.ts", { cwd: root })], { env: COMPILE_CACHE, isHeld: true })
    : undefined,
  ...shards.map((shard) => runVitest([`--shard=${shard}/${SHARDS}`, ...blob(shard)], `vitest-${shard}`, true)),
]);
const merged = await runVitest([`--merge-reports=${reports}`, ...given.options]);
rmSync(reports, { recursive: true });
if (operations) console.log(`Tests of the commands\n${operations.output}`);
process.exit(Math.max(merged.code, operations?.code ?? 0, ...done.map(({ code }) => code)));
