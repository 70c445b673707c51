import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { showProgress } from "../progress/progress.ts";
import { listDocuments } from "./bucket.ts";
import type { Target } from "./database.ts";
import { countRows, hashFile } from "./digest.ts";
import { migrateLocal } from "./prepare.ts";
import { takeDump } from "./take-dump.ts";
import { removeUnlessDone } from "./unfinished.ts";

/** Writes a backup to a new folder in `output`; if that fails, nothing of it is left. */
export async function backUp(target: Target, output: string): Promise<void> {
  // Like other local commands, this creates an empty database if there is none.
  if (!target.remote) migrateLocal(target.state);

  const takenAt = new Date().toISOString();
  const folder = resolve(output, takenAt.replaceAll(":", "-"));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // An unfinished backup contains personal data and could be taken for a complete one.
  await removeUnlessDone(folder, () => writeBackup(target, folder, takenAt));
}

async function writeBackup(target: Target, folder: string, takenAt: string): Promise<void> {
  const dump = join(folder, "users.sql");
  const onStep = showProgress("copying the database");
  const tables = await takeDump(target, dump, onStep);
  onStep("listing the documents");
  const documents = await listDocuments(target);
  onStep("hashing the dump");
  writeFileSync(join(folder, "documents.json"), `${JSON.stringify(documents, null, 2)}\n`);
  const manifest = {
    taken_at: takenAt,
    source: target.remote ? "production" : "local",
    sha256: await hashFile(dump),
    tables,
    documents: documents.length,
  };
  writeFileSync(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const rows = countRows(tables);
  console.log(`${folder}: ${rows} rows in ${Object.keys(tables).length - 1} tables, ${documents.length} documents listed.
The backup contains unencrypted personal data. Store it encrypted and delete it as soon as you can.`);
}
