import { count, flag, parsed, readArguments, text } from "../../scripts/arguments.ts";

const readSizes = (given: string) => (/^\d+(,\d+)*$/.test(given) ? given.split(",").map(Number) : undefined);

const { options } = readArguments({
  name: "bench:staff",
  about:
    "Measures the rows and CPU time of staff routes with different numbers of users, as a Markdown table; exits with 1 and the reason if they exceed their limits.",
  options: {
    users: parsed("N,N", "numbers of users (default: 1000,100000,1000000)", "numbers with commas", readSizes),
    turns: count("N", "turns", { default: 5 }),
    requests: count("N", "requests of a turn", { default: 40 }),
    only: text("NAME", "only cases whose name contains this, and the list page", { default: "" }),
    rows: flag("only count rows"),
  },
});

const { benchStaff } = await import("./staff/run.ts");
await benchStaff(options);
