import { count, positive, readArguments, text } from "./arguments.ts";
import { billTable, DEFAULT_CPU_MS, priceTable } from "./docs/costs.ts";
import { prices } from "./operations/prices.ts";
import { defaultProfile } from "./operations/profile.ts";

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

const { cpu: cpuMs, users } = options;
if (users !== undefined) {
  console.log(`A month with ${users.toLocaleString("en")} users, in US dollars. ${prices.source}.\n`);
  const { readProfile } = await import("./operations/read-profile.ts");
  const profile = options.profile === undefined ? defaultProfile : readProfile(options.profile, refuse);
  console.log(billTable(users, profile).join("\n"));
} else {
  console.log(
    `US dollars for a million calls of ${cpuMs} ms CPU time each, beyond the usage that Workers Paid includes. ${prices.source}.\n`,
  );
  console.log(priceTable(cpuMs).join("\n"));
}
