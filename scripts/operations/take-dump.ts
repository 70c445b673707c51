import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arrangeDump } from "./arrange-dump.ts";
import { exportPrimary, type Target } from "./database.ts";
import { compareDigests, digestDump, type TableDigest } from "./dump.ts";
import { type BrokenTexts, listBrokenTexts, mendTexts } from "./mend-texts.ts";

/**
 * Exports the primary to a SQL file that loads into an empty database, and computes the digests of its tables.
 *
 * @throws Error if the file differs from what D1 exported.
 */
export async function takeDump(target: Target, file: string): Promise<Record<string, TableDigest>> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-dump-"));
  try {
    const exported = join(folder, "exported.sql");
    exportPrimary(target, exported);
    await arrangeDump(exported, file);
    let broken: BrokenTexts[] = [];
    const arranged = await digestDump(file, "loads", (database) => {
      broken = listBrokenTexts(database);
    });
    const lost = compareDigests(await digestDump(exported), arranged);
    if (lost.length > 0) throw new Error(`The dump differs from the export:\n${lost.join("\n")}`);
    await arrangeDump(exported, file, mendTexts(target, broken));
    return await digestDump(file, "loads");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
