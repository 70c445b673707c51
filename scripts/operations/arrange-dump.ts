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
 * Writes an export of D1 anew in an order that loads: tables, rows with those that others refer to first, then indexes
 * and triggers. As it is exported it does not: rows stand before tables that their foreign keys name.
 *
 * @param mends statements that run behind the rows.
 */
export async function arrangeDump(from: string, to: string, mends: readonly string[] = []): Promise<void> {
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
    writeFileSync(part("mends"), mends.join(""));
    tables.close();
    const parts = ["tables", ...rows, "mends", "rest"].map(part).filter((file) => existsSync(file));
    for (const [i, file] of parts.entries()) {
      await pipeline(createReadStream(file), createWriteStream(to, { flags: i === 0 ? "w" : "a", mode: 0o600 }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws Error on a statement of a kind that no export had so far: it must not be lost. */
function partOf(statement: string): string {
  if (/^(CREATE TABLE|PRAGMA) /.test(statement)) return "tables";
  const [, table] = /^(?:INSERT INTO|DELETE FROM) "?(\w+)"?/.exec(statement) ?? [];
  if (table) return `rows of ${table}`;
  if (/^CREATE (UNIQUE )?(INDEX|TRIGGER|VIEW) /.test(statement)) return "rest";
  throw new Error(`the export has a statement that is not known: ${statement.slice(0, 100)}`);
}

/** Every table, after all that its foreign keys name; sqlite_sequence last, since rows change it. */
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

/** The statements of an export, one by one: it may be longer than a text can be. */
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

/** Whether a statement ends with the line: a trigger has statements inside, and a row's text may have lines. */
function isWhole(statement: string, line: string): boolean {
  if (!line.endsWith(";")) return false;
  if (/^CREATE TRIGGER /.test(statement)) return /^END;$/i.test(line.trim());
  // Quotes inside a text are doubled, so that they are even in number outside of one.
  return (statement.match(/'/g)?.length ?? 0) % 2 === 0;
}

/** Lines as SQL has them, ended by a line feed alone: a value may hold other characters that end a line elsewhere. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "utf8", highWaterMark: 1024 * 1024 })) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
