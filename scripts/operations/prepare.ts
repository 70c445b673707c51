import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { newSecrets } from "../secrets.ts";
import { defaultState, localDatabases, pendingMigrations } from "./local-database.ts";
import { root, wranglerIn } from "./wrangler.ts";

/**
 * Makes what a fresh clone lacks to serve locally: secrets in .dev.vars and the migrations of both databases. Does
 * nothing, in milliseconds, where nothing is missing; says what it did.
 *
 * @throws Error with wrangler's own words when a migration cannot be applied.
 */
export function prepareLocal(persistTo = process.env.PERSIST_TO): void {
  addSecrets(join(root, ".dev.vars"));
  const state = persistTo ? resolve(root, persistTo) : defaultState;
  for (const database of localDatabases) {
    const pending = pendingMigrations(state, database);
    if (pending.length === 0) continue;
    const args = ["d1", "migrations", "apply", database.binding, "--local", "--persist-to", state];
    const { ok, output } = wranglerIn(root)(args);
    if (!ok) throw new Error(`The migrations of ${database.binding} could not be applied locally.\n${output}`);
    console.log(`Applied ${pending.length} migrations to the local ${database.binding}.`);
  }
}

function addSecrets(file: string): void {
  const known = existsSync(file) ? readFileSync(file, "utf8") : "";
  const missing = Object.entries(newSecrets()).filter(([name]) => !new RegExp(`^${name}=`, "m").test(known));
  if (missing.length === 0) return;
  const lines = missing.map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(file, known.replace(/\n?$/, known && "\n") + lines.join(""), { mode: 0o600 });
  console.log(`Put secrets of this machine's own into .dev.vars: ${missing.map(([name]) => name).join(", ")}.`);
}
