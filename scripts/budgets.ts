import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { count, readArguments, text } from "./arguments.ts";

interface Report {
  few: number;
  many: number;
  table: string[];
  differing: { name: string; reason: string }[];
}

const MARK = '{"event":"budgets"';
const root = join(import.meta.dirname, "..");
const { options } = readArguments({
  name: "budgets",
  about:
    "Measures what every outcome of every operation, every message and every job step costs with 1,000 users and with more of them. Writes docs/budgets.md, and fails if a cost grows beyond its bound.",
  options: {
    users: count("N", "the larger number of users", { min: 1_001, default: 100_000 }),
    only: text("NAME", "measures only what contains this, and writes nothing", { default: "" }),
  },
});

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
  if (!options.only && status === 0) {
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
