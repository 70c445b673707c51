import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";
import { compareRestored } from "./operations/compare-restored.ts";

// `npm run fuzz -- --requests 20000 --seed 7` and `npm run models -- --runs 200 --seed 7`: longer runs of what `npm
// test` runs briefly. A failure prints its seed and path; to repeat it: `--seed 7 --path 12:0:1 --only "part of the
// test's name"`.

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    requests: { type: "string", default: "20000" },
    runs: { type: "string", default: "100" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    path: { type: "string" },
    only: { type: "string" },
  },
});
const [what = "fuzz"] = positionals;
for (const name of ["requests", "runs", "seed"] as const) {
  if (!/^[1-9]\d*$/.test(values[name])) {
    console.error(`--${name} must be a whole number of at least 1.`);
    process.exit(2);
  }
}
process.env.FUZZ_REQUESTS = values.requests;
process.env.MODEL_RUNS = values.runs;
process.env.FUZZ_SEED = values.seed;
if (values.path) process.env.FUZZ_PATH = values.path;
console.log(`seed ${values.seed}`);

/** Runs test files and calls `inspect` after each, while its storage exists. @returns whether all passed. */
async function run(files: readonly string[], inspect: () => void = () => {}): Promise<boolean> {
  const vitest = await startVitest("test", [...files], {
    root: join(import.meta.dirname, ".."),
    watch: false,
    silent: false,
    reporters: ["default", { onTestModuleEnd: inspect }],
    testTimeout: 24 * 60 * 60 * 1000,
    // The Worker's log lines, one per request, would hide everything else.
    onConsoleLog: (log) => !log.startsWith("{"),
    ...(values.only ? { testNamePattern: values.only } : {}),
  });
  await vitest.close();
  return vitest.state.getCountOfFailedTests() === 0 && vitest.state.getUnhandledErrors().length === 0;
}

const folder = join("tests", what);
const files = readdirSync(join(import.meta.dirname, "..", folder)).filter((name) => name.endsWith(".test.ts"));
// Each file begins with empty tables, so the one that leaves most behind runs alone, and its rows are backed up.
const last = "operations.test.ts";
let isPassed = await run(files.filter((name) => name !== last).map((name) => join(folder, name)));
if (files.includes(last)) {
  // The tests' storage is in a temporary folder, so this run has one of its own.
  const temporary = mkdtempSync(join(tmpdir(), "users-api-fuzz-"));
  process.env.TMPDIR = temporary;
  const state = join(temporary, "state");
  const keepStorage = () => {
    for (const name of readdirSync(temporary)) {
      const from = join(temporary, name, "d1");
      if (existsSync(from)) cpSync(from, join(state, "v3", "d1"), { recursive: true });
    }
  };
  try {
    isPassed = (await run([join(folder, last)], keepStorage)) && isPassed;
    isPassed = (await compareRestored(state)) && isPassed;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
if (!isPassed) process.exitCode = 1;
