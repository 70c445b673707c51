import { openCalls } from "../src/delivery/send-budget.ts";
import { dayEndsAt, dayOf } from "../src/nepal.ts";
import { jobs } from "../src/tasks/engine/job-registry.ts";
import { count, flag, parsed, readArguments, text } from "./arguments.ts";
import { fail, query as queryIn } from "./d1.ts";
import { filterOf, INSTANT, listDeadLetters, readInstant, replayMany, replayOne } from "./dead-letters.ts";
import { quote } from "./inline.ts";
import { localBase } from "./operations/local-server.ts";

const given = readArguments({
  name: "tasks",
  about: "Lists and replays dead letters, runs jobs and shows the SMS budget.",
  operands: "dead | replay [ID] | run NAME | budget",
  most: 2,
  options: {
    type: text("TYPE", "dead, replay: events of this type, for example user.updated"),
    task: text("NAME", "dead, replay: events that this task handles, for example deliver_webhook"),
    since: parsed("WHEN", "dead, replay: dead-lettered at or after this", INSTANT, readInstant),
    until: parsed("WHEN", "dead, replay: dead-lettered before this", INSTANT, readInstant),
    user: text("ID", "dead, replay: events about this user"),
    limit: count("N", "dead: letters of a page, at most 500; replay: letters to send, at most 10,000"),
    open: flag("dead: without replayed ones"),
    before: text("ID", "dead: the page after the dead letter with this id"),
    payload: text("JSON", "replay ID: send it with another payload"),
    "dry-run": flag("replay: only count the letters"),
    base: parsed("URL", `run: the local server (default: ${localBase()})`, "a URL", (url) =>
      URL.canParse(url) ? url : undefined,
    ),
    remote: flag("use the production database"),
  },
  notes: [
    "dead [FILTER]    list dead letters, newest first, 50 per page",
    "replay ID        send one dead letter again",
    "replay FILTER    send all that match again, oldest first, at most 1,000; each is replayed only once",
    "run NAME         run a job on a local server and print the outcome; with --remote, wait for production's cron",
    "budget           show how much of today's SMS budget is used, and who requested most codes",
    "",
    "FILTER is any of --type, --task, --since, --until and --user. WHEN is a date (UTC) or an instant: 2026-11-01,",
    "2026-11-01T12:00:00Z.",
  ],
});
const { options, refuse } = given;
const [command, argument] = given.operands;
const query = (sql: string) => queryIn(sql, options);

/** Replays one dead letter by its id, or all that match a filter; refuses if neither is given. */
function replay(id: string | undefined): void {
  const filter = filterOf(options);
  const isFiltered = Object.keys(filter).length > 0;
  if ((id === undefined) !== isFiltered) refuse("Give either the id of a dead letter or a filter.");
  if (id === undefined) {
    if (options.payload !== undefined) fail("--payload applies to one dead letter: give its id.");
    replayMany(filter, { limit: options.limit, dryRun: options["dry-run"] }, options);
  } else replayOne(id, options.payload, options);
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
  if (options.remote) console.log(`${name} is due. Production's cron starts it within a minute.`);
  const maxWait = options.remote ? MAX_WAIT_MS.remote : MAX_WAIT_MS.local;
  while (Date.now() - now < maxWait) {
    if (!options.remote) await tick();
    await new Promise((resolve) => setTimeout(resolve, options.remote ? 5 * POLL_MS : POLL_MS));
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
  const base = options.base ?? localBase();
  await fetch(`${base}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`).catch(() =>
    fail(`No server responds at ${base}. Start it with: npm run dev`),
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

if (command === "dead")
  listDeadLetters(filterOf(options), { limit: options.limit, before: options.before, open: options.open }, options);
else if (command === "budget") showBudget();
else if (command === "replay") replay(argument);
else if (command === "run" && argument) await run(argument);
else refuse(command === "run" ? "Name the job." : "Name one of: dead, replay, run, budget.");
