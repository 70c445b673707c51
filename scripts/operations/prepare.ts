import { join } from "node:path";
import { secretsIn } from "../secrets.ts";
import { localDatabases, pendingMigrations, stateFolder } from "./local-database.ts";
import { rebuildEmptySearch } from "./search-rebuild.ts";
import { root, wranglerIn } from "./wrangler.ts";

/** The development secrets of this machine; generated if .dev.vars lacks them. */
export const localSecrets = () => secretsIn(join(root, ".dev.vars"));

/**
 * Sets up a fresh clone: secrets in .dev.vars and migrations of both databases. Prints what it did; takes milliseconds
 * if there is nothing to do.
 *
 * @throws Error with wrangler's output if a migration fails.
 */
export function prepareLocal(persistTo = process.env.PERSIST_TO): void {
  localSecrets();
  migrateLocal(persistTo);
}

/**
 * Migrates the local databases in wrangler's default folder or in `persistTo`; a search that a migration creates is
 * filled by the next cron tick. @throws Error as `prepareLocal`.
 */
export function migrateLocal(persistTo: string | undefined): void {
  const state = stateFolder(persistTo);
  let isMigrated = false;
  for (const database of localDatabases) {
    const pending = pendingMigrations(state, database);
    if (pending.length === 0) continue;
    // Always uses the top level of the configuration, whatever CLOUDFLARE_ENV says.
    const args = ["d1", "migrations", "apply", database.binding, "--local", "--env=", "--persist-to", state];
    const { ok, output } = wranglerIn(root)(args);
    if (!ok) throw new Error(`Could not apply the migrations of the local ${database.binding}.\n${output}`);
    console.error(`Applied ${pending.length} migrations to the local ${database.binding}.`);
    isMigrated = true;
  }
  if (isMigrated) rebuildEmptySearch({ remote: false, state }, Date.now());
}
