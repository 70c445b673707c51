import { parseArgs } from "node:util";
import { defaultState } from "./operations/local-database.ts";
import { localSecrets } from "./operations/prepare.ts";
import { ADMIN_EMAIL } from "./seed/people.ts";
import { seedUsers } from "./seed/seed-users.ts";

// `npm run seed -- --users 1000000`: adds synthetic users to the databases of `npm run dev`, which must not be running.

const USAGE = `npm run seed -- --users COUNT [--seed NUMBER] [--until YYYY-MM-DD]

--users   number of users to add, at most 5,000,000
--seed    seed of the random generator; another seed gives other users (default: 1)
--until   all users joined before this day, UTC (default: today)`;

const { values } = parseArgs({
  options: {
    users: { type: "string" },
    seed: { type: "string", default: "1" },
    until: { type: "string", default: new Date().toISOString().slice(0, 10) },
  },
});
const users = Number(values.users);
const seed = Number(values.seed);
const until = /^\d{4}-\d\d-\d\d$/.test(values.until) ? Date.parse(values.until) : Number.NaN;
if (!(Number.isInteger(users) && users >= 1 && users <= 5_000_000 && Number.isInteger(seed) && until > 0)) {
  console.error(USAGE);
  process.exit(2);
}

const persistTo = process.env.PERSIST_TO;
const startedAt = Date.now();
const seconds = () => Math.round((Date.now() - startedAt) / 1000);
let shownAt = 0;

try {
  await seedUsers({
    persistTo,
    state: persistTo ?? defaultState,
    users,
    seed,
    until,
    secrets: localSecrets(),
    onProgress(step, done) {
      if (done < users && Date.now() - shownAt < 5000) return;
      shownAt = Date.now();
      console.log(`${String(seconds()).padStart(4)} s  ${done.toLocaleString("en")} ${step}`);
    },
  });
  console.log(`Added ${users.toLocaleString("en")} users in ${seconds()} s.
Staff console: after npm run dev, open http://localhost:8787/console and sign in as ${ADMIN_EMAIL}.
The code appears in http://localhost:8787/dev/outbox.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
