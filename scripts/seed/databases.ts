import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { getTableColumns, getTableName } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { databaseFile, localDatabases } from "../operations/local-database.ts";

/** Bytes that SQLite may keep of a database in memory, negative and in KiB as its pragma has it. */
const CACHE_KIB = -1024 * 1024;

/** The two databases, held so that no server opens them meanwhile. */
export interface Databases {
  primary: DatabaseSync;
  search: DatabaseSync;
  close: () => void;
}

/**
 * Opens the files that a local server keeps its databases in.
 *
 * @param state the folder that PERSIST_TO names.
 * @returns undefined where there are none yet.
 * @throws Error in one sentence, where a server holds one.
 */
export function openDatabases(state: string): Databases | undefined {
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
    // Before the first read: then even that asks for the file alone, which a running server does not let go of.
    database.exec(`pragma locking_mode = exclusive; pragma cache_size = ${CACHE_KIB}; pragma synchronous = off`);
    database.exec("begin immediate; commit");
    return database;
  } catch (error) {
    database.close();
    throw new Error("A server holds the local databases. Stop it first, then seed again.", { cause: error });
  }
}

/** Inserts rows of a table, and says of each whether it went in: one that another's key stands in the way of does not. */
export function inserter<T extends SQLiteTable>(database: DatabaseSync, table: T) {
  const columns = Object.entries(getTableColumns(table)).filter(([, column]) => column.generated === undefined);
  const names = columns.map(([, column]) => column.name);
  const statement = database.prepare(
    `insert into ${getTableName(table)} (${names.join(", ")}) values (${names.map(() => "?").join(", ")}) on conflict do nothing`,
  );
  return (row: Omit<T["$inferInsert"], "facet" | "lastLoginOrder">): boolean => {
    const given = row as Readonly<Record<string, unknown>>;
    return statement.run(...columns.map(([name]) => storable(given[name]))).changes > 0;
  };
}

function storable(value: unknown): string | number | null {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** Does the work in one transaction. */
export async function inTransaction(database: DatabaseSync, work: () => void | Promise<void>): Promise<void> {
  database.exec("begin");
  await work();
  database.exec("commit");
}
