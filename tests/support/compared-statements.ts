import type { SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { OnePassDialect } from "../../src/platform/data/dialect.ts";

/**
 * Statements that differ from what Drizzle's dialect writes. They are collected, because an exception inside a batch
 * would look like a database failure.
 */
export const differences: unknown[] = [];

/** How often statements with the same text are compared, because their values may differ. */
const COMPARISONS = 10;
const compared = new Map<string, number>();

/** From now on, compares statements with the output of Drizzle's dialect, each text at its first uses. */
export function compareStatements(): void {
  OnePassDialect.prototype.sqlToQuery = comparedQuery;
}

const { sqlToQuery } = OnePassDialect.prototype;
const drizzles = new SQLiteAsyncDialect();

function comparedQuery(this: OnePassDialect, statement: SQL, invokeSource?: "indexes") {
  const own = sqlToQuery.call(this, statement, invokeSource);
  const count = (compared.get(own.sql) ?? 0) + 1;
  compared.set(own.sql, count);
  if (count > COMPARISONS) return own;
  const { sql, params } = drizzles.sqlToQuery(statement, invokeSource);
  const isSame = own.params.length === params.length && params.every((each, i) => Object.is(each, own.params[i]));
  if (own.sql !== sql || !isSame) differences.push({ written: own, drizzles: { sql, params } });
  return own;
}
