import type { DatabaseSync } from "node:sqlite";
import { queryEach, type Target } from "./database.ts";

/** Limits for rows per statement and characters per command, far below the limits of a command line. */
const KEYS_PER_STATEMENT = 100;
const CHARACTERS_PER_COMMAND = 50_000;

/** Rows of a table in which a text contains a line break. */
export interface BrokenTexts {
  table: string;
  key: string[];
  texts: string[];
  /** Key values, one array per row. */
  rows: unknown[][];
}

/**
 * Lists the rows of a loaded dump in which a text contains a line break. An export writes a line break as `\n` and does
 * not distinguish it from a literal backslash and n, so only these rows can differ from the primary's.
 */
export function listBrokenTexts(database: DatabaseSync): BrokenTexts[] {
  return readTables(database).map(({ name, key, texts }) => {
    const broken = texts.map((column) => `instr(${column}, char(10)) or instr(${column}, char(13))`);
    const found = database.prepare(`select ${key.join(", ")} from ${name} where ${broken.join(" or ")}`).iterate();
    return { table: name, key, texts, rows: Array.from(found, (row) => key.map((column) => row[column])) };
  });
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
const literal = (value: unknown) => (typeof value === "number" ? String(value) : quote(String(value)));

/**
 * Reads those rows from the primary by key, a hundred at a time, and returns statements that restore the original
 * texts. Each statement changes a text only if it is still as the export wrote it.
 */
export function mendTexts(target: Target, broken: readonly BrokenTexts[]): string[] {
  const lookups = broken.flatMap((each) => chunksOf(each.rows).map((rows) => ({ ...each, rows })));
  return inCommands(lookups).flatMap((command) => {
    const results = queryEach(target, command.map(selectRows));
    return command.flatMap((lookup, i) => (results[i] ?? []).flatMap((row) => mendRow(lookup, row)));
  });
}

function* slices<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

const chunksOf = (rows: unknown[][]) => [...slices(rows, KEYS_PER_STATEMENT)];

function inCommands(lookups: readonly BrokenTexts[]): BrokenTexts[][] {
  const commands: BrokenTexts[][] = [];
  let room = 0;
  for (const lookup of lookups) {
    const length = selectRows(lookup).length;
    if (length > room) {
      commands.push([]);
      room = CHARACTERS_PER_COMMAND;
    }
    commands.at(-1)?.push(lookup);
    room -= length;
  }
  return commands;
}

/** Selects the rows by key, so that the query reads only those rows whatever the size of the table. */
export function selectRows({ table, key, texts, rows }: BrokenTexts): string {
  const keys = rows.map((values) => `(${values.map(literal).join(", ")})`);
  const both = texts.map(
    (c) => `(instr(${c}, char(10)) or instr(${c}, char(13))) and (instr(${c}, '\\n') or instr(${c}, '\\r'))`,
  );
  const columns = [...new Set([...key, ...texts])].join(", ");
  return `select ${columns} from ${table} where (${key.join(", ")}) in (values ${keys.join(", ")}) and (${both.join(" or ")})`;
}

function mendRow({ table, key, texts }: BrokenTexts, row: Record<string, unknown>): string[] {
  return texts
    .filter((column) => /[\r\n]/.test(String(row[column] ?? "")) && /\\[nr]/.test(String(row[column])))
    .map((column) => {
      const text = String(row[column]);
      const broken = text.replaceAll("\\n", "\n").replaceAll("\\r", "\r");
      const where = [...key.map((each) => `${each} = ${literal(row[each])}`), `${column} = ${quote(broken)}`];
      return `UPDATE ${table} SET ${column} = ${quote(text)} WHERE ${where.join(" AND ")};\n`;
    });
}

/** All tables that have a primary key and text columns. */
function readTables(database: DatabaseSync): { name: string; key: string[]; texts: string[] }[] {
  const names = database
    .prepare("select name from sqlite_master where type = 'table' and name not glob 'sqlite_*'")
    .all();
  return names
    .map(({ name }) => {
      const columns = database.prepare(`pragma table_info("${name}")`).all();
      return {
        name: String(name),
        key: columns.filter(({ pk }) => Number(pk) > 0).map((column) => String(column.name)),
        texts: columns.filter(({ type }) => /^text$/i.test(String(type))).map((column) => String(column.name)),
      };
    })
    .filter(({ key, texts }) => key.length > 0 && texts.length > 0);
}
