import { createReadStream } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/**
 * Yields the statements of a SQL file one by one, because a dump can be longer than a string can be. A NUL inside a text
 * would end the statement, so such a text is written in hexadecimal.
 */
export async function* readStatements(file: string): AsyncGenerator<string> {
  let lines: string[] = [];
  let isInText = false;
  for await (const line of readLines(file)) {
    lines.push(line);
    // Quotes inside a text are doubled, so their number is odd only if a text begins or ends on this line.
    if (countQuotes(line) % 2 === 1) isInText = !isInText;
    if (isInText || !line.endsWith(";")) continue;
    // A trigger contains statements.
    if (/^CREATE TRIGGER /.test(lines[0] ?? "") && !/^END;$/i.test(line.trim())) continue;
    yield withoutNul(`${lines.join("\n")}\n`);
    lines = [];
  }
  if (lines.join("").trim() !== "") yield withoutNul(`${lines.join("\n")}\n`);
}

function countQuotes(line: string): number {
  let count = 0;
  for (let at = line.indexOf("'"); at >= 0; at = line.indexOf("'", at + 1)) count += 1;
  return count;
}

function withoutNul(statement: string): string {
  if (!statement.includes("\0")) return statement;
  return statement.replace(/'(?:[^']|'')*'/g, (text) =>
    text.includes("\0") ? textInHex(Buffer.from(text.slice(1, -1).replaceAll("''", "'"))) : text,
  );
}

/** A SQL expression for a text of any bytes. */
export const textInHex = (bytes: Uint8Array): string => `CAST(X'${Buffer.from(bytes).toString("hex")}' AS TEXT)`;

/** Yields lines separated by line feeds only; other line-ending characters may occur in values. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "utf8", highWaterMark: 1024 * 1024 })) {
    const lines: string[] = chunk.split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/**
 * Creates a database file from a SQL file, all or nothing.
 *
 * @param checks "references" enforces foreign keys row by row, so each row must follow the rows that it refers to.
 * @throws Error with the statement's beginning, which names the table and the row, if a statement fails.
 */
export async function loadStatements(
  file: string,
  path: string,
  checks: "references" | "nothing",
): Promise<DatabaseSync> {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: checks === "references" });
  try {
    // The file is new, and removed if the load fails.
    database.exec("pragma journal_mode = off; pragma synchronous = off; begin");
    for await (const statement of readStatements(file)) {
      try {
        database.exec(statement);
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : error} in: ${statement.slice(0, 300)}`);
      }
    }
    database.exec("commit");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
