import { createHash, createHmac } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { root } from "./wrangler.ts";

/** The databases of local development, as in wrangler.toml; a test compares the two. */
export const localDatabases = [
  { binding: "DB", id: "local-only-users", migrations: "migrations/users" },
  { binding: "SEARCH_DB", id: "local-only-users-search", migrations: "migrations/search" },
] as const;

export type LocalDatabase = (typeof localDatabases)[number];

/** wrangler's default folder for local state. */
export const defaultState = join(root, ".wrangler", "state");

/** The folder of the local databases: `given`, PERSIST_TO, or wrangler's default. Relative paths are below the project. */
export function stateFolder(given = process.env.PERSIST_TO): string {
  return given ? resolve(root, given) : defaultState;
}

/**
 * The file of a local database. Miniflare names it after the Durable Object id that workerd derives from the database
 * id.
 */
export function databaseFile(state: string, { id }: Pick<LocalDatabase, "id">): string {
  const key = createHash("sha256").update("miniflare-D1DatabaseObject").digest();
  const keyed = (data: string | Buffer) => createHmac("sha256", key).update(data).digest().subarray(0, 16);
  const name = keyed(id);
  const hex = Buffer.concat([name, keyed(name)]).toString("hex");
  return join(state, "v3", "d1", "miniflare-D1DatabaseObject", `${hex}.sqlite`);
}

/**
 * Pending migrations of a local database; all of them if it does not exist. Reads the file directly, which takes
 * milliseconds.
 */
export function pendingMigrations(state: string, database: LocalDatabase): string[] {
  const known = readdirSync(join(root, database.migrations)).filter((name) => name.endsWith(".sql"));
  const applied = new Set(appliedMigrations(databaseFile(state, database)));
  return known.filter((name) => !applied.has(name)).sort();
}

function appliedMigrations(file: string): string[] {
  if (!existsSync(file)) return [];
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const hasLedger = database.prepare("select 1 from sqlite_master where name = 'd1_migrations'").get();
    if (!hasLedger) return [];
    return database
      .prepare("select name from d1_migrations")
      .all()
      .map(({ name }) => String(name));
  } finally {
    database.close();
  }
}
