import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadPrimary } from "./database.ts";
import { compareDigests, countRows } from "./digest.ts";
import { digestPrimary, takeDump } from "./take-dump.ts";

/**
 * Backs up the local primary in the folder `state`, restores it elsewhere, and compares every byte. Prints the result.
 *
 * @returns whether the two are equal.
 */
export async function compareRestored(state: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-restored-"));
  try {
    const dump = join(folder, "users.sql");
    const source = await takeDump({ remote: false, state }, dump);
    const restored = { remote: false, state: join(folder, "restored") } as const;
    await loadPrimary(restored, dump);
    const others = compareDigests(source, await digestPrimary(restored));
    console.log(
      others.length === 0
        ? `Backup and restore: ${countRows(source)} rows, equal byte for byte.`
        : `Backup and restore differ:\n  ${others.join("\n  ")}`,
    );
    return others.length === 0;
  } catch (error) {
    console.error(`Backup and restore failed: ${error instanceof Error ? error.message : error}`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
