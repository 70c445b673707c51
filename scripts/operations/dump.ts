import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readStatements } from "./arrange-dump.ts";

/** Number of rows of a table and a checksum over all values, in primary-key order. */
export interface TableDigest {
  rows: number;
  /** SHA-256 over the type and value of every column of every row. */
  sha256: string;
}

/**
 * Loads a SQL dump into a temporary database and computes a digest of every table and of the schema. This proves that
 * the dump can be loaded, and describes the moment of the dump, while the source goes on changing.
 *
 * @param order "any" for an export as D1 writes it, whose rows may precede the tables that they refer to.
 * @param inspect reads the loaded database before it is deleted.
 * @throws Error if the dump cannot be loaded or violates a foreign key.
 */
export async function digestDump(
  file: string,
  order: "any" | "loads" = "any",
  inspect: (database: DatabaseSync) => void = () => {},
): Promise<Record<string, TableDigest>> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-dump-"));
  // On disk, not in memory: D1 databases grow to 10 GB.
  const path = join(folder, "dump.sqlite");
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: order === "loads" });
  try {
    database.exec("begin");
    for await (const statement of readStatements(file)) database.exec(statement);
    database.exec("commit");
    const broken = database.prepare("pragma foreign_key_check").all();
    if (broken.length > 0) throw new Error(`The dump violates a foreign key of ${broken[0]?.table}`);
    inspect(database);
    const tables = database.prepare(TABLES).all();
    return {
      schema: digestRows(database, SCHEMA, ["name", "sql", "tbl_name", "type"]),
      ...Object.fromEntries(tables.map(({ name }) => [String(name), digestTable(database, String(name))])),
    };
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const SCHEMA = `select name, sql, tbl_name, type from sqlite_master
  where name not glob 'sqlite_*' and name not glob '_cf_*' order by type, name`;

/** Without the internal tables of D1 and SQLite. */
const TABLES = `select name from sqlite_master where type = 'table'
  and name not glob 'sqlite_*' and name not glob '_cf_*' order by name`;

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Includes generated columns, because their values must be the same after a restore. */
function digestTable(database: DatabaseSync, table: string): TableDigest {
  const columns = database.prepare(`pragma table_xinfo(${quote(table)})`).all();
  const names = columns.map(({ name }) => String(name)).sort();
  const key = columns.filter(({ pk }) => Number(pk) > 0).map(({ name }) => String(name));
  const order = (key.length > 0 ? key : names).map(quote).join(", ");
  const select = `select ${names.map(quote).join(", ")} from ${quote(table)} order by ${order}`;
  return digestRows(database, select, names);
}

function digestRows(database: DatabaseSync, sql: string, names: readonly string[]): TableDigest {
  const select = database.prepare(sql);
  select.setReadBigInts(true);
  const hash = createHash("sha256").update(names.join("\u0000"));
  let rows = 0;
  for (const row of select.iterate()) {
    rows += 1;
    for (const name of names) {
      const value = row[name];
      const text = value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
      // The length makes the encoding unambiguous.
      hash.update(`${typeof value}:${text.length}:${text}\n`);
    }
  }
  return { rows, sha256: hash.digest("hex") };
}

/** Lists the tables whose digests differ, one line each. */
export function compareDigests(expected: Record<string, TableDigest>, found: Record<string, TableDigest>): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return names.flatMap((name) => {
    const [a, b] = [expected[name], found[name]];
    if (a && b && a.rows === b.rows && a.sha256 === b.sha256) return [];
    if (!a || !b) return [`${name}: ${a ? "is missing" : "is not in the backup"}`];
    return [`${name}: ${b.rows} rows, the backup has ${a.rows}${a.rows === b.rows ? ", with other values" : ""}`];
  });
}

/** Total number of rows in all tables. */
export function countRows({ schema: _, ...tables }: Record<string, TableDigest>): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}

/** SHA-256 of a file of any size. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}
