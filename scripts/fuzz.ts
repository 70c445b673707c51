import { join } from "node:path";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

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
const vitest = await startVitest("test", [`tests/${what}/`], {
  root: join(import.meta.dirname, ".."),
  watch: false,
  silent: false,
  testTimeout: 24 * 60 * 60 * 1000,
  // The Worker's log lines, one per request, would hide everything else.
  onConsoleLog: (log) => !log.startsWith("{"),
  ...(values.only ? { testNamePattern: values.only } : {}),
});
await vitest.close();
