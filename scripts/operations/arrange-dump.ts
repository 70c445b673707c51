import { appendFileSync, createReadStream, createWriteStream, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";
import { readStatements } from "./statements.ts";
import { listTables } from "./tables.ts";
import { inTemporaryFolder } from "./unfinished.ts";

/**
 * Rewrites a D1 export in an order that can be loaded: tables, rows with referenced rows first, then indexes and
 * triggers. D1 exports rows before tables that their foreign keys refer to.
 */
export async function arrangeDump(from: string, to: string): Promise<void> {
  await inTemporaryFolder("arrange", (folder) => arrangeIn(folder, from, to));
}

async function arrangeIn(folder: string, from: string, to: string): Promise<void> {
  const part = (name: string) => join(folder, name);
  const buffered = new Map<string, string>();
  const append = (name: string, text: string) => {
    const pending = (buffered.get(name) ?? "") + text;
    const isFull = pending.length > 1_000_000;
    if (isFull) appendFileSync(part(name), pending);
    buffered.set(name, isFull ? "" : pending);
  };
  const tables = new DatabaseSync(":memory:");
  try {
    for await (const statement of readStatements(from)) {
      const name = partOf(statement);
      if (name === "tables") tables.exec(statement);
      append(name, statement);
    }
    for (const [name, pending] of buffered) appendFileSync(part(name), pending);
    // sqlite_sequence comes last, because inserting rows changes it.
    const rows = [...listTables(tables).map(({ name }) => name), "sqlite_sequence"].map((name) => `rows of ${name}`);
    const parts = ["tables", ...rows, "rest"].map(part).filter((file) => existsSync(file));
    writeFileSync(to, "", { mode: 0o600 });
    for (const file of parts) await pipeline(createReadStream(file), createWriteStream(to, { flags: "a" }));
  } finally {
    tables.close();
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
