import { count, parsed, readArguments } from "./arguments.ts";

const isoDay = (text: string) =>
  /^\d{4}-\d\d-\d\d$/.test(text) && Date.parse(text) > 0 ? Date.parse(text) : undefined;

const { options, refuse } = readArguments({
  name: "seed",
  about: "Adds synthetic users to the local databases of npm run dev, which must not be running.",
  options: {
    users: count("COUNT", "number of users to add, at most 5,000,000", { max: 5_000_000 }),
    seed: count("NUMBER", "seed of the random generator; another seed gives other users", { min: 0, default: 1 }),
    until: parsed("DAY", "all users joined before this day, UTC (default: today)", "a day such as 2026-11-01", isoDay),
  },
});
const { users = refuse("--users is required."), seed } = options;
const until = options.until ?? Date.parse(new Date().toISOString().slice(0, 10));

const { seedLocal } = await import("./seed/seed-local.ts");
await seedLocal({ users, seed, until });
