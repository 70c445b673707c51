import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { count, readArguments, text } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";

interface Report {
  few: number;
  many: number;
  table: string[];
  differing: { name: string; reason: string }[];
}

const MARK = '{"event":"budgets"';
/** Matches the progress lines of the test. */
const PROGRESS = /\{"event":"progress".*\}/;
const root = join(import.meta.dirname, "..");
const { options } = readArguments({
  name: "budgets",
  about:
    "Measures what every outcome of every operation, every message and every job step costs with 1,000 users and with more of them. Writes docs/budgets.md and docs/budgets-staff.md, and fails if a cost grows beyond its bound.",
  options: {
    users: count("N", "the larger number of users", { min: 1_001, default: 100_000 }),
    only: text("NAME", "measures only what contains this, and writes nothing", { default: "" }),
  },
});

// The tests serve the built assets.
await import("./build-assets.ts");

const child = spawn(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "tests/growth/growth.test.ts",
    "--silent=false",
  ],
  {
    cwd: root,
    env: { ...process.env, BUDGET_USERS: String(options.users), BUDGET_ONLY: options.only },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
// Before the output is read, because a signal can end the process at any time.
const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));
const onProgress = showProgress("starting the tests");
let report: Report | undefined;
for await (const line of createInterface({ input: child.stdout })) {
  const at = line.indexOf(MARK);
  if (at >= 0) report = JSON.parse(line.slice(at)) as Report;
  const [progress] = PROGRESS.exec(line) ?? [];
  if (progress) {
    const { step, done } = JSON.parse(progress) as { step: string; done?: number };
    onProgress(step, done);
  } else if (at < 0 && !line.includes('{"event":')) console.log(line);
}
const status = await ended;
if (report) {
  console.log(report.table.join("\n"));
  if (!options.only && status === 0) {
    mkdirSync(join(root, "docs"), { recursive: true });
    writeFileSync(join(root, "docs", "budgets.md"), pageOf(report));
    writeFileSync(join(root, "docs", "budgets-staff.md"), staffPageOf(report));
  }
}
process.exit(report ? status : 1);

/** Whether the row of the table is about an operation of apps; others are about staff, messages and jobs. */
function isOfApps(row: string): boolean {
  const [, path] = /^\| (?:GET|POST|PUT|PATCH|DELETE) (\S+)/.exec(row) ?? [];
  return path !== undefined && !/^\/(?:console|api\/(?:staff|users$|users\/\{id\}|users\/kyc\/submissions))/.test(path);
}

/** The head of the table, and its rows that pass. */
function rowsOf([names = "", line = "", ...rows]: string[], passes: (row: string) => boolean): string[] {
  return [names, line, ...rows.filter(passes)];
}

function staffPageOf({ table }: Report): string {
  return [
    "# Cost of each outcome: staff, messages and jobs",
    "",
    "The second part of [budgets](budgets.md), which explains the columns.",
    "",
    ...rowsOf(table, (row) => !isOfApps(row)),
    "",
  ].join("\n");
}

function pageOf({ few, many, table, differing }: Report): string {
  const count = (n: number) => n.toLocaleString("en");
  const lines = [
    "# Cost of each outcome",
    "",
    `\`npm run budgets -- --users ${many}\` writes this page. It measures every outcome of every operation of the OpenAPI`,
    `document, every queue message and every job with ${count(few)} users and with ${count(many)}, each with a history, and fails if`,
    "a cost differs by more than its bound.",
    "",
    "- D1 and search count round trips; `1 + 1` is one before the answer and one after it.",
    "- Rows read may differ by a few, because a look-up reads one more row if its key is not the last of an index.",
    "- `a → b` is the cost with few and with many users.",
    "- The row of a job is its most expensive step, with work due for every user.",
    "- No request causes a 500, so none is listed.",
    "- [The second part](budgets-staff.md) lists the operations of staff, the messages and the jobs.",
    "",
    ...rowsOf(table, isOfApps),
    "",
    "## Costs that differ, and what bounds them",
    "",
    ...[...Map.groupBy(differing, ({ reason }) => reason)].map(
      ([reason, all]) => `- ${reason} (${[...new Set(all.map(({ name }) => `\`${name}\``))].join(", ")})`,
    ),
    "",
  ];
  return lines.join("\n");
}
