import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { readArguments } from "./arguments.ts";
import { showProgress } from "./progress/progress.ts";

interface CheckedPlan {
  statement: string;
  plan: string[];
  faults: { line: string; fault: string }[];
  exceptions: number[];
}

const MARK = '{"event":"plans"';
const root = join(import.meta.dirname, "..");
const { operands: given } = readArguments({
  name: "plans",
  about:
    "Runs the tests, writes every distinct statement of the Worker with its query plan to dist/plans.txt, and fails if a plan breaks a rule or an exception is unused.",
  operands: "[FILE…]",
});

// The tests serve the built assets.
await import("./build-assets.ts");

const child = spawn(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--silent=false",
    ...given,
  ],
  { cwd: root, stdio: ["ignore", "pipe", "ignore"] },
);
const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));
const onProgress = showProgress("starting the tests");
const found = new Map<string, CheckedPlan>();
let exceptions = 0;
for await (const line of createInterface({ input: child.stdout })) {
  const at = line.indexOf(MARK);
  if (at < 0) continue;
  const report = JSON.parse(line.slice(at)) as { plans: CheckedPlan[]; exceptions: number };
  exceptions = report.exceptions;
  for (const plan of report.plans) found.set(plan.statement, plan);
  onProgress("distinct statements", found.size);
}

const plans = [...found.values()].sort((a, b) => (a.statement < b.statement ? -1 : 1));
const file = join(root, "dist", "plans.txt");
if (plans.length > 0)
  writeFileSync(file, plans.map(({ statement, plan }) => `${statement}\n  ${plan.join("\n  ")}\n`).join("\n"));
const faulty = plans.filter(({ faults }) => faults.length > 0);
for (const { statement, faults } of faulty) {
  console.log(`\n${statement}\n${faults.map(({ line, fault }) => `  ${line}: ${fault}`).join("\n")}`);
}
const used = new Set(plans.flatMap((plan) => plan.exceptions));
const unused = given.length > 0 ? [] : Array.from({ length: exceptions }, (_, i) => i).filter((i) => !used.has(i));
for (const i of unused)
  console.log(`Exception ${i + 1} in tests/support/plans/plan-exceptions.ts is unused. Remove it.`);
console.log(`${plans.length} statements, ${faulty.length} with faults. The plans are in ${file}.`);
const status = await ended;
if (status !== 0) {
  console.error(
    `The tests failed (exit status ${status}), so statements may be missing. Run npm run test:unit to see why.`,
  );
}
process.exit(status !== 0 || plans.length === 0 || faulty.length > 0 || unused.length > 0 ? 1 : 0);
