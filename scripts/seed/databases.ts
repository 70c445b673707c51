import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { getTableColumns, getTableName } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { isClaimed } from "../dev/claim-state.ts";
import { databaseFile, localDatabases } from "../operations/local-database.ts";

/** SQLite's page cache per database: negative means KiB, so 1 GiB. */
const CACHE_KIB = -1024 * 1024;

const IN_USE = "A running server has the local databases open. Stop it, then run the command again.";

/** The two databases, locked so that no server can open them. */
export interface Databases {
  primary: DatabaseSync;
  search: DatabaseSync;
  close: () => void;
}

/**
 * Opens and locks the database files of a local server.
 *
 * @param state the folder that PERSIST_TO names.
 * @returns undefined if they do not exist yet.
 * @throws Error with a one-sentence message if a server has one of them open.
 */
export function openDatabases(state: string): Databases | undefined {
  if (isClaimed(state)) throw new Error(IN_USE);
  const files = localDatabases.map((database) => databaseFile(state, database));
  if (!files.every((file) => existsSync(file))) return undefined;
  const [primary, search] = files.map(openAlone);
  if (!primary || !search) return undefined;
  const close = () => {
    primary.close();
    search.close();
  };
  return { primary, search, close };
}

function openAlone(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 1000, enableForeignKeyConstraints: true });
  try {
    // Set before the first read, so that even the read requires the exclusive lock, which a running server prevents.
    database.exec(`pragma locking_mode = exclusive; pragma cache_size = ${CACHE_KIB}; pragma synchronous = off`);
    database.exec("begin immediate; commit");
    return database;
  } catch (error) {
    database.close();
    throw new Error(IN_USE, { cause: error });
  }
}

/**
 * Returns a function that inserts a row and returns whether it was inserted; a row that violates a unique key is not.
 */
export function inserter<T extends SQLiteTable>(database: DatabaseSync, table: T) {
  const columns = Object.entries(getTableColumns(table)).filter(([, column]) => column.generated === undefined);
  const names = columns.map(([, column]) => column.name);
  const statement = database.prepare(
    `insert into ${getTableName(table)} (${names.join(", ")}) values (${names.map(() => "?").join(", ")}) on conflict do nothing`,
  );
  return (row: Omit<T["$inferInsert"], "statusBucket" | "lastLoginOrder">): boolean => {
    const given = row as Readonly<Record<string, unknown>>;
    return statement.run(...columns.map(([name]) => storable(given[name]))).changes > 0;
  };
}

function storable(value: unknown): string | number | null {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** Runs the work in one transaction. */
export async function inTransaction(database: DatabaseSync, work: () => void | Promise<void>): Promise<void> {
  database.exec("begin");
  await work();
  database.exec("commit");
}
