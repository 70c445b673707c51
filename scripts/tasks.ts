import { parseArgs } from "node:util";
import { openCalls } from "../src/delivery/send-budget.ts";
import { dayEndsAt, dayOf } from "../src/platform/kathmandu.ts";
import { jobs } from "../src/tasks/job-registry.ts";
import { fail, query as queryIn } from "./d1.ts";
import { quote } from "./inline.ts";
import { replayStatements } from "./replay.ts";

// `npm run tasks -- dead | replay ID [--payload JSON] | run NAME | budget`, on the local database, or with --remote on production's.

const USAGE = `npm run tasks -- dead                          dead letters, newest first
npm run tasks -- replay ID [--payload JSON]    sends a dead letter again, mended where a payload is given
npm run tasks -- run NAME [--base URL]         runs a job on a local server, and prints its outcome; with --remote by
                                               production's next minute tick, and waits for it
npm run tasks -- budget                        what text messages took of today's budget, and who asked for most

--remote: on the production database`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    remote: { type: "boolean", default: false },
    payload: { type: "string" },
    base: { type: "string", default: "http://localhost:8787" },
  },
});
const [command, argument] = positionals;
const query = (sql: string) => queryIn(sql, values);

function listDeadLetters(): void {
  const letters =
    query(`select id, queue, type, reason, trace, attempts, payload, datetime(created_at / 1000, 'unixepoch') as at,
    replayed_at is not null as replayed from dead_letters order by created_at desc limit 50`);
  if (letters.length === 0) console.log("No dead letters.");
  for (const { id, at, queue, type, reason, trace, attempts, payload, replayed } of letters) {
    console.log(`${id}  ${at} UTC  ${queue}  ${type ?? "?"}  ${attempts} tries${replayed ? "  (replayed)" : ""}`);
    console.log(`  ${reason}\n  ${payload ?? "(payload not kept)"}`);
    if (trace) console.log(`  ${String(trace).replaceAll("\n", "\n  ")}`);
  }
}

/** Puts the letter back into the outbox, once; the next cron tick relays it. */
function replay(id: string): void {
  const payload = values.payload === undefined ? "payload" : quote(values.payload);
  if (values.payload !== undefined) {
    try {
      JSON.parse(values.payload);
    } catch {
      fail("--payload must be JSON.");
    }
  }
  const [replayed] = query(replayStatements(quote(id), payload));
  if (!replayed)
    fail("No such dead letter, or it was replayed, or it has no type or payload (give one: --payload JSON).");
  console.log(`${replayed.type} goes out again with the next minute's tick.`);
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
      `select chunks, processed, finished_at from job_runs where name = ${quote(name)} and period_started_at = ${now}`,
    );
    if (row?.finished_at) {
      console.log(`${name}: finished, ${row.processed} rows in ${row.chunks} chunks`);
      return;
    }
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

if (command === "dead") listDeadLetters();
else if (command === "budget") showBudget();
else if (command === "replay" && argument) replay(argument);
else if (command === "run" && argument) await run(argument);
else {
  console.error(USAGE);
  process.exit(2);
}
