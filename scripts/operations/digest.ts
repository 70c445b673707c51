import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { listTables, quoteName } from "./tables.ts";

/** Number of rows of a table and a checksum over all values, in primary-key order. */
export interface TableDigest {
  rows: number;
  /** SHA-256 over the type and the bytes of every column of every row. */
  sha256: string;
}

/** Digests of every table, and of the schema under the name `schema`. */
export type Digests = Record<string, TableDigest>;

const SCHEMA = `select name, sql, tbl_name, type from sqlite_master
  where name not glob 'sqlite_*' and name not glob '_cf_*' order by type, name`;

/** Digests of the schema and of every table. Generated columns count: their values must be the same after a restore. */
export function digestDatabase(database: DatabaseSync): Digests {
  return {
    schema: digestRows(database, SCHEMA, ["name", "sql", "tbl_name", "type"]),
    ...Object.fromEntries(
      listTables(database).map(({ name, key, columns }) => {
        const select = `select ${columns.map(bytesOf).join(", ")} from ${quoteName(name)} order by ${key.map(quoteName).join(", ")}`;
        return [name, digestRows(database, select, columns)];
      }),
    ),
  };
}

/**
 * Selects a value so that its bytes arrive unchanged: a text as a blob, since Node replaces bytes that are not UTF-8. Its
 * type is selected beside it.
 */
export const bytesOf = (column: string): string => {
  const name = quoteName(column);
  return `iif(typeof(${name}) = 'text', cast(${name} as blob), ${name}) as ${name}, typeof(${name}) as ${quoteName(typeName(column))}`;
};

/** The name under which `bytesOf` selects the type of a column. */
export const typeName = (column: string): string => `${column} type`;

function digestRows(database: DatabaseSync, sql: string, names: readonly string[]): TableDigest {
  const select = database.prepare(sql);
  select.setReadBigInts(true);
  const hash = createHash("sha256").update(names.join("\u0000"));
  let rows = 0;
  for (const row of select.iterate()) {
    rows += 1;
    for (const name of names) {
      const value = row[name];
      const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value));
      // The length makes the encoding unambiguous.
      hash
        .update(`${row[typeName(name)] ?? "text"}:${bytes.length}:`)
        .update(bytes)
        .update("\n");
    }
  }
  return { rows, sha256: hash.digest("hex") };
}

/** Lists the tables whose digests differ, one line each. */
export function compareDigests(expected: Digests, found: Digests): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return names.flatMap((name) => {
    const [a, b] = [expected[name], found[name]];
    if (a && b && a.rows === b.rows && a.sha256 === b.sha256) return [];
    if (!a || !b) return [`${name}: ${a ? "is missing" : "is not in the backup"}`];
    return [`${name}: ${b.rows} rows, the backup has ${a.rows}${a.rows === b.rows ? ", with other values" : ""}`];
  });
}

/** Total number of rows in all tables. */
export function countRows({ schema: _, ...tables }: Digests): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}

/** SHA-256 of a file of any size. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}
