import { count, parsed, readArguments } from "./arguments.ts";
import { stateFolder } from "./operations/local-database.ts";
import { localSecrets } from "./operations/prepare.ts";
import { showProgress } from "./progress/progress.ts";
import { ADMIN_EMAIL } from "./seed/people.ts";
import { seedUsers } from "./seed/seed-users.ts";

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

const persistTo = process.env.PERSIST_TO;
const startedAt = Date.now();
const seconds = () => Math.round((Date.now() - startedAt) / 1000);

try {
  await seedUsers({
    persistTo,
    state: stateFolder(persistTo),
    users,
    seed,
    until,
    secrets: localSecrets(),
    onProgress: showProgress("preparing the databases"),
  });
  console.log(`Added ${users.toLocaleString("en")} users in ${seconds()} s.
Staff console: after npm run dev, open http://localhost:8787/console and sign in as ${ADMIN_EMAIL}.
The code appears in http://localhost:8787/dev/outbox.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
