import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { arrangeDump } from "./arrange-dump.ts";
import { exportPrimary, queryEach, type Target } from "./database.ts";
import { compareDigests, digestDump, type TableDigest } from "./dump.ts";

/**
 * Writes the primary to a file of SQL that loads into an empty database, and digests what it holds.
 *
 * @throws Error when the file would not hold what D1 exported.
 */
export async function takeDump(target: Target, file: string): Promise<Record<string, TableDigest>> {
  const folder = mkdtempSync(join(tmpdir(), "users-api-dump-"));
  try {
    const exported = join(folder, "exported.sql");
    exportPrimary(target, exported);
    await arrangeDump(exported, file);
    const lost = compareDigests(await digestDump(exported), await digestDump(file, "loads"));
    if (lost.length > 0) throw new Error(`the dump is not what was exported:\n${lost.join("\n")}`);
    await arrangeDump(exported, file, (tables) => mendTexts(target, tables));
    return await digestDump(file, "loads");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
const literal = (value: unknown) => (typeof value === "number" ? String(value) : quote(String(value)));

/**
 * Statements that give texts back what an export takes from them: it writes a line break as `\n`, and does not tell it
 * from these two letters where a text has both. Each changes only what the export made of that very text.
 */
function mendTexts(target: Target, tables: DatabaseSync): string[] {
  const sources = readTables(tables);
  const results = queryEach(
    target,
    sources.map(({ name, key, texts }) => {
      const both = texts.map(
        (c) => `(instr(${c}, char(10)) or instr(${c}, char(13))) and (instr(${c}, '\\n') or instr(${c}, '\\r'))`,
      );
      return `select ${[...new Set([...key, ...texts])].join(", ")} from ${name} where ${both.join(" or ")}`;
    }),
  );
  return sources.flatMap(({ name, key, texts }, i) =>
    (results[i] ?? []).flatMap((row) =>
      texts
        .filter((column) => /[\r\n]/.test(String(row[column] ?? "")) && /\\[nr]/.test(String(row[column])))
        .map((column) => {
          const text = String(row[column]);
          const broken = text.replaceAll("\\n", "\n").replaceAll("\\r", "\r");
          const where = [...key.map((each) => `${each} = ${literal(row[each])}`), `${column} = ${quote(broken)}`];
          return `UPDATE ${name} SET ${column} = ${quote(text)} WHERE ${where.join(" AND ")};\n`;
        }),
    ),
  );
}

/** Each table that has a key and texts. */
function readTables(tables: DatabaseSync): { name: string; key: string[]; texts: string[] }[] {
  const names = tables
    .prepare("select name from sqlite_master where type = 'table' and name not glob 'sqlite_*'")
    .all();
  return names
    .map(({ name }) => {
      const columns = tables.prepare(`pragma table_info("${name}")`).all();
      return {
        name: String(name),
        key: columns.filter(({ pk }) => Number(pk) > 0).map((column) => String(column.name)),
        texts: columns.filter(({ type }) => /^text$/i.test(String(type))).map((column) => String(column.name)),
      };
    })
    .filter(({ key, texts }) => key.length > 0 && texts.length > 0);
}
