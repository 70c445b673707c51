import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// `npm run test:unit [-- vitest options and filters]`: runs all tests in two parallel shards, because the process that
// serves the storage of a run uses one core. With a filter, runs a single process. `--operations` runs the tests of the
// commands beside the shards.

const SHARDS = 2;
const OPERATIONS = "--operations";

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const given = process.argv.slice(2).filter((argument) => argument !== OPERATIONS);
const withOperations = process.argv.includes(OPERATIONS);
const isFiltered = given.some((argument) => !argument.startsWith("-"));

/** Runs a script by Node and returns its exit code and, if `isHeld`, what it printed. */
function run(args: string[], { env = {}, isHeld = false }: { env?: NodeJS.ProcessEnv; isHeld?: boolean } = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    let output = "";
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["inherit", isHeld ? "pipe" : "inherit", "inherit"],
    });
    child.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs vitest; `cache` separates parallel runs. */
const runVitest = (args: string[], cache = "vitest") =>
  run([vitest, "run", ...args], { env: { VITEST_CACHE: join("node_modules", `.${cache}`) } });

if (isFiltered) process.exit((await runVitest(given)).code);

const reports = mkdtempSync(join(tmpdir(), "users-api-tests-"));
const shards = Array.from({ length: SHARDS }, (_, i) => i + 1);
const blob = (shard: number) => ["--reporter=blob", `--outputFile.blob=${join(reports, `${shard}.json`)}`];
console.log(`Running all tests in ${SHARDS} parallel processes. The report is shown at the end.`);
const [operations, ...done] = await Promise.all([
  withOperations
    ? run(["--test", ...globSync("tests/operations/*.node.ts", { cwd: root })], { isHeld: true })
    : undefined,
  ...shards.map((shard) => runVitest([`--shard=${shard}/${SHARDS}`, ...blob(shard)], `vitest-${shard}`)),
]);
const merged = await runVitest([`--merge-reports=${reports}`, ...given]);
rmSync(reports, { recursive: true });
if (operations) console.log(`Tests of the commands\n${operations.output}`);
process.exit(Math.max(merged.code, operations?.code ?? 0, ...done.map(({ code }) => code)));
