import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startVitest } from "vitest/node";
import { count, type Option, readArguments, text } from "./arguments.ts";
import { compareRestored } from "./operations/compare-restored.ts";
import { showProgress } from "./progress/progress.ts";

/** The option that says how long to run. */
const sizeOf = (what: string): { requests?: Option<number>; runs?: Option<number> } =>
  what === "models"
    ? { runs: count("N", "sequences of each model", { default: 100 }) }
    : { requests: count("N", "requests of each test", { default: 20_000 }) };

// package.json gives the first argument: `fuzz` or `models`.
const [what = "fuzz", ...args] = process.argv.slice(2);
const { options } = readArguments(
  {
    name: what,
    about:
      what === "models"
        ? "Runs random sequences of steps against the Worker and an independent model of the rules, for longer than npm test."
        : "Calls every operation with valid and invalid requests, for longer than npm test.",
    options: {
      ...sizeOf(what),
      seed: count("N", "seed of the random generator (default: a random one)", { max: 2 ** 31 }),
      path: text("PATH", "repeats one case: the path that a failure printed"),
      only: text("NAME", "only tests whose name contains this"),
    },
    notes: [
      'A failure prints its seed and path. To repeat it: --seed 7 --path 12:0:1 --only "part of the test\'s name".',
    ],
  },
  args,
);
const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31) + 1;
process.env.FUZZ_REQUESTS = String(options.requests ?? 20_000);
process.env.MODEL_RUNS = String(options.runs ?? 100);
process.env.FUZZ_SEED = String(seed);
if (options.path) process.env.FUZZ_PATH = options.path;
console.log(`seed ${seed}`);
const onProgress = showProgress("starting the tests");

/** Runs test files and calls `inspect` after each, while its storage exists. @returns whether all passed. */
async function run(files: readonly string[], inspect: () => void = () => {}): Promise<boolean> {
  onProgress(`running ${files.join(" ")}`);
  const vitest = await startVitest("test", [...files], {
    root: join(import.meta.dirname, ".."),
    watch: false,
    silent: false,
    reporters: ["default", { onTestModuleEnd: inspect }],
    testTimeout: 24 * 60 * 60 * 1000,
    // The Worker's log lines, one per request, would hide everything else.
    onConsoleLog: (log) => !log.startsWith("{"),
    ...(options.only ? { testNamePattern: options.only } : {}),
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
