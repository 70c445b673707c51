import { count, type Option, readArguments, text } from "./arguments.ts";

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

// The tests serve the built assets.
await import("./build-assets.ts");

const { runRandomTests } = await import("./fuzz/run-random-tests.ts");
if (!(await runRandomTests(what, options))) process.exitCode = 1;
