import { count, flag, positive, readArguments } from "../../scripts/arguments.ts";

const { options } = readArguments({
  name: "load",
  about:
    "Runs a mixed load against the production bundle, with clients and server in separate processes, and then verifies from the databases that nothing was lost or duplicated.",
  options: {
    minutes: positive("MINUTES", "how long", { default: 5 }),
    rate: positive("RATE", "calls a second", { default: 40 }),
    clients: count("N", "number of clients (default: 4 times the rate)"),
    users: count("N", "number of users that are seeded first", { max: 5_000_000 }),
    seed: count("N", "seed of the random generator (default: by the clock)", { min: 0 }),
    keep: flag("keep the databases"),
  },
});

const { runLoad } = await import("./load/run.ts");
process.exit((await runLoad(options)) ? 0 : 1);
