import { join, resolve } from "node:path";
import { secretsIn } from "../secrets.ts";
import { defaultState, localDatabases, pendingMigrations } from "./local-database.ts";
import { root, wranglerIn } from "./wrangler.ts";

/** The secrets of this machine's development; drawn where the file lacks them. */
export const localSecrets = () => secretsIn(join(root, ".dev.vars"));

/**
 * Makes what a fresh clone lacks to serve locally: secrets in .dev.vars and the migrations of both databases. Does
 * nothing, in milliseconds, where nothing is missing; says what it did.
 *
 * @throws Error with wrangler's own words when a migration cannot be applied.
 */
export function prepareLocal(persistTo = process.env.PERSIST_TO): void {
  localSecrets();
  migrateLocal(persistTo);
}

/** Brings the local databases up to date, in wrangler's own place or in `persistTo`. @throws Error as `prepareLocal`. */
export function migrateLocal(persistTo: string | undefined): void {
  const state = persistTo ? resolve(root, persistTo) : defaultState;
  for (const database of localDatabases) {
    const pending = pendingMigrations(state, database);
    if (pending.length === 0) continue;
    // The top level of the configuration, whatever the environment names.
    const args = ["d1", "migrations", "apply", database.binding, "--local", "--env=", "--persist-to", state];
    const { ok, output } = wranglerIn(root)(args);
    if (!ok) throw new Error(`The migrations of ${database.binding} could not be applied locally.\n${output}`);
    console.error(`Applied ${pending.length} migrations to the local ${database.binding}.`);
  }
}
