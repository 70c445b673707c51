import { readFileSync } from "node:fs";
import { count, positive, readArguments, text } from "./arguments.ts";
import { billTable, DEFAULT_CPU_MS, priceTable } from "./docs/costs.ts";
import { prices } from "./operations/prices.ts";
import { defaultProfile, profileSchema } from "./operations/profile.ts";

const { options, refuse } = readArguments({
  name: "costs",
  about: "Prints what a million calls of each route cost on Cloudflare, or with --users what a month costs.",
  options: {
    cpu: positive("MS", "CPU time of a call, in milliseconds", { default: DEFAULT_CPU_MS }),
    users: count("COUNT", "prints the dollars of a month with this number of users"),
    profile: text("FILE", "JSON file with what a user does in a month"),
  },
  notes: [`Without --profile, a month is ${JSON.stringify(defaultProfile)}.`],
});

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

const { cpu: cpuMs, users } = options;
if (users !== undefined) {
  console.log(`A month with ${users.toLocaleString("en")} users, in US dollars. ${prices.source}.\n`);
  console.log(billTable(users, readProfile(options.profile)).join("\n"));
} else {
  console.log(
    `US dollars for a million calls of ${cpuMs} ms CPU time each, beyond the usage that Workers Paid includes. ${prices.source}.\n`,
  );
  console.log(priceTable(cpuMs).join("\n"));
}
