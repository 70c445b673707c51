import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { showProgress } from "../progress/progress.ts";
import { listDocuments } from "./bucket.ts";
import type { Target } from "./database.ts";
import { countRows, hashFile } from "./digest.ts";
import { migrateLocal } from "./prepare.ts";
import { takeDump } from "./take-dump.ts";

/** Writes a backup to a new folder in `output`; ends the process with 1, after a message, if that fails. */
export async function backUp(target: Target, output: string): Promise<void> {
  // Like other local commands, this creates an empty database if there is none.
  if (!target.remote) migrateLocal(target.state);

  const takenAt = new Date().toISOString();
  const folder = resolve(output, takenAt.replaceAll(":", "-"));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const dump = join(folder, "users.sql");
  /** Deletes the unfinished backup, which contains personal data and could be taken for a complete one, and exits. */
  function removeUnfinished(error: unknown): never {
    rmSync(folder, { recursive: true, force: true });
    console.error(`The backup failed, and nothing of it was kept: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
  const onStep = showProgress("copying the database");
  const tables = await takeDump(target, dump, onStep).catch(removeUnfinished);
  onStep("listing the documents");
  const documents = await listDocuments(target).catch(removeUnfinished);
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
