import {
  appendFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";

/**
 * Rewrites a D1 export in an order that can be loaded: tables, rows with referenced rows first, then indexes and
 * triggers. D1 exports rows before tables that their foreign keys refer to.
 *
 * @param repairs statements that run after the rows.
 */
export async function arrangeDump(from: string, to: string, repairs: readonly string[] = []): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-arrange-"));
  const part = (name: string) => join(folder, name);
  try {
    const tables = new DatabaseSync(":memory:");
    for await (const statement of readStatements(from)) {
      const name = partOf(statement);
      if (name === "tables") tables.exec(statement);
      appendFileSync(part(name), statement);
    }
    const rows = inOrderOfReference(tables).map((table) => `rows of ${table}`);
    writeFileSync(part("repairs"), repairs.join(""));
    tables.close();
    const parts = ["tables", ...rows, "repairs", "rest"].map(part).filter((file) => existsSync(file));
    for (const [i, file] of parts.entries()) {
      await pipeline(createReadStream(file), createWriteStream(to, { flags: i === 0 ? "w" : "a", mode: 0o600 }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws Error for an unknown kind of statement, so that it is not lost. */
function partOf(statement: string): string {
  if (/^(CREATE TABLE|PRAGMA) /.test(statement)) return "tables";
  const [, table] = /^(?:INSERT INTO|DELETE FROM) "?(\w+)"?/.exec(statement) ?? [];
  if (table) return `rows of ${table}`;
  if (/^CREATE (UNIQUE )?(INDEX|TRIGGER|VIEW) /.test(statement)) return "rest";
  throw new Error(`The export contains an unknown kind of statement: ${statement.slice(0, 100)}`);
}

/**
 * All tables, each after the tables that its foreign keys refer to; sqlite_sequence last, because inserting rows
 * changes it.
 */
function inOrderOfReference(database: DatabaseSync): string[] {
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
  const ordered = new Set<string>();
  const add = (name: string, waiting: readonly string[]): void => {
    if (ordered.has(name) || waiting.includes(name)) return;
    for (const { table } of database.prepare(`pragma foreign_key_list("${name}")`).all()) {
      add(String(table), [...waiting, name]);
    }
    ordered.add(name);
  };
  for (const { name } of tables) if (name !== "sqlite_sequence") add(String(name), []);
  return [...ordered, "sqlite_sequence"];
}

/** Yields the statements of an export one by one, because an export can be longer than a string can be. */
export async function* readStatements(file: string): AsyncGenerator<string> {
  let statement = "";
  for await (const line of readLines(file)) {
    statement += `${line}\n`;
    if (isWhole(statement, line)) {
      yield statement;
      statement = "";
    }
  }
  if (statement.trim() !== "") yield statement;
}

/** Whether the statement ends with this line: triggers contain statements, and text values can contain line breaks. */
function isWhole(statement: string, line: string): boolean {
  if (!line.endsWith(";")) return false;
  if (/^CREATE TRIGGER /.test(statement)) return /^END;$/i.test(line.trim());
  // Quotes inside a text are doubled, so their number is even outside of a text.
  return (statement.match(/'/g)?.length ?? 0) % 2 === 0;
}

/** Yields lines separated by line feeds only; other line-ending characters may occur in values. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "utf8", highWaterMark: 1024 * 1024 })) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
