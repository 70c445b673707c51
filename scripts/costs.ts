import { parseArgs } from "node:util";
import { DEFAULT_CPU_MS, priceTable } from "./docs/costs.ts";
import { prices } from "./operations/prices.ts";

// `npm run costs [-- --cpu MS]`: prints what a million calls of each route cost on Cloudflare, from the measured costs.

const { values } = parseArgs({ options: { cpu: { type: "string", default: String(DEFAULT_CPU_MS) } } });
const cpuMs = Number(values.cpu);
if (!(cpuMs > 0)) {
  console.error("--cpu must be the CPU time of a call, in milliseconds.");
  process.exit(2);
}
console.log(
  `US dollars for a million calls of ${cpuMs} ms CPU time each, beyond the usage that Workers Paid includes. ${prices.source}.\n`,
);
console.log(priceTable(cpuMs).join("\n"));
