import type { DatabaseSync } from "node:sqlite";
import { quote } from "../inline.ts";
import { queryEach, type Target } from "./database.ts";
import { describeKey, listTables, quoteName, type Table } from "./tables.ts";

/** Limits for rows per statement and characters per command, far below the limits of a command line. */
const KEYS_PER_STATEMENT = 100;
const CHARACTERS_PER_COMMAND = 50_000;

/** Rows of a table in which the export may have changed a text. */
export interface DoubtfulTexts {
  table: Table;
  /** Columns that hold text. */
  texts: string[];
  /** Key values, one array per row. */
  rows: unknown[][];
}

/**
 * SQL that is true for a text with characters that an export may have introduced: line breaks in place of a literal
 * `\n` or `\r`, and U+FFFD in place of bytes that are not UTF-8.
 */
const isDoubtful = (text: string) =>
  `(instr(${text}, char(10)) or instr(${text}, char(13)) or instr(${text}, char(65533)))`;

/**
 * Lists the rows of a loaded export in which a text may differ from the primary's. An export writes a line break as `\n`
 * and does not distinguish it from a literal backslash and n, and it writes bytes that are not UTF-8 as U+FFFD.
 *
 * @throws Error that names table and key of a row whose key is such a text, because it cannot be found in the primary.
 */
export function listDoubtfulTexts(database: DatabaseSync): DoubtfulTexts[] {
  return listTables(database).flatMap((table) => {
    const texts = textColumns(database, table);
    if (table.key[0] === "rowid" || texts.length === 0) return [];
    const [name, key] = [quoteName(table.name), table.key.map(quoteName)];
    const [unknown] = database
      .prepare(`select ${key.join(", ")} from ${name} where ${key.map(isDoubtful).join(" or ")} limit 1`)
      .all();
    if (unknown) throw new Error(`${table.name} (${describeKey(table, unknown)}): the key is not written as it is`);
    const found = database
      .prepare(
        `select ${key.join(", ")} from ${name} where ${texts.map((text) => isDoubtful(quoteName(text))).join(" or ")}`,
      )
      .iterate();
    return [{ table, texts, rows: Array.from(found, (row) => table.key.map((column) => row[column])) }];
  });
}

function textColumns(database: DatabaseSync, { name, stored }: Table): string[] {
  const columns = database.prepare(`pragma table_info(${quoteName(name)})`).all();
  const texts = columns.filter(({ type }) => /^text$/i.test(String(type))).map((column) => String(column.name));
  return texts.filter((column) => stored.includes(column));
}

/**
 * Replaces the doubtful texts of a loaded export with the primary's own bytes, a hundred rows at a time. A text that has
 * changed in the primary since the export stays as exported.
 */
export function mendTexts(target: Target, database: DatabaseSync): void {
  const lookups = listDoubtfulTexts(database).flatMap((each) =>
    [...slices(each.rows, KEYS_PER_STATEMENT)].map((rows) => ({ ...each, rows })),
  );
  for (const command of inCommands(lookups)) {
    const results = queryEach(target, command.map(selectBytes));
    for (const [i, lookup] of command.entries()) for (const row of results[i] ?? []) mendRow(database, lookup, row);
  }
}

function* slices<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

function inCommands(lookups: readonly DoubtfulTexts[]): DoubtfulTexts[][] {
  const commands: DoubtfulTexts[][] = [];
  let room = 0;
  for (const lookup of lookups) {
    const length = selectBytes(lookup).length;
    if (length > room) {
      commands.push([]);
      room = CHARACTERS_PER_COMMAND;
    }
    commands.at(-1)?.push(lookup);
    room -= length;
  }
  return commands;
}

const literal = (value: unknown) => (typeof value === "number" ? String(value) : quote(String(value)));

/** Selects the bytes of the rows' texts by key, so that the query reads only those rows whatever the size of the table. */
export function selectBytes({ table, texts, rows }: DoubtfulTexts): string {
  const key = table.key.map(quoteName);
  const keys = rows.map((values) => `(${values.map(literal).join(", ")})`);
  const bytes = texts.map((column) => `hex(${quoteName(column)}) as ${quoteName(`hex ${column}`)}`);
  return `select ${[...key, ...bytes].join(", ")} from ${quoteName(table.name)}
    where (${key.join(", ")}) in (values ${keys.join(", ")})`;
}

function mendRow(database: DatabaseSync, { table, texts }: DoubtfulTexts, row: Record<string, unknown>): void {
  const where = table.key.map((column) => `${quoteName(column)} = ${literal(row[column])}`).join(" and ");
  for (const column of texts) {
    const bytes = Buffer.from(String(row[`hex ${column}`] ?? ""), "hex");
    const exported = bytes.toString("utf8").replaceAll("\\n", "\n").replaceAll("\\r", "\r");
    database
      .prepare(`update ${quoteName(table.name)} set ${quoteName(column)} = cast(? as text)
        where ${where} and ${quoteName(column)} = ?`)
      .run(bytes, exported);
  }
}
