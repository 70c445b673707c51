import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Databases that the Worker binds, by the names of their bindings. */
const DATABASES = ["DB", "SEARCH_DB"];

/**
 * Brings the local databases up to date, in wrangler's own place or in `persistTo`.
 *
 * @throws Error with what wrangler said, where it fails.
 */
export function migrateLocal(persistTo: string | undefined): void {
  const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
  const persist = persistTo ? ["--persist-to", persistTo] : [];
  for (const database of DATABASES) {
    const args = [wrangler, "d1", "migrations", "apply", database, "--local", "--env=", ...persist];
    // CI=1: apply without asking.
    const env = { ...process.env, CI: "1" };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${stdout}${stderr}`.trim());
  }
}
