import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readArguments } from "./arguments.ts";
import { fail } from "./d1.ts";
import { countTables, loadPrimary } from "./operations/database.ts";
import { compareDigests, countRows, type Digests, hashFile } from "./operations/digest.ts";
import { digestPrimary } from "./operations/take-dump.ts";
import { targetOf, whichDatabase } from "./operations/which-database.ts";
import { showProgress } from "./progress/progress.ts";

const { options, operands, refuse } = readArguments({
  name: "restore",
  about: "Loads a backup into an empty primary database and compares the result with the backup.",
  operands: "DIR",
  most: 1,
  options: whichDatabase,
});
const [folder = refuse("Name the folder of the backup.")] = operands;
const target = targetOf(options, refuse);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

interface Manifest {
  sha256: string;
  tables: Digests;
}

/** Reads the manifest of the backup; ends the process with 1, after a message, if the folder is not a backup. */
function readManifest(file: string): Manifest {
  try {
    const { sha256, tables } = JSON.parse(readFileSync(file, "utf8")) as Partial<Manifest>;
    if (typeof sha256 === "string" && typeof tables === "object" && tables !== null) return { sha256, tables };
  } catch {
    // The message below says what is missing.
  }
  return fail(`${file} is missing or is not the manifest of a backup. Give the folder that npm run backup named.
Nothing was loaded.`);
}

const onStep = showProgress("comparing the dump with its checksum");
const dump = resolve(folder, "users.sql");
const manifest = readManifest(resolve(folder, "manifest.json"));
if (!existsSync(dump)) fail(`${dump} is missing. Nothing was loaded.`);
if ((await hashFile(dump)) !== manifest.sha256) {
  fail(`${dump} does not match the checksum in its manifest. Nothing was loaded.`);
}

let existing: number;
try {
  existing = countTables(target);
} catch (error) {
  fail(`The database could not be read, and nothing was loaded: ${messageOf(error)}`);
}
if (existing > 0) {
  fail(`The database is not empty: it has ${existing} tables. Nothing was changed.
Create a new database and set its id in wrangler.toml, or choose another folder with --persist-to.`);
}

onStep("loading the dump");
await loadPrimary(target, dump).catch((error: unknown) =>
  fail(`The backup could not be loaded, and the database is still empty: ${messageOf(error)}`),
);
onStep("comparing the database with the backup");
const digests = await digestPrimary(target).catch((error: unknown) =>
  fail(`The database was loaded, but could not be compared with the backup: ${messageOf(error)}`),
);
const others = compareDigests(manifest.tables, digests);
if (others.length > 0) fail(`The database was loaded but differs from the source:\n  ${others.join("\n  ")}`);
const rows = countRows(manifest.tables);
const where = options.remote ? " --remote" : "";
console.log(`Restored ${rows} rows in ${Object.keys(manifest.tables).length - 1} tables; counts and checksums match the source.
Now rebuild the search database: npm run tasks -- run rebuild_user_search${where}`);
