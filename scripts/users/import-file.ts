import { join } from "node:path";
import { formatMinor } from "../../src/platform/money.ts";
import { fail } from "../d1.ts";
import { readConfiguration, textVars } from "../operations/configuration.ts";
import type { Target } from "../operations/database.ts";
import { stateFolder } from "../operations/local-database.ts";
import { migrateLocal } from "../operations/prepare.ts";
import { root } from "../operations/wrangler.ts";
import { showProgress } from "../progress/progress.ts";
import { openDatabases } from "../seed/databases.ts";
import { areEqual, importUsers } from "./import-users.ts";
import type { Totals } from "./insert-users.ts";

const describe = ({ users, balanceMinor, currentPoints, totalPoints }: Totals) =>
  `${users.toLocaleString("en")} users, wallets ${formatMinor(balanceMinor)}, points ${currentPoints} of ${totalPoints}`;

/** Imports the users of a file and prints what became of them; ends the process with 1, after a message, on failure. */
export async function importFile(
  file: string,
  { isDryRun, isRemote }: { isDryRun: boolean; isRemote: boolean },
): Promise<void> {
  const startedAt = Date.now();
  const state = stateFolder();
  const target: Target = isRemote ? { remote: true } : { remote: false, state };
  const { SMS_COUNTRIES = "" } = textVars(
    readConfiguration(join(root, "wrangler.toml"), isRemote ? "production" : undefined),
  );

  const onProgress = showProgress("preparing the database");
  try {
    if (!isRemote) {
      // Fails if a server has the databases open.
      openDatabases(state)?.close();
      migrateLocal(process.env.PERSIST_TO);
    }
    onProgress("copying the database");
    const { staged, wanted, inserted } = await importUsers({
      file,
      target,
      isDryRun,
      smsCountries: SMS_COUNTRIES.split(","),
      now: startedAt,
      onProgress,
    });
    for (const { line, reason } of staged.refusals) console.error(`line ${line}: ${reason}`);
    if (staged.refused > 0) fail(`${staged.refused} lines are refused. Nothing was imported.`);
    if (staged.existing > 0) console.log(`${staged.existing} users are in the database already and stay as they are.`);
    if (staged.deleted > 0)
      console.log(`${staged.deleted} users have deleted their account and are not imported again.`);
    if (isDryRun) console.log(`The file is valid. It would add ${describe(wanted)}.`);
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
}
