import { closeSync, openSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { bytesOf, typeName } from "./digest.ts";
import { textInHex } from "./statements.ts";
import { describeKey, listTables, quoteName, type Table } from "./tables.ts";

/*
 * D1 accepts statements of 100 KB (developers.cloudflare.com/d1/platform/limits), and a byte takes two characters in
 * hexadecimal.
 */
/** Values of one row that are longer together are written in parts, in bytes. */
const LONGEST_ROW = 40_000;
/** Length of a value's first part, in bytes: a row has at most some thirty values. */
const FIRST_PART = 1_000;
/** Length of its further parts, in bytes. */
const PART = 40_000;
/** Characters written to the file at once. */
const BUFFER = 1_000_000;

/**
 * Writes the database as SQL that loads into an empty one and gives the same bytes: tables, rows in the order of their
 * foreign keys, then indexes and triggers. No statement is longer than D1 accepts.
 *
 * @throws Error that names table, key and column of a value that cannot be written.
 */
export function writeDump(database: DatabaseSync, file: string): void {
  const out = openSync(file, "w", 0o600);
  let pending = "";
  const write = (statement: string) => {
    pending += `${statement};\n`;
    if (pending.length < BUFFER) return;
    writeSync(out, pending);
    pending = "";
  };
  try {
    const tables = listTables(database);
    write("PRAGMA defer_foreign_keys = ON");
    for (const { name } of tables) write(sqlOf(database, "table", name));
    for (const table of tables) writeRows(database, table, write);
    const rest = database
      .prepare(`select sql from sqlite_master where type in ('index', 'trigger', 'view') and sql is not null
        and name not glob 'sqlite_*' and name not glob '_cf_*' order by type, name`)
      .all();
    for (const { sql } of rest) write(String(sql));
    writeSync(out, pending);
  } finally {
    closeSync(out);
  }
}

function sqlOf(database: DatabaseSync, type: string, name: string): string {
  return String(database.prepare("select sql from sqlite_master where type = ? and name = ?").get(type, name)?.sql);
}

interface Value {
  column: string;
  type: string;
  value: unknown;
}

function writeRows(database: DatabaseSync, table: Table, write: (statement: string) => void): void {
  const { name, key, stored } = table;
  const hasRowid = key[0] === "rowid";
  const select = database.prepare(
    `select ${stored.map(bytesOf).join(", ")} from ${quoteName(name)} order by ${key.map(quoteName).join(", ")}`,
  );
  select.setReadBigInts(true);
  const columns = stored.map(quoteName).join(", ");
  for (const row of select.iterate()) {
    const values = stored.map((column) => ({ column, type: String(row[typeName(column)]), value: row[column] }));
    const isLong = values.reduce((sum, { value }) => sum + lengthOf(value), 0) > LONGEST_ROW;
    const parted = isLong ? values.filter(({ value }) => lengthOf(value) > FIRST_PART) : [];
    const first = values.map((each) => literal(parted.includes(each) ? firstPart(each) : each));
    write(`INSERT INTO ${quoteName(name)} (${columns}) VALUES (${first.join(", ")})`);
    if (parted.length === 0) continue;
    const tooLong = parted.find(({ column }) => hasRowid || key.includes(column));
    if (tooLong) {
      const shown = hasRowid ? "a table without a primary key" : describeKey(table, textsOf(values));
      throw new Error(`${name} (${shown}), column ${tooLong.column}: the value is too long to be written`);
    }
    const where = values
      .filter(({ column }) => key.includes(column))
      .map((each) => `${quoteName(each.column)} = ${literal(each)}`)
      .join(" AND ");
    for (const { column, type, value } of parted) {
      const bytes = value as Uint8Array;
      for (let at = FIRST_PART; at < bytes.length; at += PART) {
        const longer = `CAST(${quoteName(column)} AS BLOB) || X'${hex(bytes.subarray(at, at + PART))}'`;
        write(`UPDATE ${quoteName(name)} SET ${quoteName(column)} = CAST(${longer} AS ${type}) WHERE ${where}`);
      }
    }
  }
}

/** The value's beginning: an empty value could break a unique index. */
const firstPart = (each: Value): Value => ({ ...each, value: (each.value as Uint8Array).subarray(0, FIRST_PART) });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const lengthOf = (value: unknown) => (value instanceof Uint8Array ? value.length : 8);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textsOf(values: readonly Value[]): Record<string, unknown> {
  const shown = (value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString() : String(value));
  return Object.fromEntries(values.map(({ column, value }) => [column, shown(value).slice(0, 100)]));
}

function literal({ type, value }: Value): string {
  if (value === null) return "NULL";
  if (type === "real") return realLiteral(Number(value));
  if (!(value instanceof Uint8Array)) return String(value);
  return type === "text" ? textLiteral(value) : `X'${hex(value)}'`;
}

function realLiteral(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "9e999" : "-9e999";
  return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
}

/** Control characters and bytes that are not UTF-8 are written in hexadecimal, so that no program changes them. */
function textLiteral(bytes: Uint8Array): string {
  try {
    const text = utf8.decode(bytes);
    if (!/[\p{Cc}\u2028\u2029]/u.test(text)) return `'${text.replaceAll("'", "''")}'`;
  } catch {
    // Not UTF-8.
  }
  return textInHex(bytes);
}
