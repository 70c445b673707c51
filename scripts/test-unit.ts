import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// `npm run test:unit [-- vitest options and filters]`: runs all tests in two parallel shards, because the process that
// serves the storage of a run uses one core. With a filter, runs a single process.

const SHARDS = 2;

const root = join(import.meta.dirname, "..");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const given = process.argv.slice(2);
const isFiltered = given.some((argument) => !argument.startsWith("-"));

/** Runs vitest and returns its exit code; `cache` separates parallel runs. */
function run(args: string[], cache = "vitest"): Promise<number> {
  const env = { ...process.env, VITEST_CACHE: join("node_modules", `.${cache}`) };
  return new Promise((resolve) => {
    spawn(process.execPath, ["--disable-warning=ExperimentalWarning", vitest, "run", ...args], {
      cwd: root,
      env,
      stdio: "inherit",
    }).on("exit", (code) => resolve(code ?? 1));
  });
}

if (isFiltered) process.exit(await run(given));

const reports = mkdtempSync(join(tmpdir(), "users-api-tests-"));
const shards = Array.from({ length: SHARDS }, (_, i) => i + 1);
const blob = (shard: number) => ["--reporter=blob", `--outputFile.blob=${join(reports, `${shard}.json`)}`];
console.log(`Running all tests in ${SHARDS} parallel processes. The report is shown at the end.`);
const codes = await Promise.all(
  shards.map((shard) => run([`--shard=${shard}/${SHARDS}`, ...blob(shard)], `vitest-${shard}`)),
);
const merged = await run([`--merge-reports=${reports}`, ...given]);
rmSync(reports, { recursive: true });
process.exit(merged || Math.max(...codes));
