import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

// `npm run budgets -- --users 100000`: what every outcome of every operation, every message and every job step asks of the
// bindings among 1,000 users and among so many. Writes docs/budgets.md, and fails where a cost grows beyond its bound.
// `--only NAME` measures what matches, and writes nothing.

interface Told {
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
if (!(Number(values.users) > 1_000)) throw new Error("--users takes a number above 1000");

const child = spawn(
  process.execPath,
  [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "tests/growth/growth.test.ts", "--silent=false"],
  {
    cwd: root,
    env: { ...process.env, BUDGET_USERS: values.users, BUDGET_ONLY: values.only },
    stdio: ["ignore", "pipe", "inherit"],
  },
);
let told: Told | undefined;
for await (const line of createInterface({ input: child.stdout })) {
  const at = line.indexOf(MARK);
  if (at >= 0) told = JSON.parse(line.slice(at)) as Told;
  else if (!line.includes('{"event":')) console.log(line);
}
const status = await new Promise<number>((resolve) => {
  if (child.exitCode !== null) resolve(child.exitCode);
  else child.on("exit", (code) => resolve(code ?? 1));
});
if (told) {
  console.log(told.table.join("\n"));
  if (!values.only && status === 0) {
    mkdirSync(join(root, "docs"), { recursive: true });
    writeFileSync(join(root, "docs", "budgets.md"), pageOf(told));
  }
}
process.exit(told ? status : 1);

function pageOf({ few, many, table, differing }: Told): string {
  const count = (n: number) => n.toLocaleString("en");
  const lines = [
    "# What each outcome costs",
    "",
    `\`npm run budgets -- --users ${many}\` writes this page. It measures every outcome of every operation of the OpenAPI document,`,
    `every queue message and every job among ${count(few)} users and among ${count(many)}, each with their history, and fails where a`,
    "cost differs beyond its bound. D1 and search count round trips; `1 + 1` is one before the answer and one after it. Rows read may",
    "differ by a few, since a look-up reads one row more where its key is not the last of an index. `a → b` is the cost among few and",
    "among many users. A job's row is its dearest step, with the work of every user due. No request provokes a 500.",
    "",
    ...table,
    "",
    "## Costs that differ, and why they end",
    "",
    ...[...Map.groupBy(differing, ({ reason }) => reason)].map(
      ([reason, all]) => `- ${reason} (${[...new Set(all.map(({ name }) => `\`${name}\``))].join(", ")})`,
    ),
    "",
  ];
  return lines.join("\n");
}
