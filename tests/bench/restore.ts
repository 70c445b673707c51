import { count, parsed, readArguments, text } from "../../scripts/arguments.ts";

const readSizes = (given: string) => (/^\d+(,\d+)*$/.test(given) ? given.split(",").map(Number) : undefined);

const { options } = readArguments({
  name: "bench:restore",
  about:
    "Rehearses the loss of the database: backs up a local database, restores the backup into an empty one, compares them, and prints how long each takes as a Markdown table.",
  options: {
    users: parsed("N,N", "numbers of users (default: 100000)", "numbers with commas", readSizes),
    state: text("DIR", "folder of local databases to use instead of generated ones"),
    runs: count("N", "how often each is rehearsed", { default: 1 }),
  },
});

const { rehearseRestores } = await import("./restore/run.ts");
await rehearseRestores(options);
