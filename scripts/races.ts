import { count, readArguments, text } from "./arguments.ts";
import { runShards } from "./vitest-shards.ts";

const { options } = readArguments({
  name: "races",
  about: "Runs every race in every mode, once per seed, with 100 clients.",
  options: {
    seeds: count("N", "number of seeds", { default: 10 }),
    only: text("NAME", "only races whose name contains this, such as R20", { default: "" }),
  },
});
// The tests serve the built assets.
await import("./build-assets.ts");
const code = await runShards({
  choosing: ["tests/races", "--testTimeout=3600000", ...(options.only ? ["-t", options.only] : [])],
  env: { RACE_SEEDS: String(options.seeds), RACE_CLIENTS: "100" },
});
process.exit(code);
