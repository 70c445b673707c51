import { count, flag, parsed, readArguments, text } from "./arguments.ts";
import { localBase } from "./operations/local-server.ts";
import { INSTANT, readInstant } from "./tasks/instant.ts";

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
    limit: count("N", "dead: letters of a page, at most 500; replay FILTER: letters to send, at most 10,000"),
    open: flag("dead: without replayed ones"),
    before: text("ID", "dead: the page after the dead letter with this id"),
    payload: text("JSON", "replay ID: send it with another payload"),
    "dry-run": flag("replay FILTER: only count the letters"),
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

const FILTER = ["type", "task", "since", "until", "user"] as const;
const isFiltered = FILTER.some((name) => options[name] !== undefined);

/** What each form of the command takes besides --remote. An option without effect might be meant to limit a change. */
const FORMS: Readonly<Record<string, readonly (keyof typeof options)[]>> = {
  dead: [...FILTER, "limit", "before", "open"],
  "replay ID": ["payload"],
  "replay FILTER": [...FILTER, "limit", "dry-run"],
  "run NAME": ["base"],
  budget: [],
};

/** Refuses options and operands that this form does not take. */
function requireForm(form: string): void {
  const taken = ["remote", ...(FORMS[form] ?? [])];
  const [surplus] = Object.entries(options).filter(
    ([name, value]) => value !== undefined && value !== false && !taken.includes(name),
  );
  if (surplus) refuse(`--${surplus[0]} does not apply to ${form}.`);
  if (argument !== undefined && !form.includes(" ")) refuse(`Unexpected argument: ${argument}`);
}

if (command === "dead") {
  requireForm("dead");
  const { filterOf, listDeadLetters } = await import("./tasks/dead-letters.ts");
  listDeadLetters(filterOf(options), { limit: options.limit, before: options.before, open: options.open }, options);
} else if (command === "replay") {
  if ((argument !== undefined) === isFiltered) refuse("Give either the id of a dead letter or a filter.");
  requireForm(argument === undefined ? "replay FILTER" : "replay ID");
  const { filterOf, replayMany, replayOne } = await import("./tasks/dead-letters.ts");
  if (argument !== undefined) replayOne(argument, options.payload, options);
  else replayMany(filterOf(options), { limit: options.limit, dryRun: options["dry-run"] }, options);
} else if (command === "run" && argument) {
  requireForm("run NAME");
  const { runJob } = await import("./tasks/run-job.ts");
  await runJob(argument, options);
} else if (command === "budget") {
  requireForm("budget");
  const { showBudget } = await import("./tasks/sms-budget.ts");
  showBudget(options);
} else refuse(command === "run" ? "Name the job." : "Name one of: dead, replay, run, budget.");
