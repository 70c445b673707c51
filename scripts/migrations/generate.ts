import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../operations/wrangler.ts";
import { storeByKey } from "./without-rowid.ts";

/** A database whose migrations are generated from its Drizzle schema. Paths are relative to the repository. */
export interface MigratedDatabase {
  /** Folder of its migrations. */
  migrations: string;
  /** Files of its Drizzle schema, as a pattern. */
  schema: string;
  /** SQL that Drizzle Kit cannot express: triggers, virtual tables and first rows. */
  handwritten: string;
}

export const migratedDatabases: readonly MigratedDatabase[] = [
  { migrations: "migrations/users", schema: "./src/db/*-schema.ts", handwritten: "src/db/triggers.sql" },
  { migrations: "migrations/search", schema: "./src/db/search.ts", handwritten: "src/db/search-trigrams.sql" },
];

const INITIAL = "0000_initial.sql";
const SNAPSHOT = join("meta", "0000_snapshot.json");
const JOURNAL = join("meta", "_journal.json");

/**
 * Generates the initial migration from the schema, in a folder of its own.
 *
 * @returns the SQL, and Drizzle Kit's snapshot of the schema and journal, from which it derives the next migration.
 */
export function generateInitial(database: MigratedDatabase): { sql: string; snapshot: string; journal: string } {
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist", "migrations-"));
  try {
    runDrizzleKit({ ...database, migrations: relative(root, folder) }, "initial", "pipe");
    const [sql = "", snapshot = "", journal = ""] = [INITIAL, SNAPSHOT, JOURNAL].map((file) =>
      readFileSync(join(folder, file), "utf8"),
    );
    const handwritten = readFileSync(join(root, database.handwritten), "utf8");
    return { sql: `${storeByKey(sql).trimEnd()}\n--> statement-breakpoint\n${handwritten}`, snapshot, journal };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Why the initial migrations cannot be rewritten: there are later ones, so they have been released. */
export class Released extends Error {}

/** Rewrites the initial migrations. @throws Released, before anything is written, if a database has later ones. */
export function writeInitial(...databases: readonly MigratedDatabase[]): void {
  const released = databases.find((database) => sqlFiles(database).length > 1);
  if (released) throw new Released(`${released.migrations} has later migrations. Give a name for the next one.`);
  for (const database of databases) writeOne(database);
}

function writeOne(database: MigratedDatabase): void {
  const inFolder = (file: string) => join(root, database.migrations, file);
  const { sql, snapshot, journal } = generateInitial(database);
  mkdirSync(inFolder("meta"), { recursive: true });
  writeFileSync(inFolder(INITIAL), sql);
  if (!existsSync(inFolder(JOURNAL))) writeFileSync(inFolder(JOURNAL), journal);
  // Drizzle Kit gives each snapshot a random id. Keeping the known one leaves an unchanged schema without a difference.
  const known = existsSync(inFolder(SNAPSHOT)) ? readFileSync(inFolder(SNAPSHOT), "utf8") : snapshot;
  const { id } = JSON.parse(known) as { id: string };
  writeFileSync(inFolder(SNAPSHOT), snapshot.replace(/"id": "[^"]*"/, `"id": ${JSON.stringify(id)}`));
}

/**
 * Adds a migration that leads from the last snapshot to the schema, if they differ. Drizzle Kit may ask in the terminal
 * whether a column was renamed. Triggers and data are added to the file by hand.
 *
 * @returns the names of the files added.
 */
export function addMigration(database: MigratedDatabase, name: string): string[] {
  const known = sqlFiles(database);
  runDrizzleKit(database, name, "inherit");
  const added = sqlFiles(database).filter((file) => !known.includes(file));
  for (const file of added) {
    const path = join(root, database.migrations, file);
    writeFileSync(path, storeByKey(readFileSync(path, "utf8")));
  }
  return added;
}

const sqlFiles = ({ migrations }: MigratedDatabase) =>
  existsSync(join(root, migrations)) ? readdirSync(join(root, migrations)).filter((file) => file.endsWith(".sql")) : [];

function runDrizzleKit({ schema, migrations }: MigratedDatabase, name: string, stdio: "pipe" | "inherit"): void {
  const kit = join(root, "node_modules", "drizzle-kit", "bin.cjs");
  const args = ["generate", "--dialect", "sqlite", "--schema", schema, "--out", migrations, "--name", name];
  const run = spawnSync(process.execPath, [kit, ...args], { cwd: root, encoding: "utf8", stdio });
  if (run.status !== 0) throw new Error(`drizzle-kit generate failed.\n${run.stdout ?? ""}${run.stderr ?? ""}`);
}
