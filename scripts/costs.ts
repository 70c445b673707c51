import { parseArgs } from "node:util";
import { DEFAULT_CPU_MS, priceTable } from "./docs/costs.ts";
import { prices } from "./operations/prices.ts";

// `npm run costs [-- --cpu MS]`: what a million calls of each route cost at Cloudflare, from the measured costs of a call.

const { values } = parseArgs({ options: { cpu: { type: "string", default: String(DEFAULT_CPU_MS) } } });
const cpuMs = Number(values.cpu);
if (!(cpuMs > 0)) {
  console.error("--cpu takes the CPU milliseconds of a call.");
  process.exit(2);
}
console.log(
  `Dollars for a million calls, at ${cpuMs} ms of CPU each, beyond what Workers Paid includes. ${prices.source}.\n`,
);
console.log(priceTable(cpuMs).join("\n"));
