import { parseArgs } from "node:util";
import { openCalls } from "../src/delivery/send-budget.ts";
import { dayEndsAt, dayOf } from "../src/platform/kathmandu.ts";
import { jobs } from "../src/tasks/engine/job-registry.ts";
import { fail, query as queryIn } from "./d1.ts";
import { filterOf, listDeadLetters, replayMany, replayOne } from "./dead-letters.ts";
import { quote } from "./inline.ts";

// `npm run tasks -- …`, on the local database, or with --remote on production's; `--help` prints the usage.

const USAGE = `npm run tasks -- dead [FILTER] [--open] [--limit N] [--before ID]
    lists dead letters, newest first, 50 a page (--limit: up to 500); --open leaves out those that were replayed,
    --before goes on behind the letter of that id
npm run tasks -- replay ID [--payload JSON]
    sends one dead letter again, mended where a payload is given
npm run tasks -- replay FILTER [--limit N] [--dry-run]
    sends all that the filter means again, the oldest first, each once, at most 1,000 (--limit: up to 10,000);
    --dry-run only counts them. It may be repeated: what was replayed is not replayed again
npm run tasks -- run NAME [--base URL]
    runs a job on a local server, and prints its outcome; with --remote by production's next minute tick, and waits for it
npm run tasks -- budget
    what text messages took of today's budget, and who asked for most

FILTER, any of:
    --type TYPE     events of this type, such as user.updated
    --task NAME     events that this task handles, such as deliver_webhook
    --since WHEN    given up at this date (UTC) or instant, or later: 2026-11-01, 2026-11-01T12:00:00Z
    --until WHEN    given up before it
    --user ID       about this user

--remote: on the production database`;

const options = {
  remote: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
  payload: { type: "string" },
  base: { type: "string", default: "http://localhost:8787" },
  type: { type: "string" },
  task: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  user: { type: "string" },
  limit: { type: "string" },
  before: { type: "string" },
  open: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
} as const;

const { values, positionals } = parseOrFail();
const [command, argument] = positionals;
const query = (sql: string) => queryIn(sql, values);

function parseOrFail() {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

/** One letter by its id, or all of a filter; never everything by a command without either. */
function replay(id: string | undefined): void {
  const filter = filterOf(values);
  const isFiltered = Object.keys(filter).length > 0;
  if ((id === undefined) !== isFiltered) fail(`Give the id of a dead letter, or a filter.\n\n${USAGE}`);
  if (id === undefined) {
    if (values.payload !== undefined) fail("--payload mends one dead letter: give its id.");
    replayMany(filter, { limit: values.limit, dryRun: values["dry-run"] }, values);
  } else replayOne(id, values.payload, values);
}

const POLL_MS = 2_000;
/** Twice the minute that passes before production's tick, and what a long job takes: polling is all that it costs. */
const PATIENCE_MS = { local: 2 * 60_000, remote: 30 * 60_000 };

/** Makes the job due once more, fires the cron where it does not fire by itself, and waits for the run. */
async function run(name: string): Promise<void> {
  // Without a job of that name the row would stay unfinished for ever.
  if (!jobs.some((job) => job.name === name))
    fail(`There is no job ${name}. Jobs: ${jobs.map((job) => job.name).join(", ")}`);
  const now = Date.now();
  query(
    `insert into job_runs (name, period_started_at, chunks, processed, leased_until) values (${quote(name)}, ${now}, 0, 0, 0)`,
  );
  if (values.remote) console.log(`${name} is due; production's cron takes it up within a minute.`);
  const patience = values.remote ? PATIENCE_MS.remote : PATIENCE_MS.local;
  while (Date.now() - now < patience) {
    if (!values.remote) await tick();
    await new Promise((resolve) => setTimeout(resolve, values.remote ? 5 * POLL_MS : POLL_MS));
    const [row] = query(
      `select chunks, processed, finished_at, leased_by from job_runs where name = ${quote(name)} and period_started_at = ${now}`,
    );
    if (!row?.finished_at) continue;
    if (row.leased_by === "failed") fail(`${name} has failed for a day: npm run tasks -- dead --type job.due`);
    const outcome = row.leased_by === "superseded" ? "superseded by a newer run, which goes on; so far" : "finished,";
    console.log(`${name}: ${outcome} ${row.processed} rows in ${row.chunks} chunks`);
    return;
  }
  fail(`${name} has not finished after ${patience / 60_000} minutes, and goes on by itself: see the log.`);
}

async function tick(): Promise<void> {
  await fetch(`${values.base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() =>
    fail(`Nothing answers at ${values.base}. Start it with: npm run dev`),
  );
}

const DAY_MS = 24 * 60 * 60_000;
const RANKS = 5;

/** Today's SMS calls, and the ranges of numbers and networks that asked for most codes; never a whole number. */
function showBudget(): void {
  const now = Date.now();
  const [day] = query(`select * from sms_budget_days where day = ${quote(dayOf(now))}`) as Record<string, number>[];
  if (!day) {
    console.log(`${dayOf(now)} (Kathmandu): no text message so far.`);
    return;
  }
  const { budget = 0, taken = 0, refused_by_reserve, refused_by_spent } = day;
  const reserve = budget - openCalls(budget);
  console.log(`${dayOf(now)} (Kathmandu): ${taken} of ${budget} SMS calls taken
  open to every number        ${Math.max(0, openCalls(budget) - taken)} of ${openCalls(budget)} left
  reserve, for accounts only  ${Math.max(0, Math.min(reserve, budget - taken))} of ${reserve} left
  messages dropped            ${refused_by_reserve} for the reserve, ${refused_by_spent} since it is spent`);
  const range = "substr(identifier, 1, length(identifier) - 4) || 'xxxx'";
  for (const [title, column] of Object.entries({ ranges: range, networks: "network" })) {
    console.log(`Most codes, by ${title}`);
    const ranks = query(`select ${column} as name, count(*) as codes from otp_challenges
      where created_at >= ${dayEndsAt(now) - DAY_MS} and identifier like '+%' group by 1 order by 2 desc, 1 limit ${RANKS}`);
    for (const { name, codes } of ranks) console.log(`  ${String(name).padEnd(26)}  ${codes}`);
  }
}

if (values.help) console.log(USAGE);
else if (command === "dead")
  listDeadLetters(filterOf(values), { limit: values.limit, before: values.before, open: values.open }, values);
else if (command === "budget") showBudget();
else if (command === "replay") replay(argument);
else if (command === "run" && argument) await run(argument);
else {
  console.error(USAGE);
  process.exit(2);
}
