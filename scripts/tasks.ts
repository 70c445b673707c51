import { parseArgs } from "node:util";
import { openCalls } from "../src/delivery/send-budget.ts";
import { dayEndsAt, dayOf } from "../src/nepal.ts";
import { jobs } from "../src/tasks/engine/job-registry.ts";
import { fail, query as queryIn } from "./d1.ts";
import { filterOf, listDeadLetters, replayMany, replayOne } from "./dead-letters.ts";
import { quote } from "./inline.ts";

// `npm run tasks -- …`: on the local database, or on production with --remote. `--help` prints the usage.

const USAGE = `npm run tasks -- dead [FILTER] [--open] [--limit N] [--before ID]
    List dead letters, newest first, 50 per page (--limit: up to 500). --open omits replayed ones. --before shows the page
    after the dead letter with that id.
npm run tasks -- replay ID [--payload JSON]
    Send one dead letter again, with another payload if one is given.
npm run tasks -- replay FILTER [--limit N] [--dry-run]
    Send all matching dead letters again, oldest first, at most 1,000 (--limit: up to 10,000). --dry-run only counts them.
    The command is safe to repeat: a dead letter is replayed only once.
npm run tasks -- run NAME [--base URL]
    Run a job on a local server and print the outcome. With --remote, wait until production's cron has run it.
npm run tasks -- budget
    Show how much of today's SMS budget is used, and which number ranges and networks requested most codes.

FILTER is any of:
    --type TYPE     events of this type, for example user.updated
    --task NAME     events that this task handles, for example deliver_webhook
    --since WHEN    dead-lettered at or after this date (UTC) or instant: 2026-11-01, 2026-11-01T12:00:00Z
    --until WHEN    dead-lettered before this date or instant
    --user ID       events about this user

--remote    use the production database`;

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

/** Replays one dead letter by its id, or all that match a filter; refuses if neither is given. */
function replay(id: string | undefined): void {
  const filter = filterOf(values);
  const isFiltered = Object.keys(filter).length > 0;
  if ((id === undefined) !== isFiltered) fail(`Give either the id of a dead letter or a filter.\n\n${USAGE}`);
  if (id === undefined) {
    if (values.payload !== undefined) fail("--payload applies to one dead letter: give its id.");
    replayMany(filter, { limit: values.limit, dryRun: values["dry-run"] }, values);
  } else replayOne(id, values.payload, values);
}

const POLL_MS = 2_000;
/** How long to wait for a job. Longer than the minute until the next cron tick plus a long job; polling is cheap. */
const MAX_WAIT_MS = { local: 2 * 60_000, remote: 30 * 60_000 };

/** Makes the job due, triggers the local cron, and waits until the run has finished. */
async function run(name: string): Promise<void> {
  // With an unknown name the row would never be finished.
  if (!jobs.some((job) => job.name === name))
    fail(`Unknown job: ${name}. Jobs: ${jobs.map((job) => job.name).join(", ")}`);
  const now = Date.now();
  query(
    `insert into job_runs (name, period_started_at, chunks, processed, leased_until) values (${quote(name)}, ${now}, 0, 0, 0)`,
  );
  if (values.remote) console.log(`${name} is due. Production's cron starts it within a minute.`);
  const maxWait = values.remote ? MAX_WAIT_MS.remote : MAX_WAIT_MS.local;
  while (Date.now() - now < maxWait) {
    if (!values.remote) await tick();
    await new Promise((resolve) => setTimeout(resolve, values.remote ? 5 * POLL_MS : POLL_MS));
    const [row] = query(
      `select chunks, processed, finished_at, leased_by from job_runs where name = ${quote(name)} and period_started_at = ${now}`,
    );
    if (!row?.finished_at) continue;
    if (row.leased_by === "failed")
      fail(`${name} has been failing for a day. See: npm run tasks -- dead --type job.due`);
    const outcome = row.leased_by === "superseded" ? "superseded by a newer run, which continues; so far" : "finished,";
    console.log(`${name}: ${outcome} ${row.processed} rows in ${row.chunks} chunks`);
    return;
  }
  fail(`${name} has not finished after ${maxWait / 60_000} minutes. It continues in the background: see the log.`);
}

async function tick(): Promise<void> {
  await fetch(`${values.base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() =>
    fail(`No server responds at ${values.base}. Start it with: npm run dev`),
  );
}

const DAY_MS = 24 * 60 * 60_000;
const RANKS = 5;

/** Prints today's SMS usage and the number ranges and networks that requested most codes; never a full phone number. */
function showBudget(): void {
  const now = Date.now();
  const [day] = query(`select * from sms_budget_days where day = ${quote(dayOf(now))}`) as Record<string, number>[];
  if (!day) {
    console.log(`${dayOf(now)} (Kathmandu): no SMS sent so far.`);
    return;
  }
  const { budget = 0, taken = 0, refused_by_reserve, refused_by_spent } = day;
  const reserve = budget - openCalls(budget);
  console.log(`${dayOf(now)} (Kathmandu): ${taken} of ${budget} SMS calls used
  for any number              ${Math.max(0, openCalls(budget) - taken)} of ${openCalls(budget)} left
  reserved for accounts       ${Math.max(0, Math.min(reserve, budget - taken))} of ${reserve} left
  messages dropped            ${refused_by_reserve} to keep the reserve, ${refused_by_spent} because the budget was used up`);
  const range = "substr(identifier, 1, length(identifier) - 4) || 'xxxx'";
  for (const [title, column] of Object.entries({ "number range": range, network: "network" })) {
    console.log(`Most codes requested, by ${title}`);
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
