import type { SQL } from "drizzle-orm";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import { OnePassDialect } from "../../src/platform/data/dialect.ts";

/**
 * Statements that differ from what Drizzle's dialect writes. They are collected, because an exception inside a batch
 * would look like a database failure.
 */
export const differences: unknown[] = [];

/** From now on, compares every statement with the output of Drizzle's dialect. */
export function compareStatements(): void {
  OnePassDialect.prototype.sqlToQuery = comparedQuery;
}

const { sqlToQuery } = OnePassDialect.prototype;
const drizzles = new SQLiteAsyncDialect();

function comparedQuery(this: OnePassDialect, statement: SQL, invokeSource?: "indexes") {
  const own = sqlToQuery.call(this, statement, invokeSource);
  const { sql, params } = drizzles.sqlToQuery(statement, invokeSource);
  const isSame = own.params.length === params.length && params.every((each, i) => Object.is(each, own.params[i]));
  if (own.sql !== sql || !isSame) differences.push({ written: own, drizzles: { sql, params } });
  return own;
}
