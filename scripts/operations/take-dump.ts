import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { arrangeDump } from "./arrange-dump.ts";
import { exportPrimary, type Target } from "./database.ts";
import { compareDigests, type Digests, digestDatabase } from "./digest.ts";
import { databaseFile, localDatabases } from "./local-database.ts";
import { mendTexts } from "./mend-texts.ts";
import { loadStatements } from "./statements.ts";
import { checkReferences } from "./tables.ts";
import { inTemporaryFolder } from "./unfinished.ts";
import { writeDump } from "./write-dump.ts";

/**
 * Writes the primary as a SQL file that loads into an empty database and gives the same bytes.
 *
 * @returns the digests of the source at the moment of the dump.
 * @throws Error that names table, key and column if a row cannot be written or loaded.
 */
export async function takeDump(
  target: Target,
  file: string,
  onStep: (step: string) => void = () => {},
): Promise<Digests> {
  return await inTemporaryFolder("dump", async (folder) => {
    const source = await takeSnapshot(target, folder);
    try {
      onStep("writing the dump");
      checkReferences(source);
      writeDump(source, file);
      const digests = digestDatabase(source);
      onStep("loading the dump to compare it");
      const loaded = await loadStatements(file, join(folder, "loaded.sqlite"), "references");
      const others = compareDigests(digests, digestDatabase(loaded));
      loaded.close();
      if (others.length > 0) throw new Error(`The dump differs from the database:\n${others.join("\n")}`);
      return digests;
    } finally {
      source.close();
    }
  });
}

/** The digests of the primary as it is now. */
export async function digestPrimary(target: Target): Promise<Digests> {
  return await inTemporaryFolder("dump", async (folder) => {
    const source = await takeSnapshot(target, folder);
    try {
      return digestDatabase(source);
    } finally {
      source.close();
    }
  });
}

/** Runs the work on a copy of the primary at one moment, a database file in the folder. */
export async function withSnapshot<T>(target: Target, folder: string, work: (path: string) => Promise<T>): Promise<T> {
  const source = await takeSnapshot(target, folder);
  const path = String(source.location());
  source.close();
  return await work(path);
}

/**
 * Copies the primary at one moment into a database file, while the source goes on changing: the file of a local one,
 * byte for byte; an export of production's, with the texts that an export changes read from the primary.
 */
async function takeSnapshot(target: Target, folder: string): Promise<DatabaseSync> {
  if (target.remote) return await takeExport(target, folder);
  const path = join(folder, "source.sqlite");
  const source = new DatabaseSync(databaseFile(target.state, localDatabases[0]), { readOnly: true });
  try {
    await backup(source, path);
  } finally {
    source.close();
  }
  return new DatabaseSync(path, { enableForeignKeyConstraints: false });
}

/** As `takeSnapshot`, by D1's own export. */
export async function takeExport(target: Target, folder: string): Promise<DatabaseSync> {
  const [exported, arranged] = [join(folder, "exported.sql"), join(folder, "arranged.sql")];
  exportPrimary(target, exported);
  await arrangeDump(exported, arranged);
  const database = await loadStatements(arranged, join(folder, "source.sqlite"), "nothing");
  mendTexts(target, database);
  return database;
}
