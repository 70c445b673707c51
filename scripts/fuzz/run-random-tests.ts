import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startVitest } from "vitest/node";
import { compareRestored } from "../operations/compare-restored.ts";
import { root } from "../operations/wrangler.ts";
import { showProgress } from "../progress/progress.ts";

interface Options {
  /** Requests of each test of `fuzz`. */
  requests?: number | undefined;
  /** Sequences of each test of `models`. */
  runs?: number | undefined;
  seed: number | undefined;
  path: string | undefined;
  only: string | undefined;
}

/** Runs the tests in the folder `what` of the tests, `fuzz` or `models`. @returns whether all passed. */
export async function runRandomTests(what: string, options: Options): Promise<boolean> {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31) + 1;
  process.env.FUZZ_REQUESTS = String(options.requests ?? 20_000);
  process.env.MODEL_RUNS = String(options.runs ?? 100);
  process.env.FUZZ_SEED = String(seed);
  if (options.path) process.env.FUZZ_PATH = options.path;
  console.log(`seed ${seed}`);
  const onProgress = showProgress("starting the tests");
  const run = (names: readonly string[], inspect?: () => void) => {
    onProgress(`running ${names.join(" ")}`);
    return arePassed(names, options.only, inspect);
  };

  const folder = join("tests", what);
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts"));
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
  return isPassed;
}

/** Runs test files and calls `inspect` after each, while its storage exists. @returns whether all passed. */
async function arePassed(
  files: readonly string[],
  only: string | undefined,
  inspect: () => void = () => {},
): Promise<boolean> {
  const vitest = await startVitest("test", [...files], {
    root,
    watch: false,
    silent: false,
    reporters: ["default", { onTestModuleEnd: inspect }],
    testTimeout: 24 * 60 * 60 * 1000,
    // The Worker's log lines, one per request, would hide everything else.
    onConsoleLog: (log) => !log.startsWith("{"),
    ...(only ? { testNamePattern: only } : {}),
  });
  await vitest.close();
  return vitest.state.getCountOfFailedTests() === 0 && vitest.state.getUnhandledErrors().length === 0;
}
