import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { backgroundCosts } from "./operations/background-costs.ts";
import { type MeasuredCall, priceOf, prices } from "./operations/prices.ts";

// `npm run costs`: what a million calls of each route cost at Cloudflare, from the README's measured table.

const { values } = parseArgs({ options: { cpu: { type: "string", default: "5" } } });
const cpuMs = Number(values.cpu);
if (!(cpuMs > 0)) {
  console.error("--cpu takes the CPU milliseconds of a call.");
  process.exit(2);
}

const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
const measured = (readme.split("\n## Cost of a call\n")[1] ?? "")
  .split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| Route"))
  .map((line) => line.split("|").map((cell) => cell.trim()));

const dollars = (amount: number) => amount.toFixed(2);
console.log(`Dollars for a million calls, at ${cpuMs} ms of CPU each, beyond what Workers Paid includes. ${prices.source}.

| Route | Requests and CPU | D1 | KV | Queues | Sum |
|---|---|---|---|---|---|`);
for (const [, route = "", , , rowsRead = "", rowsWritten = ""] of measured ?? []) {
  const background = backgroundCosts[route];
  if (!background) continue;
  const call: MeasuredCall = { cpuMs, rowsRead: Number(rowsRead), rowsWritten: Number(rowsWritten), background };
  const { worker, d1, kv, queues } = priceOf(call);
  const sum = worker + d1 + kv + queues;
  console.log(`| ${route} | ${[worker, d1, kv, queues, sum].map(dollars).join(" | ")} |`);
}
