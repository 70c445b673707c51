import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// `npm run plans [-- FILES]`: runs the tests, lists every distinct statement that the Worker sent with its query plan in
// dist/plans.txt, and fails on a plan that breaks a rule, or on an exception that nothing needs any more.

interface CheckedPlan {
  statement: string;
  plan: string[];
  faults: { line: string; fault: string }[];
  exceptions: number[];
}

const MARK = '{"event":"plans"';
const root = join(import.meta.dirname, "..");
const given = process.argv.slice(2);

const child = spawn(
  process.execPath,
  [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--silent=false", ...given],
  { cwd: root, stdio: ["ignore", "pipe", "ignore"] },
);
const found = new Map<string, CheckedPlan>();
let exceptions = 0;
for await (const line of createInterface({ input: child.stdout })) {
  const at = line.indexOf(MARK);
  if (at < 0) continue;
  const told = JSON.parse(line.slice(at)) as { plans: CheckedPlan[]; exceptions: number };
  exceptions = told.exceptions;
  for (const plan of told.plans) found.set(plan.statement, plan);
}

const plans = [...found.values()].sort((a, b) => (a.statement < b.statement ? -1 : 1));
const file = join(root, "dist", "plans.txt");
writeFileSync(file, plans.map(({ statement, plan }) => `${statement}\n  ${plan.join("\n  ")}\n`).join("\n"));
const faulty = plans.filter(({ faults }) => faults.length > 0);
for (const { statement, faults } of faulty) {
  console.log(`\n${statement}\n${faults.map(({ line, fault }) => `  ${line}: ${fault}`).join("\n")}`);
}
const made = new Set(plans.flatMap((plan) => plan.exceptions));
const idle = given.length > 0 ? [] : Array.from({ length: exceptions }, (_, i) => i).filter((i) => !made.has(i));
for (const i of idle)
  console.log(`Exception ${i + 1} of tests/support/plans/plan-exceptions.ts is not needed any more.`);
console.log(`${plans.length} statements, ${faulty.length} with a fault; their plans are in ${file}.`);
process.exit(plans.length === 0 || faulty.length > 0 || idle.length > 0 ? 1 : 0);
