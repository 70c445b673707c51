import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatMinor } from "../src/platform/money.ts";
import { fail } from "./d1.ts";
import { readConfiguration, textVars } from "./operations/configuration.ts";
import type { Target } from "./operations/database.ts";
import { defaultState } from "./operations/local-database.ts";
import { migrateLocal } from "./operations/prepare.ts";
import { root } from "./operations/wrangler.ts";
import { openDatabases } from "./seed/databases.ts";
import { areEqual, importUsers } from "./users/import-users.ts";
import type { Totals } from "./users/insert-users.ts";

// `npm run import -- users.jsonl`: imports users of another system, on the local database or on production with
// --remote.

const USAGE = `npm run import -- FILE [--dry-run] [--remote]

FILE        one user per line, as JSON; see docs/operations/import.md
--dry-run   only check the file and compare it with the database
--remote    use the production database`;

const options = {
  "dry-run": { type: "boolean", default: false },
  remote: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

function parseOrExit() {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { values, positionals } = parseOrExit();
const [file, ...more] = positionals;
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (file === undefined || more.length > 0) {
  console.error(USAGE);
  process.exit(2);
}
if (!existsSync(file)) fail(`There is no file ${file}.`);

const startedAt = Date.now();
const seconds = () => String(Math.round((Date.now() - startedAt) / 1000)).padStart(4);
let shownAt = startedAt;
const state = process.env.PERSIST_TO ? resolve(process.env.PERSIST_TO) : defaultState;
const target: Target = values.remote ? { remote: true } : { remote: false, state };
const { SMS_COUNTRIES = "" } = textVars(
  readConfiguration(join(root, "wrangler.toml"), values.remote ? "production" : undefined),
);

const describe = ({ users, balanceMinor, currentPoints, totalPoints }: Totals) =>
  `${users.toLocaleString("en")} users, wallets ${formatMinor(balanceMinor)}, points ${currentPoints} of ${totalPoints}`;

try {
  if (!values.remote) {
    // Fails if a server has the databases open.
    openDatabases(state)?.close();
    migrateLocal(process.env.PERSIST_TO);
  }
  const { staged, wanted, inserted } = await importUsers({
    file,
    target,
    isDryRun: values["dry-run"],
    smsCountries: SMS_COUNTRIES.split(","),
    now: startedAt,
    onProgress(step, done) {
      if (Date.now() - shownAt < 5_000) return;
      shownAt = Date.now();
      console.log(`${seconds()} s  ${done.toLocaleString("en")} ${step}`);
    },
  });
  for (const { line, reason } of staged.refusals) console.error(`line ${line}: ${reason}`);
  if (staged.refused > 0) fail(`${staged.refused} lines are refused. Nothing was imported.`);
  if (staged.existing > 0) console.log(`${staged.existing} users are in the database already and stay as they are.`);
  if (staged.deleted > 0) console.log(`${staged.deleted} users have deleted their account and are not imported again.`);
  if (values["dry-run"]) console.log(`The file is valid. It would add ${describe(wanted)}.`);
  else if (inserted === undefined) console.log("There is nothing to import.");
  else {
    console.log(`File:      ${describe(wanted)}\nDatabase:  ${describe(inserted)}`);
    if (!areEqual(wanted, inserted)) fail("The sums differ. Compare the accounts that changed during the import.");
    console.log(`Imported in ${seconds().trim()} s. The search is complete once rebuild_user_search has run.`);
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
