import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

// `npm run budgets -- --users 100000`: measures what every outcome of every operation, every message and every job
// step costs with 1,000 users and with the given number. Writes docs/budgets.md, and fails if a cost grows beyond its
// bound. `--only NAME` measures what matches, and writes nothing.

interface Report {
  few: number;
  many: number;
  table: string[];
  differing: { name: string; reason: string }[];
}

const MARK = '{"event":"budgets"';
const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: { users: { type: "string", default: "100000" }, only: { type: "string", default: "" } },
});
if (!(Number(values.users) > 1_000)) throw new Error("--users must be a number above 1000.");

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
    env: { ...process.env, BUDGET_USERS: values.users, BUDGET_ONLY: values.only },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
let report: Report | undefined;
for await (const line of createInterface({ input: child.stdout })) {
  const at = line.indexOf(MARK);
  if (at >= 0) report = JSON.parse(line.slice(at)) as Report;
  else if (!line.includes('{"event":')) console.log(line);
}
const status = await new Promise<number>((resolve) => {
  if (child.exitCode !== null) resolve(child.exitCode);
  else child.on("exit", (code) => resolve(code ?? 1));
});
if (report) {
  console.log(report.table.join("\n"));
  if (!values.only && status === 0) {
    mkdirSync(join(root, "docs"), { recursive: true });
    writeFileSync(join(root, "docs", "budgets.md"), pageOf(report));
  }
}
process.exit(report ? status : 1);

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
    "",
    ...table,
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
