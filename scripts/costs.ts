import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { billTable, DEFAULT_CPU_MS, priceTable } from "./docs/costs.ts";
import { prices } from "./operations/prices.ts";
import { defaultProfile, profileSchema } from "./operations/profile.ts";

// `npm run costs`: prints what a million calls of each route cost on Cloudflare, or with --users what a month costs.

const USAGE = `npm run costs -- [--cpu MS]                           dollars for a million calls of each route
npm run costs -- --users COUNT [--profile FILE]       dollars of a month

--cpu       CPU time of a call in milliseconds (default: ${DEFAULT_CPU_MS})
--profile   JSON file with what a user does in a month (default: ${JSON.stringify(defaultProfile)})`;

const options = {
  cpu: { type: "string", default: String(DEFAULT_CPU_MS) },
  users: { type: "string" },
  profile: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

function refuse(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function parseOrRefuse() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function readProfile(file: string | undefined) {
  if (file === undefined) return defaultProfile;
  try {
    const parsed = profileSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return parsed.data;
    return refuse(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"));
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

const values = parseOrRefuse();
const [cpuMs, users] = [Number(values.cpu), Number(values.users)];
if (values.help) console.log(USAGE);
else if (values.users !== undefined) {
  if (!Number.isInteger(users) || users < 1) refuse("--users must be a whole number of at least 1.");
  console.log(`A month with ${users.toLocaleString("en")} users, in US dollars. ${prices.source}.\n`);
  console.log(billTable(users, readProfile(values.profile)).join("\n"));
} else {
  if (!(cpuMs > 0)) refuse("--cpu must be the CPU time of a call, in milliseconds.");
  console.log(
    `US dollars for a million calls of ${cpuMs} ms CPU time each, beyond the usage that Workers Paid includes. ${prices.source}.\n`,
  );
  console.log(priceTable(cpuMs).join("\n"));
}
