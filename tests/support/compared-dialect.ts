import type { SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { OnePassDialect } from "../../src/platform/dialect.ts";

/** Statements that were not written as Drizzle writes them. A failure inside a trip would be taken for one of the database. */
export const differences: unknown[] = [];

const { sqlToQuery } = OnePassDialect.prototype;
const drizzles = new SQLiteAsyncDialect();

function compared(this: OnePassDialect, statement: SQL, invokeSource?: "indexes") {
  const written = sqlToQuery.call(this, statement, invokeSource);
  const { sql, params } = drizzles.sqlToQuery(statement, invokeSource);
  const isSame =
    written.params.length === params.length && params.every((each, i) => Object.is(each, written.params[i]));
  if (written.sql !== sql || !isSame) differences.push({ written, drizzles: { sql, params } });
  return written;
}

/** From here on every statement is held against what Drizzle's own dialect writes. */
export function compareDialects(): void {
  OnePassDialect.prototype.sqlToQuery = compared;
}
