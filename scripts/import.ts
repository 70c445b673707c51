import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatMinor } from "../src/platform/money.ts";
import { flag, readArguments } from "./arguments.ts";
import { fail } from "./d1.ts";
import { readConfiguration, textVars } from "./operations/configuration.ts";
import type { Target } from "./operations/database.ts";
import { stateFolder } from "./operations/local-database.ts";
import { migrateLocal } from "./operations/prepare.ts";
import { root } from "./operations/wrangler.ts";
import { showProgress } from "./progress/progress.ts";
import { openDatabases } from "./seed/databases.ts";
import { areEqual, importUsers } from "./users/import-users.ts";
import type { Totals } from "./users/insert-users.ts";

const { options, operands, refuse } = readArguments({
  name: "import",
  about: "Imports users of another system into the local database, or into production with --remote.",
  operands: "FILE",
  most: 1,
  options: {
    "dry-run": flag("only check the file and compare it with the database"),
    remote: flag("use the production database"),
  },
  notes: ["FILE: one user per line, as JSON; see docs/operations/import.md."],
});
const [file = refuse("Name the file.")] = operands;
if (!existsSync(file)) fail(`There is no file ${file}.`);

const startedAt = Date.now();
const state = stateFolder();
const target: Target = options.remote ? { remote: true } : { remote: false, state };
const { SMS_COUNTRIES = "" } = textVars(
  readConfiguration(join(root, "wrangler.toml"), options.remote ? "production" : undefined),
);

const describe = ({ users, balanceMinor, currentPoints, totalPoints }: Totals) =>
  `${users.toLocaleString("en")} users, wallets ${formatMinor(balanceMinor)}, points ${currentPoints} of ${totalPoints}`;

const onProgress = showProgress("preparing the database");
try {
  if (!options.remote) {
    // Fails if a server has the databases open.
    openDatabases(state)?.close();
    migrateLocal(process.env.PERSIST_TO);
  }
  onProgress("copying the database");
  const { staged, wanted, inserted } = await importUsers({
    file,
    target,
    isDryRun: options["dry-run"],
    smsCountries: SMS_COUNTRIES.split(","),
    now: startedAt,
    onProgress,
  });
  for (const { line, reason } of staged.refusals) console.error(`line ${line}: ${reason}`);
  if (staged.refused > 0) fail(`${staged.refused} lines are refused. Nothing was imported.`);
  if (staged.existing > 0) console.log(`${staged.existing} users are in the database already and stay as they are.`);
  if (staged.deleted > 0) console.log(`${staged.deleted} users have deleted their account and are not imported again.`);
  if (options["dry-run"]) console.log(`The file is valid. It would add ${describe(wanted)}.`);
  else if (inserted === undefined) console.log("There is nothing to import.");
  else {
    console.log(`File:      ${describe(wanted)}\nDatabase:  ${describe(inserted)}`);
    if (!areEqual(wanted, inserted)) fail("The sums differ. Compare the accounts that changed during the import.");
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    console.log(`Imported in ${seconds} s. The search is complete once rebuild_user_search has run.`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
